use serde_json::json;

use crate::plugin::http_logger::tests::target;
use crate::plugin::tests::{applied, refusal};

#[test]
fn a_route_says_which_server_its_log_goes_to() {
    let route = applied(json!({"tcp-logger": {"host": "collector", "port": 5044}}));
    assert_eq!(
        target(&route),
        json!({
            "to": {"tcp": {"host": "collector", "port": 5044, "millis": 1000}},
            "batch": {"most": 1000, "idle": 5, "age": 60, "retries": 0, "pause": 1},
        })
    );
    let route = applied(json!({"tcp-logger": {
        "host": "[::1]", "port": 1, "timeout": 2, "tls": true, "tls_options": "a.com", "batch_max_size": 3,
        "inactive_timeout": 4, "buffer_duration": 5, "max_retry_count": 6, "retry_delay": 7, "name": "mine",
        "log_format": {"host": "$host"}, "include_req_body": false, "include_resp_body": false,
    }}));
    assert_eq!(
        target(&route),
        json!({
            "to": {"tcp": {"host": "::1", "port": 1, "millis": 2, "tls": {"name": "a.com"}}},
            "batch": {"most": 3, "idle": 4, "age": 5, "retries": 6, "pause": 7},
            "format": {"host": "$host"},
        })
    );
    let nameless = applied(json!({"tcp-logger": {"host": "a", "port": 1, "tls": true}}));
    assert_eq!(target(&nameless)["to"]["tcp"]["tls"], json!({}));
}

#[test]
fn what_is_refused() {
    for (configuration, said) in [
        (r#"{"port":1}"#, "`host` is missing"),
        (r#"{"host":"a"}"#, "`port` is missing"),
        (
            r#"{"host":"a","port":0}"#,
            "port: found 0, allowed: 1–65535",
        ),
        (
            r#"{"host":"unix:/var/run/a","port":1}"#,
            r#"host: found "unix:/var/run/a", allowed: a name or an address, without a port"#,
        ),
        (
            r#"{"host":"a:80","port":1}"#,
            r#"host: found "a:80", allowed: a name or an address, without a port"#,
        ),
        (
            r#"{"host":"","port":1}"#,
            r#"host: found "", allowed: a name or an address, without a port"#,
        ),
        (
            r#"{"host":"a","port":1,"tls_options":"a b"}"#,
            r#"tls_options: found "a b", allowed: a name or an address, without a port"#,
        ),
        (
            r#"{"host":"a","port":1,"timeout":0}"#,
            "timeout: found 0, allowed: 1–3600000",
        ),
        (
            r#"{"host":"a","port":1,"include_req_body":true}"#,
            "include_req_body: found true, allowed: false, as Envoy tells no bodies to its logs",
        ),
        (
            r#"{"host":"a","port":1,"max_req_body_bytes":1}"#,
            "max_req_body_bytes: `max_req_body_bytes` is not served: Envoy tells no bodies to its logs",
        ),
    ] {
        assert_eq!(
            refusal("tcp-logger", configuration),
            said,
            "of {configuration}"
        );
    }
}
