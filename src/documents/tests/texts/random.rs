//! No document, however broken, brings anything down or goes unanswered: it is good, or there is a problem.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{no_documents, settled};
use crate::model::Document;
use crate::model::document::Format;

/// Texts that use every field of every kind.
fn whole_documents() -> Vec<(&'static str, Value)> {
    let upstream = json!({
        "id": "u", "name": "u", "desc": "d", "labels": {"a": "b"}, "create_time": 1, "update_time": 2,
        "nodes": [{"host": "10.0.0.1", "port": 80, "weight": 1, "priority": 0, "metadata": {"a": [1]}}],
        "type": "chash", "hash_on": "vars", "key": "http_x_user", "scheme": "grpc", "pass_host": "rewrite",
        "upstream_host": "a:80", "retries": 2, "retry_timeout": 1.5,
        "timeout": {"connect": 6, "send": 6, "read": 0.5},
        "keepalive_pool": {"size": 320, "idle_timeout": 60, "requests": 1000},
    });
    let plugins = json!({
        "proxy-rewrite": {
            "uri": "/b", "regex_uri": ["^/testecho/(.*)", "/$1"], "host": "a",
            "headers": {"add": {"X-A": "$remote_addr"}, "set": {"X-B": 1}, "remove": ["X-C"]},
        },
        "redirect": {"regex_uri": ["^/a(.*)", "/b$1"], "ret_code": 301, "append_query_string": true},
        "mocking": {"response_status": 200, "response_example": "{}", "response_headers": {"X-A": "b"}, "_meta": {"disable": true}},
    });
    vec![
        (
            "routes/r",
            json!({
                "id": "r", "name": "r", "desc": "d", "labels": {"a": "b"}, "create_time": 1, "update_time": 2,
                "uris": ["/a*", "/a/b"], "hosts": ["a", "*.b"], "methods": ["GET"], "priority": 1, "status": 1,
                "timeout": {"connect": 6, "send": 6, "read": 6}, "enable_websocket": true,
                "plugins": plugins, "upstream": upstream, "gateways": ["default"],
            }),
        ),
        ("upstreams/u", upstream.clone()),
        (
            "services/s",
            json!({"id": "s", "hosts": ["a"], "plugins": plugins, "upstream": upstream, "enable_websocket": false}),
        ),
        (
            "gateways/g",
            json!({
                "id": "g",
                "listeners": [{
                    "name": "http", "address": "::", "port": 80, "protocol": "https", "http3": true,
                    "proxy_protocol": false, "max_connections": 10, "buffer_bytes": 32768,
                }],
                "http": {
                    "idle_timeout": 60, "max_connection_duration": 60, "max_requests_per_connection": 10,
                    "request_headers_timeout": 0.5, "request_timeout": 60, "stream_idle_timeout": 60,
                    "max_request_headers_kb": 60, "max_headers_count": 100,
                    "headers_with_underscores": "drop", "path_with_escaped_slashes": "keep", "merge_slashes": false,
                    "http2": {
                        "max_concurrent_streams": 1, "initial_stream_window_size": 65535,
                        "initial_connection_window_size": 65535,
                    },
                },
                "access_log": {
                    "path": "/log", "format": "json", "fields": {"a": "%PROTOCOL%"}, "min_status": 500, "min_duration": 1.5,
                },
                "tracing": {
                    "provider": "opentelemetry", "upstream_id": "u", "sampling": 0.5, "service_name": "a",
                },
                "real_ip": {"header": "X-Forwarded-For", "trusted_addresses": ["10.0.0.0/8"], "trusted_hops": 1},
            }),
        ),
    ]
}

/// Every place of a value, as a path.
fn places(value: &Value, at: String, into: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                places(value, format!("{at}/{name}"), into);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                places(value, format!("{at}/{index}"), into);
            }
        }
        _ => {}
    }
    into.push(at);
}

fn any_value() -> impl Strategy<Value = Value> {
    let texts = "\\PC{0,12}|[$\\\\{}()*+?:/.a-z0-9]{0,16}";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        texts.prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 8, 3, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(texts, inner, 0..3)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// Settles one document, which is good or has exactly one problem.
fn answered(path: &str, format: Format, value: Vec<u8>) {
    let changes = settled(Document {
        path: path.into(),
        source: path.into(),
        format,
        value: value.into(),
        revision: 1,
    });
    let gateways = changes.gateways.len() - 1;
    let in_force = changes.routes.len() + gateways;
    match changes.problems.as_slice() {
        [] => assert!(in_force == 1 || !path.starts_with("routes"), "lost: {path}"),
        [problem] => {
            assert_eq!(in_force, 0, "in force and a problem: {problem}");
            let said = problem.to_string();
            assert!(!said.contains('\n'), "more than one line: {said}");
            assert!(said.len() < 1000, "too long to read: {said}");
        }
        more => panic!("more than one problem: {more:?}"),
    }
}

#[test]
fn whole_documents_are_good() {
    for format in [Format::Json, Format::Yaml] {
        let mut documents = no_documents();
        let document = |(path, value): (&str, Value)| Document {
            path: path.into(),
            source: path.into(),
            format,
            value: value.to_string().into(),
            revision: 1,
        };
        // All of them, as some refer to others.
        documents.list(whole_documents().into_iter().map(document).collect());
        assert_eq!(documents.settle().problems, [], "as {format:?}");
    }
}

#[test]
fn a_text_that_nests_without_end_is_refused() {
    for format in [Format::Json, Format::Yaml] {
        for opening in ["[", "{\"a\":", "- "] {
            answered("routes/r", format, opening.repeat(20_000).into_bytes());
        }
    }
}

proptest! {
    #[test]
    fn bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..64), as_yaml: bool) {
        let format = if as_yaml { Format::Yaml } else { Format::Json };
        answered("upstreams/u", format, bytes);
    }

    #[test]
    fn texts_are_answered(text in "[-{}\\[\\]:,&*!|>'\"%@`a-c0-9 \n\t#?]{0,40}", as_yaml: bool) {
        let format = if as_yaml { Format::Yaml } else { Format::Json };
        answered("gateways/g", format, text.into_bytes());
    }

    /// A whole document with something else in one place of it.
    #[test]
    fn mutations_are_answered(
        document in prop::sample::select(whole_documents()),
        place: prop::sample::Index,
        value in any_value(),
        as_yaml: bool,
    ) {
        let (path, mut whole) = document;
        let mut all = Vec::new();
        places(&whole, String::new(), &mut all);
        if let Some(there) = whole.pointer_mut(&all[place.index(all.len())]) {
            *there = value;
        }
        let format = if as_yaml { Format::Yaml } else { Format::Json };
        answered(path, format, whole.to_string().into_bytes());
    }

    /// A whole document that was cut off, or in which a byte is another.
    #[test]
    fn damaged_texts_are_answered(
        document in prop::sample::select(whole_documents()),
        at: prop::sample::Index,
        byte: u8,
        cut: bool,
    ) {
        let (path, whole) = document;
        let mut text = whole.to_string().into_bytes();
        let place = at.index(text.len()); if cut { text.truncate(place) } else { text[place] = byte }
        answered(path, Format::Json, text);
    }
}
