use serde_json::json;

use crate::plugin::tests::{read, refusal, warned};

#[test]
fn the_route_demands_a_breaker_of_its_cluster() {
    let written =
        json!({"api-breaker": {"break_response_code": 503, "unhealthy": {"failures": 1}}});
    let plugins = read(written).unwrap();
    let breaker = plugins.breaker().unwrap();
    assert_eq!((breaker.failures, breaker.statuses.len()), (1, 1));
}

#[test]
fn what_differs_is_told() {
    let said = warned(
        "api-breaker",
        json!({"break_response_code": 502, "healthy": {"successes": 1}}),
    );
    assert!(said[0].contains("by instance"), "{said:?}");
    assert_eq!(
        said[1..],
        ["healthy: has no effect: Envoy tries an instance again when its time is over",]
    );
}

#[test]
fn what_is_refused() {
    let table = [
        (r#"{}"#, "`break_response_code` is missing"),
        (
            r#"{"break_response_code":100}"#,
            "break_response_code: found 100, allowed: 200–599",
        ),
        (
            r#"{"break_response_code":503,"max_breaker_sec":2}"#,
            "max_breaker_sec: found 2, allowed: at least 3",
        ),
        (
            r#"{"break_response_code":503,"unhealthy":{"http_statuses":[404]}}"#,
            "unhealthy.http_statuses[0]: found 404, allowed: 500–599",
        ),
        (
            r#"{"break_response_code":503,"unhealthy":{"http_statuses":[500,500]}}"#,
            "unhealthy.http_statuses[1]: found a second time, allowed: once",
        ),
        (
            r#"{"break_response_code":503,"break_response_body":"a","break_response_headers":[{"key":"a","value":"$uri"}]}"#,
            "break_response_headers.a: found the variable `$uri`, allowed: no variables here",
        ),
    ];
    for (configuration, said) in table {
        assert_eq!(
            refusal("api-breaker", configuration),
            said,
            "of {configuration}"
        );
    }
}
