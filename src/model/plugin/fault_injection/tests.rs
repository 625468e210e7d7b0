use serde_json::json;

use super::super::tests::{applied, refusal};
use super::{ABORT, DELAY, HEADERS};

#[test]
fn only_what_is_asked_for_is_enabled() {
    let enabled = |plugin| {
        let route = applied(json!({"fault-injection": plugin}));
        let mut names: Vec<_> = route.typed_per_filter_config.into_keys().collect();
        names.sort();
        names
    };
    assert_eq!(enabled(json!({"delay": {"duration": 0.5}})), [DELAY]);
    assert!(enabled(json!({"delay": {"duration": 0}})).is_empty());
    assert_eq!(enabled(json!({"abort": {"http_status": 503}})), [ABORT]);
    let with_headers = json!({"abort": {"http_status": 503, "headers": {"x-why": "fault"}}});
    assert_eq!(enabled(with_headers), [ABORT, HEADERS]);
}

#[test]
fn what_is_refused() {
    let table = [
        (r#"{}"#, "needs `abort`, `delay` or both"),
        (r#"{"abort":{}}"#, "abort: `http_status` is missing"),
        (
            r#"{"abort":{"http_status":100}}"#,
            "abort.http_status: found 100, allowed: 200–599",
        ),
        (
            r#"{"abort":{"http_status":503,"percentage":101}}"#,
            "abort.percentage: found 101, allowed: 0–100",
        ),
        (
            r#"{"abort":{"http_status":503,"body":"$remote_addr"}}"#,
            "abort.body: found the variable `$remote_addr`, allowed: no variables here",
        ),
        (
            r#"{"abort":{"http_status":503,"vars":[]}}"#,
            "abort.vars: this version does not have `vars`",
        ),
        (
            r#"{"delay":{"duration":-1}}"#,
            "delay.duration: found -1, allowed: seconds, 0–86400",
        ),
    ];
    for (configuration, said) in table {
        assert_eq!(
            refusal("fault-injection", configuration),
            said,
            "of {configuration}"
        );
    }
}
