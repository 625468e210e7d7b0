//! An alternative as part of an Envoy route's match.

use envoy_types::pb::envoy::config::route::v3::{
    CookieMatcher, HeaderMatcher, QueryParameterMatcher, Route, RouteMatch,
    header_matcher::HeaderMatchSpecifier, query_parameter_matcher::QueryParameterMatchSpecifier,
    route_match::PathSpecifier,
};
use envoy_types::pb::envoy::r#type::matcher::v3::{
    FilterStateMatcher, RegexMatcher, StringMatcher, filter_state_matcher::Matcher,
    string_matcher::MatchPattern,
};
use regex::bytes::RegexBuilder;

use crate::cohort::Ability;
use crate::model::vars::predicate::{Predicate, Text};

/// The name under which a listener keeps the port that a client came to.
pub const PORT_KEY: &str = "chancery.server_port";

/// A match that asks everything of an alternative beside what it asks already; nothing where both exclude each other. The
/// addresses of clients are not among it: an Envoy route cannot ask for them.
pub fn narrowed(rule: &RouteMatch, alternative: &[Predicate]) -> Option<RouteMatch> {
    let mut rule = rule.clone();
    for predicate in alternative {
        match predicate {
            Predicate::Header {
                name,
                text,
                inverted,
                or_absent,
            } => rule.headers.push(HeaderMatcher {
                name: name.clone(),
                header_match_specifier: Some(HeaderMatchSpecifier::StringMatch(matcher(text))),
                invert_match: *inverted,
                treat_missing_header_as_empty: *or_absent,
            }),
            Predicate::HeaderPresent(name, present) => rule.headers.push(HeaderMatcher {
                name: name.clone(),
                header_match_specifier: Some(HeaderMatchSpecifier::PresentMatch(*present)),
                ..HeaderMatcher::default()
            }),
            Predicate::Argument(name, text) => rule.query_parameters.push(argument(
                name,
                QueryParameterMatchSpecifier::StringMatch(matcher(text)),
            )),
            Predicate::ArgumentPresent(name, present) => rule.query_parameters.push(argument(
                name,
                QueryParameterMatchSpecifier::PresentMatch(*present),
            )),
            Predicate::Cookie {
                name,
                text,
                inverted,
            } => rule.cookies.push(CookieMatcher {
                name: name.clone(),
                string_match: Some(matcher(text)),
                invert_match: *inverted,
            }),
            Predicate::Path(pattern) => ask_path(&mut rule, pattern)?,
            Predicate::Port(text) => rule.filter_state.push(FilterStateMatcher {
                key: PORT_KEY.to_owned(),
                matcher: Some(Matcher::StringMatch(matcher(text))),
            }),
            Predicate::Address { .. } => {}
        }
    }
    Some(rule)
}

/// The route for those of its requests whose headers match as a whole, each a pattern of RE2.
pub fn by_headers<const N: usize>(route: &Route, headers: [(&str, &str); N]) -> Route {
    let mut narrowed = route.clone();
    let rule = narrowed.r#match.get_or_insert_with(RouteMatch::default);
    rule.headers
        .extend(headers.map(|(name, pattern)| HeaderMatcher {
            name: name.to_owned(),
            header_match_specifier: Some(HeaderMatchSpecifier::StringMatch(matcher(&Text::Regex(
                pattern.to_owned(),
            )))),
            ..HeaderMatcher::default()
        }));
    narrowed
}

/// What an Envoy has to be able to do to tell requests by these alternatives, each once.
pub fn needs(alternatives: &[Vec<Predicate>]) -> Vec<Ability> {
    let mut needs = Vec::new();
    for predicate in alternatives.iter().flatten() {
        let need = match predicate {
            Predicate::Cookie { .. } => Ability::Cookies,
            // What begins with a colon comes once. Joined values are another text than one of them, so that nobody passes
            // for such a one who should not.
            Predicate::Header { name, .. } if name.starts_with(':') => continue,
            Predicate::Header {
                text: Text::Exact(text),
                inverted: false,
                ..
            } if !text.contains(',') => continue,
            Predicate::Header { .. } => Ability::RepeatedHeaders,
            _ => continue,
        };
        if !needs.contains(&need) {
            needs.push(need);
        }
    }
    needs
}

/// A route has one path. An exact one either is of the pattern or not; the start of paths is asked of the header then.
fn ask_path(rule: &mut RouteMatch, pattern: &str) -> Option<()> {
    if let Some(PathSpecifier::Path(path)) = &rule.path_specifier {
        let whole = format!("^(?:{})$", pattern.replace(r"\C", "(?s:.)"));
        let regex = RegexBuilder::new(&whole).unicode(false).build().ok()?;
        return regex.is_match(path.as_bytes()).then_some(());
    }
    set_pattern(rule, pattern.to_owned());
    Some(())
}

/// Puts a pattern in the place of the start of paths, which is asked for by the header from there on.
pub fn set_pattern(rule: &mut RouteMatch, pattern: String) {
    let pattern = PathSpecifier::SafeRegex(regex(&pattern));
    if let Some(PathSpecifier::Prefix(start)) = rule.path_specifier.replace(pattern)
        && start != "/"
    {
        rule.headers.push(HeaderMatcher {
            name: ":path".to_owned(),
            header_match_specifier: Some(HeaderMatchSpecifier::StringMatch(StringMatcher {
                match_pattern: Some(MatchPattern::Prefix(start)),
                ..StringMatcher::default()
            })),
            ..HeaderMatcher::default()
        });
    }
}

fn argument(name: &str, asked: QueryParameterMatchSpecifier) -> QueryParameterMatcher {
    QueryParameterMatcher {
        name: name.to_owned(),
        query_parameter_match_specifier: Some(asked),
    }
}

fn matcher(text: &Text) -> StringMatcher {
    StringMatcher {
        match_pattern: Some(match text {
            Text::Exact(text) => MatchPattern::Exact(text.clone()),
            Text::Regex(pattern) => MatchPattern::SafeRegex(regex(pattern)),
        }),
        ..StringMatcher::default()
    }
}

fn regex(pattern: &str) -> RegexMatcher {
    RegexMatcher {
        regex: pattern.to_owned(),
        ..RegexMatcher::default()
    }
}
