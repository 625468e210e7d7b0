use serde_json::json;

use crate::plugin::tests::{refusal, warned};

#[test]
fn what_differs_is_told() {
    let said = warned("cors", json!({}));
    assert_eq!(said.len(), 1);
    assert!(said[0].contains("preflight"), "{said:?}");
}

#[test]
fn two_stars_are_for_credentials() {
    let form = json!({"allow_credential": true, "allow_origins": "**", "allow_methods": "**", "allow_headers": "**"});
    let said = warned("cors", form);
    assert_eq!(said.len(), 1, "and it is accepted");
}

#[test]
fn what_is_refused() {
    let table = [
        (
            r#"{"allow_credential":true}"#,
            "allow_origins: is \"*\" beside `allow_credential`, allowed: names, or \"**\" for all",
        ),
        (
            r#"{"allow_credential":true,"allow_origins_by_regex":["a"],"allow_methods":"GET"}"#,
            "allow_headers: is \"*\" beside `allow_credential`, allowed: names, or \"**\" for all",
        ),
        (
            r#"{"allow_origins":"www.example.com"}"#,
            "allow_origins: found \"www.example.com\", allowed: origins such as \"https://www.example.com\" with commas between them, \"*\", \"**\"",
        ),
        (
            r#"{"allow_origins_by_regex":["(a"]}"#,
            r#"allow_origins_by_regex[0]: found "(a": unclosed group"#,
        ),
        (
            r#"{"allow_origins_by_regex":[]}"#,
            "allow_origins_by_regex: found an empty list, allowed: at least one pattern",
        ),
        (
            r#"{"timing_allow_origins":"*"}"#,
            "timing_allow_origins: this version does not have `timing_allow_origins`",
        ),
    ];
    for (configuration, said) in table {
        assert_eq!(refusal("cors", configuration), said, "of {configuration}");
    }
}
