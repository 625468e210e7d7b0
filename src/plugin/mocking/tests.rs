use envoy_types::pb::envoy::config::core::v3::data_source::Specifier;
use envoy_types::pb::envoy::config::route::v3::route::Action;
use serde_json::json;

use crate::plugin::tests::{applied, refusal, shown};

#[test]
fn the_answer_is_as_written() {
    let route = applied(json!({"mocking": {
        "response_status": 201,
        "response_example": "{\"a\":1}",
        "response_headers": {"X-Rate": "100%", "X-Count": 3},
        "delay": 0,
    }}));
    let Some(Action::DirectResponse(answer)) = route.action else {
        panic!("not answered: {route:?}");
    };
    assert_eq!(answer.status, 201);
    assert_eq!(
        answer.body.and_then(|body| body.specifier),
        Some(Specifier::InlineString("{\"a\":1}".into()))
    );
    assert_eq!(route.response_headers_to_remove, ["location"]);
    let this = format!("x-mock-by= Chancery/{}", env!("CARGO_PKG_VERSION"));
    assert_eq!(
        shown(&route.response_headers_to_add),
        [
            "content-type= application/json;charset=utf8",
            "x-count= 3",
            &this,
            "x-rate= 100%%",
        ]
    );
}

#[test]
fn nothing_needs_to_be_written() {
    let route =
        applied(json!({"mocking": {"with_mock_header": false, "content_type": "text/plain"}}));
    let Some(Action::DirectResponse(answer)) = &route.action else {
        panic!("not answered: {route:?}");
    };
    assert_eq!((answer.status, &answer.body), (200, &None));
    assert_eq!(
        shown(&route.response_headers_to_add),
        ["content-type= text/plain"]
    );
}

#[test]
fn an_answer_longer_than_envoys_bound_is_refused() {
    let configuration =
        json!({"response_example": "a".repeat(super::ANSWER_BYTES as usize + 1)}).to_string();
    assert_eq!(
        refusal("mocking", &configuration),
        "response_example: found 1048577 characters, allowed: at most 1048576"
    );
}

#[test]
fn what_is_refused() {
    let table = [
        (r#"{"delay":-1}"#, "delay: found -1, allowed: 0–4294967295"),
        (
            r#"{"response_schema":{}}"#,
            "response_schema: this version does not have `response_schema`",
        ),
        (
            r#"{"response_status":100}"#,
            "response_status: found 100, allowed: 200–599",
        ),
        (
            r#"{"response_example":"$nothing"}"#,
            "response_example: found the variable \"$nothing\", allowed: $arg_NAME, $consumer_name, $cookie_NAME, $host, $http_NAME, $remote_addr, $remote_port, \
             $request_method, $request_uri, $route_id, $scheme, $server_addr, $server_port, $uri",
        ),
        (
            r#"{"response_example":{}}"#,
            "response_example: found an object, allowed: a string",
        ),
        (
            r#"{"content_type":""}"#,
            "content_type: found an empty value, allowed: at least one character",
        ),
        (
            r#"{"response_headers":{"X A":"b"}}"#,
            r#"response_headers.X A: found the name "X A", allowed: letters, digits and `-`"#,
        ),
    ];
    for (configuration, said) in table {
        assert_eq!(
            refusal("mocking", configuration),
            said,
            "of {configuration}"
        );
    }
}
