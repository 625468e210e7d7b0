use serde_json::json;

use crate::plugin::http_logger::tests::target;
use crate::plugin::tests::{applied, refusal, warned};

#[test]
fn a_route_says_which_loki_its_log_goes_to() {
    let route = applied(json!({"loki-logger": {"endpoint_addrs": ["http://loki:3100"]}}));
    assert_eq!(
        target(&route),
        json!({
            "to": {"loki": {
                "uris": ["http://loki:3100/loki/api/v1/push"], "tenant": "fake", "labels": {"job": "apisix"}, "millis": 3000,
                "verify": false,
            }},
            "batch": {"most": 1000, "idle": 5, "age": 60, "retries": 0, "pause": 1},
        })
    );
    let route = applied(json!({"loki-logger": {
        "endpoint_addrs": ["http://a", "https://b:1/c"], "endpoint_uri": "/push", "tenant_id": "mine", "timeout": 1,
        "headers": {"authorization": "Basic planted"}, "log_labels": {"host": "$host", "env": "prod"}, "ssl_verify": true,
        "keepalive": false, "keepalive_timeout": 1000, "keepalive_pool": 1, "log_format": {"a": "$uri"},
    }}));
    let target = target(&route);
    assert_eq!(
        target["to"],
        json!({"loki": {
            "uris": ["http://a/push", "https://b:1/c/push"], "tenant": "mine", "labels": {"host": "$host", "env": "prod"},
            "millis": 1, "verify": true,
        }})
    );
    assert!(!target.to_string().contains("planted"), "{target}");
}

#[test]
fn what_is_not_read_is_told() {
    let said = warned(
        "loki-logger",
        json!({"endpoint_addrs": ["http://a"], "headers": {"Authorization": "Basic planted"}, "keepalive_pool": 5}),
    );
    assert_eq!(
        said,
        [
            "headers.Authorization: is not read, as Envoy would have to know it: `chancery logs` is told what it shows the server \
             (--authorization)",
            "keepalive_pool: is not used: `chancery logs` keeps connections for a minute",
        ]
    );
}

#[test]
fn what_no_entry_can_carry_is_refused() {
    let long = "a".repeat(8000);
    let labels = (0..7).map(|number| (number.to_string(), json!(long)));
    let labels = serde_json::Value::Object(labels.collect());
    let more = json!({"endpoint_addrs": ["http://a"], "log_labels": labels});
    let said = refusal("loki-logger", &more.to_string());
    assert!(
        said.contains(" bytes for where entries go, allowed: at most 49024"),
        "{said}"
    );
}

#[test]
fn what_is_refused() {
    for (more, said) in [
        (
            r#""endpoint_addrs":[]"#,
            "endpoint_addrs: found an empty list, allowed: at least one",
        ),
        (
            r#""endpoint_addrs":["http://a","loki:3100"]"#,
            r#"endpoint_addrs[1]: found "loki:3100", allowed: http://HOST/PATH, https://…"#,
        ),
        (
            r#""endpoint_addrs":["http://me:planted@a"]"#,
            "endpoint_addrs[0]: found a user in it, allowed: none",
        ),
        (
            r#""endpoint_addrs":["http://a"],"endpoint_uri":"@b/push""#,
            r#"endpoint_uri: found "@b/push", allowed: a path such as /loki/api/v1/push"#,
        ),
        (
            r#""endpoint_addrs":["http://a"],"tenant_id":"a\nb""#,
            r#"tenant_id: found "a\nb", allowed: characters of ASCII"#,
        ),
        (
            r#""endpoint_addrs":["http://a"],"headers":{"X-Key":"planted"}"#,
            "headers.X-Key: found, allowed: none but `Authorization`, as Envoy would have to know what is shown to the server",
        ),
        (
            r#""endpoint_addrs":["http://a"],"log_labels":{"a":"by $host"}"#,
            r#"log_labels.a: found "by $host", allowed: a text without `$`, or `$` and the name of a variable alone"#,
        ),
        (
            r#""endpoint_addrs":["http://a"],"log_labels":{"a":""}"#,
            "log_labels.a: found an empty text, allowed: at least one character",
        ),
        (
            r#""endpoint_addrs":["http://a"],"timeout":60001"#,
            "timeout: found 60001, allowed: 1–60000",
        ),
        (
            r#""endpoint_addrs":["http://a"],"keepalive_timeout":999"#,
            "keepalive_timeout: found 999, allowed: 1000–4294967295",
        ),
    ] {
        let configuration = format!("{{{more}}}");
        assert_eq!(
            refusal("loki-logger", &configuration),
            said,
            "of {configuration}"
        );
    }
    let said = refusal(
        "loki-logger",
        r#"{"endpoint_addrs":["http://a"],"log_labels":{"a":"$request_time"}}"#,
    );
    assert!(
        said.starts_with(r#"log_labels.a: found the variable "$request_time", allowed: "#),
        "{said}"
    );
}
