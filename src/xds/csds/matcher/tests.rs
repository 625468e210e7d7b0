use envoy_types::pb::envoy::r#type::matcher::v3::{RegexMatcher, StructMatcher};

use super::*;

fn by(pattern: MatchPattern, ignore_case: bool) -> Matcher {
    let node_id = Some(StringMatcher {
        match_pattern: Some(pattern),
        ignore_case,
    });
    let matcher = NodeMatcher {
        node_id,
        ..NodeMatcher::default()
    };
    matcher.try_into().unwrap()
}

#[test]
fn ids_are_matched_as_asked() {
    let ids = ["edge-1", "edge-12", "inner-1", "EDGE-1"];
    let regex = |regex: &str| {
        MatchPattern::SafeRegex(RegexMatcher {
            regex: regex.into(),
            ..RegexMatcher::default()
        })
    };
    let cases = [
        (MatchPattern::Exact("edge-1".into()), false, vec!["edge-1"]),
        (
            MatchPattern::Exact("Edge-1".into()),
            true,
            vec!["edge-1", "EDGE-1"],
        ),
        (
            MatchPattern::Prefix("edge".into()),
            false,
            vec!["edge-1", "edge-12"],
        ),
        (
            MatchPattern::Suffix("-1".into()),
            false,
            vec!["edge-1", "inner-1", "EDGE-1"],
        ),
        (MatchPattern::Contains("nn".into()), false, vec!["inner-1"]),
        (regex("edge-.|inner"), false, vec!["edge-1"]),
    ];
    for (pattern, ignore_case, expected) in cases {
        let matcher = by(pattern, ignore_case);
        let matched = ids.into_iter().filter(|id| matcher.matches(id));
        assert_eq!(matched.collect::<Vec<_>>(), expected, "{matcher:?}");
    }
}

#[test]
fn what_is_not_understood_is_refused() {
    let metadata = NodeMatcher {
        node_metadatas: vec![StructMatcher::default()],
        ..NodeMatcher::default()
    };
    assert!(Matcher::try_from(metadata).is_err());
    let empty = NodeMatcher {
        node_id: Some(StringMatcher::default()),
        ..NodeMatcher::default()
    };
    assert!(Matcher::try_from(empty).is_err());
}
