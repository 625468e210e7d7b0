//! `regex_uri`: a pattern of PCRE and a template of nginx, as Envoy's RE2 pattern and substitution, exactly or not at all.
//!
//! nginx replaces the first place that matches, Envoy every one. A pattern that is not tied to the start of the path
//! is therefore given a start: `^(.*?)(?:…)` matches once, from the same place. What the two kinds of expressions do
//! not both have, or do not mean alike, is refused.

mod search;

use envoy_types::pb::envoy::config::route::v3::{Route, RouteMatch, route_match::PathSpecifier};
use envoy_types::pb::envoy::r#type::matcher::v3::{RegexMatchAndSubstitute, RegexMatcher};
use regex_syntax::ast::{AssertionKind, Ast, RepetitionKind};

use super::narrow::set_pattern;
use super::uri;
use super::variable;
use crate::model::Path;
use crate::model::decode::quoted;
use crate::model::pattern::{size, syntax};
use crate::model::problem::Remark;

pub use search::search;

/// A pattern of PCRE that may match anywhere in a text, as one of RE2 that matches the whole text.
pub fn anywhere(written: &str) -> Result<String, String> {
    syntax::checked(written)?;
    bounded(format!(".*(?:{written}).*"), written)
}

/// A pattern, unless it is larger than Envoy allows.
fn bounded(pattern: String, written: &str) -> Result<String, String> {
    if size::of(&pattern) > size::BOUND {
        Err(format!(
            "found {}, which is too large for Envoy: allowed: fewer or shorter repetitions such as `{{1,30}}`",
            quoted(written)
        ))
    } else {
        Ok(pattern)
    }
}

/// Bytes of an operator: a header that is made of it has 16 KiB at most, and of a query another.
const LONGEST: usize = 15 * 1024;

/// A rewrite of paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewrite {
    /// As it is written.
    written: String,
    /// Where in the list.
    at: usize,
    /// The pattern for Envoy.
    pattern: String,
    /// The substitution for Envoy.
    substitution: String,
    /// That of what a template has behind a `?`, likewise.
    query: Option<String>,
    /// How many groups the pattern has as it is written.
    groups: u32,
    /// A start of paths: every path that starts so matches, whatever follows.
    sure: Option<String>,
}

/// Which of a route's requests match a pattern.
pub enum Among {
    All,
    None,
    /// Those of this route.
    Some(Box<Route>),
}

impl Rewrite {
    /// Reads `["pattern", "template"]`; a template may have a query, unless it is for one of Envoy's own rewrites.
    pub fn read(list: &[String], of_envoy: bool) -> Result<Self, Remark> {
        match list {
            [written, template] => {
                let (path, query) = match template.split_once('?').filter(|_| !of_envoy) {
                    Some((path, query)) => (path, Some(query)),
                    None => (&**template, None),
                };
                Self::pair(0, written, path, query)
            }
            _ => Err(Remark::new(
                "regex_uri",
                format!(
                    "found {} strings, allowed: one pattern and its template, as two strings",
                    list.len()
                ),
            )),
        }
    }

    /// Reads `["pattern", "template", …]`, of which the first pattern that matches is meant. Templates may have a query.
    pub fn read_several(list: &[String]) -> Result<Vec<Self>, Remark> {
        let pairs = list.chunks_exact(2);
        if list.is_empty() || !pairs.remainder().is_empty() {
            let message = format!(
                "found {} strings, allowed: patterns, each followed by its template",
                list.len()
            );
            return Err(Remark::new("regex_uri", message));
        }
        pairs
            .enumerate()
            .map(|(at, pair)| {
                let (path, query) = match pair[1].split_once('?') {
                    Some((path, query)) => (path, Some(query)),
                    None => (&*pair[1], None),
                };
                Self::pair(at * 2, &pair[0], path, query)
            })
            .collect()
    }

    /// Reads a pattern, which stands at that place of the list, and its template: a path, and perhaps a query.
    fn pair(at: usize, written: &str, template: &str, query: Option<&str>) -> Result<Self, Remark> {
        let place = |at: usize| format!("regex_uri[{at}]");
        let (ast, groups) =
            syntax::checked(written).map_err(|said| Remark::new(place(at), said))?;
        let tied = starts_at_start(&ast);
        let shift = u32::from(!tied);
        let of_template = |said| Remark::new(place(at + 1), said);
        if template.contains('?') {
            let message = "found `?`, allowed: a path without a query; the client's query is kept";
            return Err(of_template(message.to_owned()));
        }
        let substitution = substitution(template, groups, shift, literal)
            .and_then(|template| starts_a_path(template, tied))
            .map_err(of_template)?;
        let query = query.map(|query| query_of(query, groups, shift));
        let query = query.transpose().map_err(of_template)?;
        let pattern = if tied {
            written.to_owned()
        } else {
            format!("^(.*?)(?:{written})")
        };
        let pattern = bounded(pattern, written).map_err(|said| Remark::new(place(at), said))?;
        let rewrite = Self {
            pattern,
            substitution: if tied {
                substitution
            } else {
                format!("\\1{substitution}")
            },
            query,
            groups,
            sure: sure_start(&ast),
            written: written.to_owned(),
            at,
        };
        if rewrite.has_query() && rewrite.with_query().is_none() {
            let message = "is too long beside a query in its template, allowed: a shorter pattern";
            return Err(Remark::new(place(at), message));
        }
        Ok(rewrite)
    }

    /// Puts every path in the place of another.
    pub fn everything(path: &str) -> Self {
        Self {
            written: String::new(),
            at: 0,
            pattern: "^.*$".to_owned(),
            substitution: literal(path),
            query: None,
            groups: 0,
            sure: Some(String::new()),
        }
    }

    /// Whether every request for a path matches.
    pub fn covers(&self, path: &Path) -> bool {
        match path {
            Path::Exact(path) => self.matches(path),
            Path::Prefix(_) | Path::Parameters(_) => self.is_sure_of(path.start()),
        }
    }

    /// Whether Envoy has to tell requests for one of these paths apart.
    pub fn asks_for(&self, paths: &[Path]) -> bool {
        let asked = |path: &Path| !matches!(path, Path::Exact(_)) && !self.covers(path);
        paths.iter().any(asked)
    }

    /// Refuses a pattern that tells requests for a path apart, and is too large for Envoy then.
    pub fn check(&self, path: &Path) -> Result<(), Remark> {
        let asked = self.asks_for(std::slice::from_ref(path));
        let question = asked.then(|| bounded(self.question(), &self.written));
        let place = || format!("regex_uri[{}]", self.at);
        let fits = question.transpose().map(|_| ());
        fits.map_err(|said| Remark::new(place(), said))
    }

    /// Which of a route's requests match.
    pub fn among(&self, route: &Route) -> Among {
        let path = route
            .r#match
            .as_ref()
            .and_then(|m| m.path_specifier.as_ref());
        match path {
            Some(PathSpecifier::Path(path)) if self.matches(path) => Among::All,
            Some(PathSpecifier::Path(_)) => Among::None,
            Some(PathSpecifier::Prefix(prefix)) if self.is_sure_of(prefix) => Among::All,
            _ => Among::Some(Box::new(self.narrowed(route))),
        }
    }

    fn matches(&self, path: &str) -> bool {
        regex::Regex::new(&self.written).is_ok_and(|regex| regex.is_match(path))
    }

    fn is_sure_of(&self, prefix: &str) -> bool {
        let sure = self.sure.as_deref();
        sure.is_some_and(|sure| prefix.starts_with(sure))
    }

    /// The route for the requests that match.
    fn narrowed(&self, route: &Route) -> Route {
        let mut narrowed = route.clone();
        let matched = narrowed.r#match.get_or_insert_with(RouteMatch::default);
        set_pattern(matched, self.question());
        narrowed
    }

    /// The pattern as one of whole paths.
    fn question(&self) -> String {
        format!("(?:{}).*", self.pattern)
    }

    /// The command operator of what a path with a query becomes, where the template has one. Envoy's rewrites are of paths alone:
    /// they would put the client's query behind a second `?`.
    pub fn with_query(&self) -> Option<String> {
        let query = self.query.as_deref()?;
        self.whole(&format!("?{query}"))
    }

    /// The command operator of what a path becomes, with the query that the template has; nothing where the pattern has too many
    /// groups for it.
    pub fn location(&self) -> Option<String> {
        self.with_query().or_else(|| self.whole(""))
    }

    pub fn has_query(&self) -> bool {
        self.query.is_some()
    }

    fn whole(&self, query: &str) -> Option<String> {
        let shift = u32::from(self.pattern != self.written);
        // One group more, for what follows.
        let rest = self.groups + shift + 1;
        let pattern = format!("(?:{})(.*)$", self.pattern);
        let all = format!("{}{query}\\{rest}", self.substitution);
        let path = variable::extracted("request.url_path", &pattern, &all);
        (rest <= 9 && path.len() <= LONGEST).then_some(path)
    }

    /// The command operator of a group of the pattern, as the client's path has it.
    pub fn group(&self, group: u32) -> Result<String, String> {
        match group {
            // What is not there is nothing, as with nginx.
            _ if group > self.groups => Ok(String::new()),
            0..=9 => Ok(variable::extracted(
                "request.url_path",
                &self.written,
                &format!("\\{group}"),
            )),
            _ => Err(format!("found `${group}`, allowed: `$0` to `$9`")),
        }
    }

    pub fn to_envoy(&self) -> RegexMatchAndSubstitute {
        RegexMatchAndSubstitute {
            pattern: Some(RegexMatcher {
                regex: self.pattern.clone(),
                engine_type: None,
            }),
            substitution: self.substitution.clone(),
        }
    }
}

/// The query of a template. Its pattern has a group more then, for the rest of the path.
fn query_of(template: &str, groups: u32, shift: u32) -> Result<String, String> {
    if !template.bytes().all(|b| b.is_ascii_graphic()) {
        return Err("found something else in the query, allowed: ASCII without spaces".into());
    }
    if groups + shift > 8 {
        return Err(format!(
            "found a query behind {groups} groups, allowed: {}",
            8 - shift
        ));
    }
    substitution(template, groups, shift, |text| text.replace('\\', "\\\\"))
}

/// A template: `$1` and `${1}` are groups, `$$` is a dollar, the rest is as `written` has it there.
fn substitution(
    template: &str,
    groups: u32,
    shift: u32,
    written: impl Fn(&str) -> String,
) -> Result<String, String> {
    let mut substitution = String::new();
    let mut rest = template;
    while let Some(dollar) = rest.find('$') {
        substitution.push_str(&written(&rest[..dollar]));
        rest = &rest[dollar + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            substitution.push('$');
            rest = after;
            continue;
        }
        let braced = rest.strip_prefix('{');
        let inside = braced.unwrap_or(rest);
        let digits = inside.bytes().take_while(u8::is_ascii_digit).count();
        let group = inside[..digits].parse::<u32>().map_err(|_| {
            format!(
                "found `$` before {}, allowed: a group such as `$1`",
                quoted(inside)
            )
        })?;
        if group == 0 || group > groups {
            return Err(format!(
                "found `${group}`, allowed: groups of the pattern, which has {groups}"
            ));
        }
        // Envoy's substitutions know one digit: `\12` is group 1 and a 2.
        if group + shift > 9 {
            return Err(format!(
                "found `${group}`, allowed: `$1` to `${}`",
                9 - shift
            ));
        }
        rest = &inside[digits..];
        if braced.is_some() {
            rest = rest.strip_prefix('}').ok_or("found `${` without `}`")?;
        }
        substitution.push_str(&format!("\\{}", group + shift));
    }
    substitution.push_str(&written(rest));
    Ok(substitution)
}

/// What stands in the place of a path's start must start a path.
fn starts_a_path(substitution: String, tied: bool) -> Result<String, String> {
    if tied && !substitution.starts_with(['/', '\\']) {
        Err(format!(
            "found {}, allowed: a template that starts with `/`",
            quoted(&substitution)
        ))
    } else {
        Ok(substitution)
    }
}

/// A text that stands for itself in a substitution.
fn literal(text: &str) -> String {
    uri::escape(text).replace('\\', "\\\\")
}

/// Whether the pattern can match at the start of a path only.
fn starts_at_start(ast: &Ast) -> bool {
    match ast {
        Ast::Assertion(assertion) => matches!(
            assertion.kind,
            AssertionKind::StartLine | AssertionKind::StartText
        ),
        Ast::Group(group) => starts_at_start(&group.ast),
        Ast::Concat(concat) => concat.asts.first().is_some_and(starts_at_start),
        Ast::Alternation(alternation) => alternation.asts.iter().all(starts_at_start),
        _ => false,
    }
}

/// The letters that a pattern asks for when it asks for nothing else: `^/a/` of `^/a/(.*)$`.
fn sure_start(ast: &Ast) -> Option<String> {
    let parts = match ast {
        Ast::Concat(concat) => concat.asts.as_slice(),
        one => std::slice::from_ref(one),
    };
    let parts = match parts.split_first() {
        Some((first, rest)) if starts_at_start(first) => rest,
        _ => parts,
    };
    let mut start = String::new();
    let mut left = parts.iter();
    let mut next = left.next();
    while let Some(Ast::Literal(literal)) = next {
        start.push(literal.c);
        next = left.next();
    }
    let mut anything = false;
    while let Some(part) = next {
        match part {
            part if matches_anything(part) => anything = true,
            Ast::Assertion(end) if anything && end.kind == AssertionKind::EndLine => {}
            _ => return None,
        }
        next = left.next();
    }
    Some(start)
}

fn matches_anything(ast: &Ast) -> bool {
    match ast {
        Ast::Group(group) => matches_anything(&group.ast),
        Ast::Repetition(repetition) => {
            repetition.op.kind == RepetitionKind::ZeroOrMore
                && matches!(*repetition.ast, Ast::Dot(_))
        }
        _ => false,
    }
}

/// Whether Envoy takes a pattern.
#[cfg(test)]
pub fn fits_envoy(pattern: &str) -> bool {
    size::of(pattern) <= size::BOUND
}

#[cfg(test)]
mod tests;
