use serde_json::json;

use super::*;

fn said(path: &str, document: Value) -> Result<(), String> {
    let key = path.parse().unwrap();
    let read = read(&key, &document, &mut Vec::new());
    read.map(|_| ()).map_err(Remark::said)
}

#[test]
fn metadata_is_that_of_its_plugin() {
    for (id, document) in [
        (
            "cors",
            json!({"id": "cors", "allow_origins": {"a": "https://a.com,https://b.com"}}),
        ),
        ("cors", json!({})),
        (
            "clickhouse-logger",
            json!({"log_format": {"host": "$host"}}),
        ),
        (
            "elasticsearch-logger",
            json!({"log_format": {"host": "$host"}}),
        ),
        ("file-logger", json!({"log_format": {"host": "$host"}})),
        ("file-logger", json!({"log_format": {}, "create_time": 1})),
        ("http-logger", json!({"log_format": {"host": "$host"}})),
        ("kafka-logger", json!({"log_format": {"host": "$host"}})),
        ("loki-logger", json!({"log_format": {"host": "$host"}})),
        ("syslog", json!({"log_format": {"host": "$host"}})),
        ("tcp-logger", json!({"log_format": {"host": "$host"}})),
        ("udp-logger", json!({"log_format": {"host": "$host"}})),
        (
            "udp-logger",
            json!({"log_format": {"a": {"b": {"c": {"d": {"e": "$host"}}}}}, "max_pending_entries": 1}),
        ),
        ("file-logger", json!({"log_format": {"a": {"b": {}}}})),
        (
            "limit-count",
            json!({"limit_header": "X-Limit", "reset_header": "X-RateLimit-Reset"}),
        ),
    ] {
        assert_eq!(said(&format!("plugin_metadata/{id}"), document), Ok(()));
    }
    for (id, document, begins) in [
        (
            "cors",
            json!({"log_format": {"host": "$host"}}),
            "log_format: is none of the fields of `cors`, allowed: `allow_origins`",
        ),
        (
            "cors",
            json!({"allow_origins": {"a": "*"}}),
            "allow_origins.a: found \"*\", allowed: origins such as \"https://www.example.com\" with commas between them; for any origin",
        ),
        (
            "cors",
            json!({"allow_origins": {"a": "a.com"}}),
            "allow_origins.a: found \"a.com\", allowed: origins such as",
        ),
        ("cors", json!({"id": "other"}), "id: found \"other\""),
        (
            "cors",
            json!({"max_pending_entries": 1}),
            "max_pending_entries: is none of the fields of `cors`, allowed: `allow_origins`",
        ),
        (
            "http-logger",
            json!({"allow_origins": {}}),
            "allow_origins: is none of the fields of `http-logger`, allowed: `log_format`, `max_pending_entries`",
        ),
        (
            "http-logger",
            json!({"max_pending_entries": 0}),
            "max_pending_entries: found 0, allowed: 1–4294967295",
        ),
        (
            "file-logger",
            json!({"max_pending_entries": 1}),
            "max_pending_entries: is none of the fields of `file-logger`, allowed: `log_format`",
        ),
        (
            "file-logger",
            json!({"log_format": {"a": {"b": {"c": {"d": {"e": {}}}}}}}),
            "log_format: found 6 objects in each other, allowed: at most 5",
        ),
        (
            "syslog",
            json!({"log_format": {"a": {"b": {"c": {"d": {"e": {}}}}}}}),
            "log_format: found 6 objects in each other, allowed: at most 5",
        ),
        (
            "http-logger",
            json!({"log_format": {"a": {"b": "$unknown_variable"}}}),
            "log_format.a.b: ",
        ),
        (
            "http-logger",
            json!({"log_format": {"a": {"b": 1}}}),
            "log_format.a.b: ",
        ),
        (
            "limit-count",
            json!({"limit_header": "a b"}),
            "limit_header: found the name \"a b\", allowed: letters, digits and `-`",
        ),
        (
            "limit-count",
            json!({"reset_header": "X-RateLimit-Limit"}),
            "reset_header: found x-ratelimit-limit, which another of these headers is called, allowed: other names",
        ),
        (
            "limit-count",
            json!({"limit_header": "x-a", "reset_header": "X-A"}),
            "two headers have one name, allowed: a name for each",
        ),
        (
            "cors",
            json!({"reset_header": "a"}),
            "reset_header: is none of the fields of `cors`, allowed: `allow_origins`",
        ),
        (
            "file-logger",
            json!({"path": "/a"}),
            "path: `path` is not served: write `path` in each file-logger",
        ),
        (
            "file-logger",
            json!({"log_format": {"a": "$unknown_variable"}}),
            "log_format.a: ",
        ),
        (
            "rocketmq-logger",
            json!({"log_format": {}}),
            "is the metadata of a plugin that has none here, allowed: clickhouse-logger, cors, elasticsearch-logger, file-logger, http-logger, kafka-logger, limit-count, loki-logger, syslog, tcp-logger, udp-logger; write `access_log` of the \
             gateway",
        ),
        (
            "opentelemetry",
            json!({}),
            "is the metadata of a plugin that has none here, allowed: clickhouse-logger, cors, elasticsearch-logger, file-logger, http-logger, kafka-logger, limit-count, loki-logger, syslog, tcp-logger, udp-logger; write `tracing` of the gateway",
        ),
        (
            "key-auth",
            json!({}),
            "is the metadata of a plugin that has none here, allowed: clickhouse-logger, cors, elasticsearch-logger, file-logger, http-logger, kafka-logger, limit-count, loki-logger, syslog, tcp-logger, udp-logger; write what it says at the plugin itself",
        ),
        (
            "nothing",
            json!({}),
            "is the metadata of a plugin that has none here, allowed: clickhouse-logger, cors, elasticsearch-logger, file-logger, http-logger, kafka-logger, limit-count, loki-logger, syslog, tcp-logger, udp-logger; the id is a plugin's name",
        ),
    ] {
        let said = said(&format!("plugin_metadata/{id}"), document).unwrap_err();
        assert!(said.starts_with(begins), "{id}: {said}");
    }
}
