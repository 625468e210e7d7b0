use envoy_types::pb::envoy::config::core::v3::data_source::Specifier;
use envoy_types::pb::envoy::config::route::v3::route::Action;
use serde_json::{Value, json};

use crate::plugin::tests::{applied, refusal, shown, warned};

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
            r#"{"response_schema":{"properties":{"a":{"type":"date"}}}}"#,
            "response_schema.properties.a.type: found \"date\", allowed: string, number, integer, boolean, array, object",
        ),
        (
            r#"{"response_schema":{"properties":{"a":{"type":"array","items":1}}}}"#,
            "response_schema.properties.a.items: found 1, allowed: an object",
        ),
        (
            r#"{"response_schema":{},"content_type":"text/xml"}"#,
            "content_type: found \"text/xml\" beside `response_schema`, allowed: application/json, text/plain; write other answers as `response_example`",
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

/// The body of the answer.
fn body(configuration: Value) -> String {
    let route = applied(json!({ "mocking": configuration }));
    let Some(Action::DirectResponse(answer)) = route.action else {
        panic!("not answered: {route:?}");
    };
    match answer.body.and_then(|body| body.specifier) {
        Some(Specifier::InlineString(text)) => text,
        other => panic!("another body: {other:?}"),
    }
}

#[test]
fn an_answer_by_a_schema_has_its_examples_and_else_something_that_fits() {
    let schema = json!({"type": "object", "properties": {
        "text": {"type": "string", "example": "abcd"},
        "some": {"type": "String", "example": 5},
        "number": {"type": "number", "example": 123.12},
        "whole": {"type": "integer", "example": 155.55},
        "big": {"type": "integer", "example": 1e300},
        "yes": {"type": "boolean", "example": false},
        "list": {"type": "array", "items": {"type": "integer"}},
        "none": {"type": "array"},
        "inner": {"type": "object", "properties": {"a": {"type": "boolean"}}},
        "empty": {"type": "object"},
    }});
    let made: Value = serde_json::from_str(&body(json!({"response_schema": schema}))).unwrap();
    let expected = json!({
        "text": "abcd", "some": "text", "number": 123.12, "whole": 155, "big": 1e300, "yes": false,
        "list": [1], "inner": {"a": true}, "empty": {},
    });
    assert_eq!(made, expected);
    let both = json!({"response_schema": schema, "response_example": "written"});
    assert_eq!(body(both.clone()), "written");
    assert!(warned("mocking", both).is_empty());
    assert_eq!(
        warned("mocking", json!({"response_schema": {}})),
        [
            "response_schema: makes the same answer each time: what has no `example` is not drawn by lot"
        ]
    );
}
