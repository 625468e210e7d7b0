use regex::Regex;
use serde_json::{Value, json};

use crate::plugin::shared::pattern::fits_envoy;
use crate::plugin::tests::{applied, body, denied, refusal};

/// The patterns that stand somewhere in what is denied.
fn patterns(denied: &Value) -> Vec<String> {
    match denied {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, value)| match value.as_str() {
                Some(pattern) if name == "referer" => vec![pattern.to_owned()],
                _ => patterns(value),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(patterns).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn a_whitelist_denies_other_pages_and_no_page() {
    let route =
        applied(json!({"referer-restriction": {"whitelist": ["example.com", "*.example.org"]}}));
    let denied = denied(&route, "referer-restriction");
    let shape = &denied["referer-restriction"]["any"];
    assert!(shape[0]["not"]["referer"].is_string(), "{denied}");
    assert!(shape[1]["not"]["any"].is_array(), "{denied}");
    let [page, host, suffix] = <[String; 3]>::try_from(patterns(&denied)).unwrap();
    for (pattern, referer, matches) in [
        (&page, "https://example.com/a?b", true),
        (&page, "//example.com", true),
        (&page, "example.com", false),
        (&page, "ftp://example.com", false),
        (&page, "http://", false),
        (&host, "http://example.com", true),
        (&host, "http://example.com:8080/a", true),
        (&host, "https://example.com?a", true),
        (&host, "https://example.com.evil.net/", false),
        (&host, "https://exampleXcom/", false),
        (&host, "https://evil.net/https://example.com/", false),
        (&suffix, "https://www.example.org/", true),
        (&suffix, "https://a.b.example.org", true),
        (&suffix, "https://evil.net/.example.org", false),
    ] {
        let whole = Regex::new(&format!("^(?:{pattern})$")).unwrap();
        assert_eq!(whole.is_match(referer), matches, "{pattern} of {referer}");
    }
    assert_eq!(
        body(&route, "referer-restriction"),
        r#"{"message":"Your referer host is not allowed"}"#
    );
}

#[test]
fn a_blacklist_denies_its_pages() {
    let route = applied(json!({"referer-restriction": {
        "blacklist": ["evil.net"], "bypass_missing": true,
    }}));
    let denied = denied(&route, "referer-restriction");
    let shape = &denied["referer-restriction"]["all"];
    assert!(shape[0]["referer"].is_string(), "{denied}");
    assert!(shape[1]["any"].is_array(), "{denied}");
}

#[test]
fn the_longest_host_fits_into_envoys_bound() {
    let longest = format!("*{}", "a".repeat(51));
    let route = applied(json!({"referer-restriction": {"blacklist": [longest]}}));
    for pattern in patterns(&denied(&route, "referer-restriction")) {
        assert!(fits_envoy(&pattern), "{pattern}");
    }
}

#[test]
fn what_is_refused() {
    let table = [
        (
            r#"{"bypass_missing":true}"#,
            "needs one of `whitelist` and `blacklist`, and only one",
        ),
        (
            r#"{"whitelist":[]}"#,
            "whitelist: is empty, allowed: at least one host",
        ),
        (
            r#"{"whitelist":["a/b"]}"#,
            r#"whitelist[0]: found "a/b", allowed: up to 52 letters, digits, `-`, `.` and `_`, with `*` for a start"#,
        ),
    ];
    for (configuration, said) in table {
        assert_eq!(
            refusal("referer-restriction", configuration),
            said,
            "of {configuration}"
        );
    }
}
