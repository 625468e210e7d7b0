use envoy_types::pb::envoy::config::route::v3::route::Action;
use serde_json::json;

use super::{ABORT, DELAY, HEADERS};
use crate::plugin::tests::{applied, branched, refusal};

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
fn what_is_made_of_the_request_the_route_answers() {
    for abort in [
        json!({"http_status": 418, "body": "$uri"}),
        json!({"http_status": 418, "headers": {"x-path": "$uri"}}),
    ] {
        let route = applied(json!({"fault-injection": {"abort": abort, "delay": {"duration": 1}}}));
        assert!(
            matches!(route.action, Some(Action::DirectResponse(answer)) if answer.status == 418)
        );
        assert_eq!(
            route
                .typed_per_filter_config
                .into_keys()
                .collect::<Vec<_>>(),
            [DELAY]
        );
    }
}

#[test]
fn each_fault_is_for_the_requests_of_its_own_conditions() {
    let routes = branched(json!({"fault-injection": {
        "abort": {"http_status": 503, "vars": [[["arg_a", "==", "1"]]]},
        "delay": {"duration": 1, "vars": [[["arg_b", "==", "1"]], [["arg_c", "==", "1"]]]},
    }}));
    let seen = routes.into_iter().map(|route| {
        let filters = route.typed_per_filter_config;
        let parameters = route.r#match.unwrap().query_parameters;
        let asked: Vec<_> = parameters.into_iter().map(|asked| asked.name).collect();
        let (abort, delay) = (filters.contains_key(ABORT), filters.contains_key(DELAY));
        (asked.concat(), abort, delay)
    });
    let expected = [
        ("ab".to_owned(), true, true),
        ("ac".to_owned(), true, true),
        ("a".to_owned(), true, false),
        ("b".to_owned(), false, true),
        ("c".to_owned(), false, true),
        (String::new(), false, false),
    ];
    assert_eq!(seen.collect::<Vec<_>>(), expected);
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
            r#"{"abort":{"http_status":503,"body":"$remote_addr","percentage":50}}"#,
            "abort.percentage: found 50 beside variables in `body` or `headers`, allowed: 100, or texts without variables: where Envoy \
             draws lots, it knows fixed answers only",
        ),
        (
            r#"{"abort":{"http_status":503,"vars":[[["status","==",500]]]}}"#,
            "abort.vars[0][0][0]: found the variable \"status\", allowed: arg_NAME, http_NAME, cookie_NAME, request_method, uri, host, scheme, remote_addr, server_port",
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
