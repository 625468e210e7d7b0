use envoy_types::pb::envoy::config::core::v3::data_source::Specifier;
use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::config::route::v3::header_matcher::HeaderMatchSpecifier;
use envoy_types::pb::envoy::config::route::v3::route::Action;
use serde_json::json;

use crate::plugin::tests::{branched, forwarded, refusal, warned};

/// A blocking route: the rule, the status, the body.
fn blocked(route: &Route) -> (String, u32, Option<Specifier>) {
    let Some(Action::DirectResponse(answer)) = &route.action else {
        panic!("not answered: {route:?}");
    };
    let [uri] = route.r#match.as_ref().unwrap().headers.as_slice() else {
        panic!("not one header: {route:?}");
    };
    assert_eq!(uri.name, ":path");
    let Some(HeaderMatchSpecifier::StringMatch(rule)) = &uri.header_match_specifier else {
        panic!("not a text: {uri:?}");
    };
    let body = answer.body.as_ref().and_then(|body| body.specifier.clone());
    (crate::plugin::tests::text(rule), answer.status, body)
}

#[test]
fn each_rule_answers_before_the_route_does() {
    let routes = branched(json!({"uri-blocker": {
        "block_rules": ["root.exe", "passwd"], "rejected_msg": "not here", "rejected_code": 404,
    }}));
    let [first, second, rest] = <[Route; 3]>::try_from(routes).unwrap();
    let body = Some(Specifier::InlineString(
        r#"{"error_msg":"not here"}"#.into(),
    ));
    assert_eq!(
        blocked(&first),
        (".*(?:root.exe).*".into(), 404, body.clone())
    );
    assert_eq!(blocked(&second), ("contains passwd".into(), 404, body));
    forwarded(rest);
}

#[test]
fn nothing_but_rules_needs_to_be_written() {
    let routes = branched(json!({"uri-blocker": {
        "block_rules": ["Select", "^/a"], "case_insensitive": true,
    }}));
    assert_eq!(
        blocked(&routes[0]),
        ("contains Select in any case".into(), 403, None)
    );
    assert_eq!(blocked(&routes[1]), (".*(?i:^/a).*".into(), 403, None));
}

#[test]
fn what_normalisation_takes_away_is_told() {
    let told = warned("uri-blocker", json!({"block_rules": ["%2e%2e"]}));
    assert_eq!(
        told,
        [
            "block_rules[0]: sees paths as Envoy has normalised them: without `//` and `..`, letters and \
          digits unescaped"
        ]
    );
}

#[test]
fn what_is_refused() {
    let table = [
        (r#"{}"#, "`block_rules` is missing"),
        (
            r#"{"block_rules":[]}"#,
            "block_rules: is empty, allowed: at least one pattern",
        ),
        (
            r#"{"block_rules":["a","a"]}"#,
            "block_rules[1]: found a second time, allowed: once",
        ),
        (
            r#"{"block_rules":["a("]}"#,
            r#"block_rules[0]: found "a(": unclosed group"#,
        ),
        (
            r#"{"block_rules":["a"],"rejected_code":600}"#,
            "rejected_code: found 600, allowed: 200–599",
        ),
        (
            r#"{"block_rules":["a"],"rejected_msg":""}"#,
            "rejected_msg: found an empty text, allowed: at least one character",
        ),
    ];
    for (configuration, said) in table {
        assert_eq!(
            refusal("uri-blocker", configuration),
            said,
            "of {configuration}"
        );
    }
}
