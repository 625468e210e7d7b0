use serde_json::json;

use crate::plugin::tests::{applied, body, denied, refusal};

#[test]
fn a_denylist_denies_what_matches_somewhere_and_who_says_nothing() {
    let route =
        applied(json!({"ua-restriction": {"denylist": ["curl", "(Twitter|Baidu)spider$"]}}));
    assert_eq!(
        denied(&route, "ua-restriction"),
        json!({"ua-restriction": {"any": [
            {"not": {"present": "user-agent"}},
            {"any": [
                {"user-agent": "contains curl"},
                {"user-agent": ".*(?:(Twitter|Baidu)spider$).*"},
            ]},
        ]}})
    );
    assert_eq!(
        body(&route, "ua-restriction"),
        r#"{"message":"Not allowed"}"#
    );
}

#[test]
fn an_allowlist_denies_what_does_not_match() {
    let route = applied(json!({"ua-restriction": {
        "allowlist": ["my-bot1"], "bypass_missing": true, "message": "go away",
    }}));
    assert_eq!(
        denied(&route, "ua-restriction"),
        json!({"ua-restriction": {"all": [
            {"present": "user-agent"},
            {"not": {"any": [{"user-agent": "contains my-bot1"}]}},
        ]}})
    );
    assert_eq!(body(&route, "ua-restriction"), r#"{"message":"go away"}"#);
}

#[test]
fn what_is_refused() {
    let large = format!(r#"{{"denylist":["{}"]}}"#, "ab?".repeat(60));
    let table = [
        (
            r#"{"allowlist":["a"],"denylist":["b"]}"#,
            "needs one of `allowlist` and `denylist`, and only one",
        ),
        (
            r#"{"denylist":[]}"#,
            "denylist: is empty, allowed: at least one pattern",
        ),
        (
            r#"{"denylist":["a","(?=b)"]}"#,
            r#"denylist[1]: found "(?=b)": look-around, including look-ahead and look-behind, is not supported"#,
        ),
        (
            &large,
            "denylist[0]: found \"ab?ab?ab?ab?ab?ab?ab?ab?ab?ab?ab?ab?ab?ab?ab?ab?ab?ab?ab?ab?ab?ab?ab?ab?ab?ab?ab\"…, \
             which is too large for Envoy: allowed: fewer or shorter repetitions and choices",
        ),
    ];
    for (configuration, said) in table {
        assert_eq!(
            refusal("ua-restriction", configuration),
            said,
            "of {configuration}"
        );
    }
}
