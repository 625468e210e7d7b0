//! Which nodes a CSDS request asks for: by id. What else a matcher can say is refused rather than ignored.

use envoy_types::pb::envoy::r#type::matcher::v3::string_matcher::MatchPattern;
use envoy_types::pb::envoy::r#type::matcher::v3::{NodeMatcher, StringMatcher};
use regex::Regex;

/// A matcher of node ids.
#[derive(Debug)]
pub enum Matcher {
    Any,
    /// Matches by text.
    Text(Pattern, String, bool),
    /// Matches by a regular expression, as a whole.
    Regex(Regex),
}

/// How a text is compared.
#[derive(Debug, Clone, Copy)]
pub enum Pattern {
    Exact,
    Prefix,
    Suffix,
    Contains,
}

impl Matcher {
    /// Whether a node of that id is meant.
    pub fn matches(&self, id: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Regex(regex) => regex.is_match(id),
            Self::Text(pattern, text, false) => pattern.matches(id, text),
            Self::Text(pattern, text, true) => pattern.matches(&id.to_lowercase(), text),
        }
    }
}

impl Pattern {
    fn matches(self, id: &str, text: &str) -> bool {
        match self {
            Self::Exact => id == text,
            Self::Prefix => id.starts_with(text),
            Self::Suffix => id.ends_with(text),
            Self::Contains => id.contains(text),
        }
    }
}

impl TryFrom<NodeMatcher> for Matcher {
    type Error = String;

    fn try_from(matcher: NodeMatcher) -> Result<Self, String> {
        if !matcher.node_metadatas.is_empty() {
            return Err("node_matchers[].node_metadatas is not served; match by node_id".into());
        }
        matcher.node_id.map_or(Ok(Self::Any), id_matcher)
    }
}

fn id_matcher(matcher: StringMatcher) -> Result<Matcher, String> {
    let (pattern, text) = match matcher.match_pattern {
        Some(MatchPattern::Exact(text)) => (Pattern::Exact, text),
        Some(MatchPattern::Prefix(text)) => (Pattern::Prefix, text),
        Some(MatchPattern::Suffix(text)) => (Pattern::Suffix, text),
        Some(MatchPattern::Contains(text)) => (Pattern::Contains, text),
        Some(MatchPattern::SafeRegex(regex)) => {
            let whole = Regex::new(&format!("^(?:{})$", regex.regex));
            return whole
                .map(Matcher::Regex)
                .map_err(|error| format!("node_matchers[].node_id.safe_regex: {error}"));
        }
        Some(MatchPattern::Custom(_)) | None => {
            return Err(
                "node_matchers[].node_id: allowed is one of exact, prefix, suffix, contains, safe_regex".into(),
            );
        }
    };
    if matcher.ignore_case {
        Ok(Matcher::Text(pattern, text.to_lowercase(), true))
    } else {
        Ok(Matcher::Text(pattern, text, false))
    }
}

#[cfg(test)]
mod tests;
