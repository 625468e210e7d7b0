use serde_json::json;

use crate::plugin::tests::{refusal, warned};

#[test]
fn what_has_no_effect_is_told() {
    assert_eq!(
        warned(
            "gzip",
            json!({"vary": false, "buffers": {"number": 4}, "http_version": 1.0})
        ),
        [
            "vary: false has no effect: Envoy always adds `vary: Accept-Encoding` to what it could compress",
            "buffers: has no effect: Envoy compresses with buffers of its own",
        ]
    );
}

#[test]
fn what_is_refused() {
    let table = [
        (r#"{"comp_level":10}"#, "comp_level: found 10, allowed: 1–9"),
        (
            r#"{"types":[]}"#,
            "types: allowed: at least one media type, such as \"text/html\", or \"*\"",
        ),
        (
            r#"{"http_version":2}"#,
            "http_version: found 2, allowed: 1.0, 1.1",
        ),
    ];
    for (configuration, said) in table {
        assert_eq!(refusal("gzip", configuration), said, "of {configuration}");
    }
}
