//! `regex_uri`: a pattern of PCRE and a template of nginx, as Envoy's RE2 pattern and substitution, exactly or not at all.
//!
//! nginx replaces the first place that matches, Envoy every one. A pattern that is not tied to the start of the path
//! is therefore given a start: `^(.*?)(?:…)` matches once, from the same place. What the two kinds of expressions do
//! not both have, or do not mean alike, is refused.

mod search;
pub(in crate::model) mod size;
pub(in crate::model) mod syntax;

use envoy_types::pb::envoy::r#type::matcher::v3::{RegexMatchAndSubstitute, RegexMatcher};
use regex_syntax::ast::{AssertionKind, Ast, RepetitionKind};

use super::super::decode::quoted;
use super::super::problem::Remark;
use super::super::route::Path;
use super::uri;

pub(super) use search::search;

/// A rewrite of paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rewrite {
    /// As it is written.
    written: String,
    /// The pattern for Envoy.
    pattern: String,
    /// The substitution for Envoy.
    substitution: String,
    /// A start of paths: every path that starts so matches, whatever follows.
    sure: Option<String>,
}

impl Rewrite {
    /// Reads `["pattern", "template"]`.
    pub(super) fn read(pair: &[String]) -> Result<Self, Remark> {
        let [written, template] = pair else {
            let message = format!(
                "found {} strings, allowed: one pattern and its template, as two strings",
                pair.len()
            );
            return Err(Remark::new("regex_uri", message));
        };
        let (ast, groups) =
            syntax::checked(written).map_err(|said| Remark::new("regex_uri[0]", said))?;
        let tied = starts_at_start(&ast);
        let shift = u32::from(!tied);
        let template = substitution(template, groups, shift)
            .and_then(|template| starts_a_path(template, tied))
            .map_err(|said| Remark::new("regex_uri[1]", said))?;
        let pattern = match tied {
            true => written.clone(),
            false => format!("^(.*?)(?:{written})"),
        };
        if size::of(&pattern) > size::BOUND {
            let message = format!(
                "found {}, which is too large for Envoy: allowed: fewer or shorter repetitions such as `{{1,30}}`",
                quoted(written)
            );
            return Err(Remark::new("regex_uri[0]", message));
        }
        Ok(Self {
            pattern,
            substitution: match tied {
                true => template,
                false => format!("\\1{template}"),
            },
            sure: sure_start(&ast),
            written: written.clone(),
        })
    }

    /// Puts every path in the place of another.
    pub(super) fn everything(path: &str) -> Self {
        Self {
            written: String::new(),
            pattern: "^.*$".to_owned(),
            substitution: literal(path),
            sure: Some(String::new()),
        }
    }

    /// Whether every request for a path matches.
    pub(super) fn covers(&self, path: &Path) -> bool {
        match path {
            Path::Exact(path) => {
                regex::Regex::new(&self.written).is_ok_and(|regex| regex.is_match(path))
            }
            Path::Prefix(_) | Path::Parameters(_) => self
                .sure
                .as_deref()
                .is_some_and(|sure| path.start().starts_with(sure)),
        }
    }

    /// For a route of Envoy.
    pub(super) fn to_envoy(&self) -> RegexMatchAndSubstitute {
        RegexMatchAndSubstitute {
            pattern: Some(RegexMatcher {
                regex: self.pattern.clone(),
                engine_type: None,
            }),
            substitution: self.substitution.clone(),
        }
    }
}

/// A template: `$1` and `${1}` are groups, `$$` is a dollar, the rest is escaped as nginx does it.
fn substitution(template: &str, groups: u32, shift: u32) -> Result<String, String> {
    if template.contains('?') {
        return Err(
            "found `?`, allowed: a path without a query; the client's query is kept".into(),
        );
    }
    let mut substitution = String::new();
    let mut rest = template;
    while let Some(dollar) = rest.find('$') {
        substitution.push_str(&literal(&rest[..dollar]));
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
    substitution.push_str(&literal(rest));
    Ok(substitution)
}

/// What stands in the place of a path's start must start a path.
fn starts_a_path(substitution: String, tied: bool) -> Result<String, String> {
    match tied && !substitution.starts_with(['/', '\\']) {
        false => Ok(substitution),
        true => Err(format!(
            "found {}, allowed: a template that starts with `/`",
            quoted(&substitution)
        )),
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
    let mut parts = parts.iter();
    let mut next = parts.next();
    while let Some(Ast::Literal(literal)) = next {
        start.push(literal.c);
        next = parts.next();
    }
    let mut anything = false;
    while let Some(part) = next {
        match part {
            part if matches_anything(part) => anything = true,
            Ast::Assertion(end) if anything && end.kind == AssertionKind::EndLine => {}
            _ => return None,
        }
        next = parts.next();
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
pub(super) fn fits_envoy(pattern: &str) -> bool {
    size::of(pattern) <= size::BOUND
}

#[cfg(test)]
mod tests;
