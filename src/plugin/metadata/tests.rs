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
        ("file-logger", json!({"log_format": {"host": "$host"}})),
        ("file-logger", json!({"log_format": {}, "create_time": 1})),
        ("http-logger", json!({"log_format": {"host": "$host"}})),
        ("loki-logger", json!({"log_format": {"host": "$host"}})),
        ("syslog", json!({"log_format": {"host": "$host"}})),
        ("tcp-logger", json!({"log_format": {"host": "$host"}})),
        ("udp-logger", json!({"log_format": {"host": "$host"}})),
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
            "kafka-logger",
            json!({"log_format": {}}),
            "is the metadata of a plugin that has none here, allowed: cors, file-logger, http-logger, loki-logger, syslog, tcp-logger, udp-logger; write `access_log` of the \
             gateway",
        ),
        (
            "opentelemetry",
            json!({}),
            "is the metadata of a plugin that has none here, allowed: cors, file-logger, http-logger, loki-logger, syslog, tcp-logger, udp-logger; write `tracing` of the gateway",
        ),
        (
            "key-auth",
            json!({}),
            "is the metadata of a plugin that has none here, allowed: cors, file-logger, http-logger, loki-logger, syslog, tcp-logger, udp-logger; write what it says at the plugin itself",
        ),
        (
            "nothing",
            json!({}),
            "is the metadata of a plugin that has none here, allowed: cors, file-logger, http-logger, loki-logger, syslog, tcp-logger, udp-logger; the id is a plugin's name",
        ),
    ] {
        let said = said(&format!("plugin_metadata/{id}"), document).unwrap_err();
        assert!(said.starts_with(begins), "{id}: {said}");
    }
}
