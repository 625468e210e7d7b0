//! The origins of `cors`.

use envoy_types::pb::envoy::r#type::matcher::v3::{
    RegexMatcher, StringMatcher, string_matcher::MatchPattern,
};

use crate::model::decode::quoted;
use crate::model::problem::Remark;
use crate::plugin::shared::pattern;

/// `*`, `**`, or origins with commas between them.
pub(super) fn listed(text: &str) -> Result<Vec<StringMatcher>, Remark> {
    if matches!(text, "*" | "**") {
        return Ok(vec![matcher(regex(".*".to_owned()))]);
    }
    let origin = |origin: &str| {
        let host = origin.split_once("://").map(|(_, host)| host);
        let fits = origin == "null" || host.is_some_and(|host| !host.is_empty());
        if fits && origin.bytes().all(|b| b.is_ascii_graphic()) {
            Ok(matcher(MatchPattern::Exact(origin.to_owned())))
        } else {
            Err(Remark::new(
                "allow_origins",
                format!(
                    "found {}, allowed: origins such as \"https://www.example.com\" with commas between them, \"*\", \"**\"",
                    quoted(origin)
                ),
            ))
        }
    };
    text.split(',').map(origin).collect()
}

/// Patterns, of which one must match somewhere in the origin.
pub(super) fn patterns(patterns: &[String]) -> Result<Vec<StringMatcher>, Remark> {
    if patterns.is_empty() {
        let message = "found an empty list, allowed: at least one pattern";
        return Err(Remark::new("allow_origins_by_regex", message));
    }
    let read = |(at, written): (usize, &String)| {
        let pattern = pattern::anywhere(written)
            .map_err(|said| Remark::new(format!("allow_origins_by_regex[{at}]"), said))?;
        Ok(matcher(regex(pattern)))
    };
    patterns.iter().enumerate().map(read).collect()
}

fn regex(regex: String) -> MatchPattern {
    MatchPattern::SafeRegex(RegexMatcher {
        regex,
        ..RegexMatcher::default()
    })
}

fn matcher(pattern: MatchPattern) -> StringMatcher {
    StringMatcher {
        match_pattern: Some(pattern),
        ..StringMatcher::default()
    }
}
