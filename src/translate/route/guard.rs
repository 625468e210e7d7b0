//! Predicates of the match tree: what leads to a list of routes, or past it. They look at headers only, as Envoy refuses any
//! other input in a route table.

use envoy_types::pb::envoy::r#type::matcher::v3::HttpRequestHeaderMatchInput;
use envoy_types::pb::xds::core::v3::TypedExtensionConfig;
pub(super) use envoy_types::pb::xds::r#type::matcher::v3::matcher::matcher_list::Predicate;
use envoy_types::pb::xds::r#type::matcher::v3::matcher::matcher_list::predicate::{
    MatchType, PredicateList, SinglePredicate,
    single_predicate::Matcher::{CustomMatch, ValueMatch},
};
use envoy_types::pb::xds::r#type::matcher::v3::{
    RegexMatcher, StringMatcher, regex_matcher, string_matcher::MatchPattern,
};

use crate::documents::Route;
use crate::envoy::proto::tree_extension;
use crate::model::pattern::size;
use crate::model::vars::{self, Text};
use crate::model::{Host, Path};

/// The port behind a host, if there is one.
const PORT: &str = "(?::[0-9]*)?";
/// The query behind a path, if there is one.
const QUERY: &str = r"(?:\?\C*)?";
/// The letters of a host that a pattern has at most, as each becomes an instruction or several.
const HOST_COST: usize = 80;

pub(super) fn is_one_of(all: Vec<Predicate>) -> Option<Predicate> {
    joined(all, MatchType::OrMatcher)
}

pub(super) fn is_each_of(all: Vec<Predicate>) -> Option<Predicate> {
    joined(all, MatchType::AndMatcher)
}

/// One stands for itself: Envoy refuses a list of fewer than two.
fn joined(mut all: Vec<Predicate>, by: fn(PredicateList) -> MatchType) -> Option<Predicate> {
    if all.len() < 2 {
        return all.pop();
    }
    Some(predicate(by(PredicateList { predicate: all })))
}

pub(super) fn is_not(inner: Predicate) -> Predicate {
    predicate(MatchType::NotMatcher(Box::new(inner)))
}

fn predicate(match_type: MatchType) -> Predicate {
    Predicate {
        match_type: Some(match_type),
    }
}

/// What a header's value is compared with; one that is there several times is joined by commas.
pub(super) fn input(header: &str) -> TypedExtensionConfig {
    let input = HttpRequestHeaderMatchInput {
        header_name: header.to_owned(),
    };
    tree_extension("h", &input)
}

fn text(header: &str, pattern: MatchPattern, ignore_case: bool) -> Predicate {
    predicate(MatchType::SinglePredicate(SinglePredicate {
        input: Some(input(header)),
        matcher: Some(ValueMatch(StringMatcher {
            match_pattern: Some(pattern),
            ignore_case,
        })),
    }))
}

/// A header's value is looked at by an extension.
pub(super) fn custom(header: &str, matcher: TypedExtensionConfig) -> Predicate {
    predicate(MatchType::SinglePredicate(SinglePredicate {
        input: Some(input(header)),
        matcher: Some(CustomMatch(matcher)),
    }))
}

fn regex(regex: String) -> MatchPattern {
    MatchPattern::SafeRegex(RegexMatcher {
        regex,
        engine_type: Some(regex_matcher::EngineType::GoogleRe2(
            regex_matcher::GoogleRe2 {},
        )),
    })
}

/// What a route's methods and one alternative of its `vars` ask, beside its path and the client's address.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Conditions {
    /// All of these hold for a request that the route matches.
    pub predicates: Vec<Predicate>,
    /// Whether these are all: what is not said by a header as a whole can only be asked by the route itself.
    pub complete: bool,
}

impl Conditions {
    pub fn of(route: &Route, path: &Path, alternative: &[vars::Predicate]) -> Self {
        let mut conditions = Self {
            predicates: Vec::new(),
            complete: true,
        };
        let methods: Vec<&str> = route.methods.iter().map(String::as_str).collect();
        match methods.as_slice() {
            [] => {}
            [method] => conditions.ask(":method", MatchPattern::Exact((*method).to_owned()), false),
            several => conditions.ask(":method", regex(several.join("|")), false),
        }
        for asked in alternative {
            conditions.add(path, asked);
        }
        conditions
    }

    fn add(&mut self, path: &Path, asked: &vars::Predicate) {
        match asked {
            // These come once; those of other headers are compared one by one, and here they are joined.
            vars::Predicate::Header {
                name,
                text,
                inverted,
                ..
            } if name.starts_with(':') => {
                let pattern = match text {
                    Text::Exact(text) => MatchPattern::Exact(text.clone()),
                    Text::Regex(pattern) => regex(pattern.clone()),
                };
                self.ask(name, pattern, *inverted);
            }
            vars::Predicate::HeaderPresent(name, present) => {
                self.ask(name, regex(r"\C*".to_owned()), !present);
            }
            // Known where the route is made, and beside the conditions.
            vars::Predicate::Path(_) if matches!(path, Path::Exact(_)) => {}
            vars::Predicate::Address { .. } => {}
            vars::Predicate::Header { .. }
            | vars::Predicate::Argument(..)
            | vars::Predicate::ArgumentPresent(..)
            | vars::Predicate::Cookie { .. }
            | vars::Predicate::Path(_)
            | vars::Predicate::Port(_) => self.complete = false,
        }
    }

    fn ask(&mut self, header: &str, pattern: MatchPattern, inverted: bool) {
        let asked = text(header, pattern, false);
        self.predicates
            .push(if inverted { is_not(asked) } else { asked });
    }
}

/// The request's path begins like this.
pub(super) fn path_begins(start: &str) -> Predicate {
    text(":path", MatchPattern::Prefix(start.to_owned()), false)
}

/// The request's path is exactly this one.
pub(super) fn path_is(path: &str) -> Predicate {
    let pattern = format!("^{}{QUERY}", regex_syntax::escape(path));
    text(":path", regex(pattern), false)
}

/// The request's path is of one of these.
pub(super) fn path_of(paths: &[&Path]) -> Option<Predicate> {
    match paths {
        [] => None,
        [Path::Exact(path)] => Some(path_is(path)),
        [Path::Prefix(start)] => Some(path_begins(start)),
        [Path::Parameters(parameters)] => Some(text(":path", regex(parameters.pattern()), false)),
        several => Some(text(":path", regex(union(several)), false)),
    }
}

/// Whether one pattern takes all of these.
pub(super) fn fits(paths: &[&Path]) -> bool {
    let has_parameters = |path: &&Path| matches!(path, Path::Parameters(_));
    // A pattern is asked only where it may fit: each letter is an instruction.
    let (start, letters) = (
        common(paths).len(),
        paths.iter().map(|path| path.start().len()),
    );
    let rest: usize = letters.map(|length| length - start + 1).sum();
    !paths.iter().any(has_parameters)
        && rest as u64 <= size::BOUND
        && size::of(&union(paths).replace(r"\C", ".")) <= size::BOUND
}

/// A pattern of exact paths and starts of paths. What they have in common costs nothing behind the `^`.
fn union(paths: &[&Path]) -> String {
    let start = common(paths);
    let (mut exact, mut prefix) = (Vec::new(), Vec::new());
    for path in paths {
        let rest = regex_syntax::escape(&path.start()[start.len()..]);
        match path {
            Path::Exact(_) => exact.push(rest),
            Path::Prefix(_) | Path::Parameters(_) => prefix.push(rest),
        }
    }
    let mut parts = Vec::new();
    if !exact.is_empty() {
        parts.push(format!("(?:{}){QUERY}", exact.join("|")));
    }
    if !prefix.is_empty() {
        parts.push(format!(r"(?:{})\C*", prefix.join("|")));
    }
    format!("^{}(?:{})", regex_syntax::escape(start), parts.join("|"))
}

/// What all of them begin with.
fn common<'a>(paths: &[&'a Path]) -> &'a str {
    let mut all = paths.iter().map(|path| &**path.start());
    let Some(first) = all.next() else { return "" };
    all.fold(first, |common, path| {
        &common[..super::tier::common(common, path)]
    })
}

/// The request is for this host, in capitals or not, at any port.
pub(super) fn host_is(host: &Host) -> Option<Predicate> {
    let name = match host {
        Host::Exact(name) | Host::Suffix(name) => name,
    };
    if cost(name) <= HOST_COST {
        let before = if matches!(host, Host::Exact(_)) {
            ""
        } else {
            r"\C+"
        };
        let pattern = format!("(?i){before}{}{PORT}", regex_syntax::escape(name));
        return Some(text(":authority", regex(pattern), false));
    }
    let authority = |pattern| text(":authority", pattern, true);
    let one_port = text(":authority", regex("[^:]*:[0-9]*".to_owned()), false);
    let (whole, with_port) = (name.to_string(), format!("{name}:"));
    let (without, with) = match host {
        Host::Exact(_) => (
            vec![authority(MatchPattern::Exact(whole))],
            vec![one_port, authority(MatchPattern::Prefix(with_port))],
        ),
        Host::Suffix(_) => (
            vec![
                authority(MatchPattern::Suffix(whole.clone())),
                is_not(authority(MatchPattern::Exact(whole))),
            ],
            vec![
                one_port,
                authority(MatchPattern::Contains(with_port.clone())),
                is_not(authority(MatchPattern::Prefix(with_port))),
            ],
        ),
    };
    let both = [is_each_of(without), is_each_of(with)];
    is_one_of(both.into_iter().flatten().collect())
}

/// The request's host begins like this.
pub(super) fn host_begins(start: &str) -> Predicate {
    text(":authority", MatchPattern::Prefix(start.to_owned()), true)
}

/// The request's host ends like this; nothing where that is too long for a pattern.
pub(super) fn host_ends(end: &str) -> Option<Predicate> {
    let pattern = || format!(r"(?i)\C*{}{PORT}", regex_syntax::escape(end));
    (cost(end) <= HOST_COST).then(|| text(":authority", regex(pattern()), false))
}

/// How large a host becomes as a pattern without regard to case: two letters have relatives outside ASCII, which no host that
/// Envoy lets in has.
fn cost(host: &str) -> usize {
    let letter = |b: u8| if matches!(b, b'k' | b's') { 8 } else { 1 };
    host.bytes().map(letter).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Path {
        text.to_owned().try_into().unwrap()
    }

    #[test]
    fn a_pattern_of_several_paths_is_no_larger_than_envoy_takes() {
        let letters = "abcdefghijklmnopqrstuvwxyz0123456789";
        let long: Vec<Path> = (0..40)
            .map(|n| path(&format!("/common/start/{}{n}", &letters[..n % 36])))
            .collect();
        let mut taken: Vec<&Path> = Vec::new();
        for one in &long {
            taken.push(one);
            if !fits(&taken) {
                taken.pop();
            }
        }
        assert!(taken.len() > 3, "{taken:?}");
        assert!(size::of(&union(&taken).replace(r"\C", ".")) <= size::BOUND);
    }

    #[test]
    fn parameters_stand_alone() {
        assert!(!fits(&[&path("/a"), &path("/a/:id")]));
    }
}
