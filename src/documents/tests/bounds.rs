//! What the schemas state of sizes is what documents are held to.

use serde_json::{Map, Value, json};

use super::super::schema;
use super::*;
use crate::model::Kind;
use crate::plugin;

/// A place in a schema that may hold so much, and a document that holds one more there and nothing else.
struct Bounded {
    place: String,
    most: u64,
    over: Value,
}

/// Every list, free object and free text below `schema`; those that state no bound, by their place.
fn bounded(schema: &Value, place: &str, wrap: &dyn Fn(Value) -> Value, found: &mut Vec<Bounded>) {
    for form in schema::alternatives(schema) {
        let mut add = |bound: &str, over: &dyn Fn(u64) -> Value| {
            let most = form[bound].as_u64();
            let most = most.unwrap_or_else(|| panic!("{place} states no {bound}: {form}"));
            found.push(Bounded {
                place: place.to_owned(),
                most,
                over: wrap(over(most + 1)),
            });
        };
        let is = |kind: &str| match &form["type"] {
            Value::Array(kinds) => kinds.iter().any(|one| one == kind),
            one => one == kind,
        };
        if is("array") {
            add("maxItems", &|count| {
                (0..count).map(|_| Value::Null).collect()
            });
        }
        if is("string")
            && ["enum", "const", "pattern"]
                .iter()
                .all(|closed| form.get(*closed).is_none())
        {
            add("maxLength", &|count| {
                "a".repeat(usize::try_from(count).unwrap()).into()
            });
        }
        if is("object") && form["additionalProperties"] != json!(false) {
            add("maxProperties", &|count| {
                let fields = (0..count).map(|at| (format!("k{at}"), Value::Null));
                Value::Object(fields.collect::<Map<_, _>>())
            });
        }
        for (name, field) in form["properties"].as_object().into_iter().flatten() {
            let of = |inner: Value| wrap(json!({ name: inner }));
            bounded(field, &format!("{place}.{name}"), &of, found);
        }
        if form["items"].is_object() {
            bounded(
                &form["items"],
                &format!("{place}[0]"),
                &|inner| wrap(json!([inner])),
                found,
            );
        }
        if form["additionalProperties"].is_object() {
            let of = |inner| wrap(json!({ "x": inner }));
            bounded(
                &form["additionalProperties"],
                &format!("{place}.x"),
                &of,
                found,
            );
        }
    }
}

/// What is wrong with a document of a kind that holds `value`, beside what it must hold to be looked at.
fn wrong(kind: Kind, value: &Value) -> String {
    let path = match kind {
        Kind::Credential => "consumers/a/credentials/a".to_owned(),
        Kind::PluginMetadata if value.get("log_format").is_some() => {
            "plugin_metadata/file-logger".to_owned()
        }
        Kind::PluginMetadata => "plugin_metadata/cors".to_owned(),
        Kind::Secret => "secrets/vault/a".to_owned(),
        other => format!("{}/a", other.as_str()),
    };
    let mut whole = match kind {
        Kind::Route => json!({"uri": "/"}),
        Kind::Consumer => json!({"username": "a"}),
        _ => json!({}),
    };
    for (name, field) in value.as_object().unwrap() {
        if name == "uris" {
            whole = json!({});
        }
        whole[name] = field.clone();
    }
    complete(&mut whole);
    let mut documents = no_documents();
    documents.apply(put(&path, &whole.to_string()));
    let changes = documents.settle();
    changes
        .problems
        .first()
        .map_or_else(String::new, |problem| {
            format!("{}: {}", problem.field, problem.message)
        })
}

/// Adds what is missed before the place is looked at that is meant.
fn complete(document: &mut Value) {
    for (at, field, value) in [
        ("/plugins/api-breaker", "break_response_code", json!(502)),
        ("/plugins/fault-injection/abort", "http_status", json!(500)),
        ("/plugins/fault-injection/delay", "duration", json!(1)),
        ("/plugins/file-logger", "path", json!("/a")),
        ("/plugins/http-logger", "uri", json!("http://a/")),
        (
            "/plugins/clickhouse-logger",
            "endpoint_addr",
            json!("http://a"),
        ),
        ("/plugins/clickhouse-logger", "user", json!("a")),
        ("/plugins/clickhouse-logger", "password", json!("a")),
        ("/plugins/clickhouse-logger", "database", json!("a")),
        ("/plugins/clickhouse-logger", "logtable", json!("a")),
        (
            "/plugins/elasticsearch-logger",
            "endpoint_addr",
            json!("http://a"),
        ),
        (
            "/plugins/elasticsearch-logger",
            "field",
            json!({"index": "a"}),
        ),
        ("/plugins/elasticsearch-logger/field", "index", json!("a")),
        ("/plugins/elasticsearch-logger/auth", "username", json!("a")),
        ("/plugins/elasticsearch-logger/auth", "password", json!("a")),
        (
            "/plugins/kafka-logger",
            "brokers",
            json!([{"host": "a", "port": 1}]),
        ),
        ("/plugins/kafka-logger", "kafka_topic", json!("a")),
        ("/plugins/kafka-logger/brokers/0", "host", json!("a")),
        ("/plugins/kafka-logger/brokers/0", "port", json!(1)),
        (
            "/plugins/kafka-logger/brokers/0/sasl_config",
            "user",
            json!("a"),
        ),
        (
            "/plugins/kafka-logger/brokers/0/sasl_config",
            "password",
            json!("a"),
        ),
        (
            "/plugins/loki-logger",
            "endpoint_addrs",
            json!(["http://a"]),
        ),
        ("/plugins/syslog", "host", json!("a")),
        ("/plugins/syslog", "port", json!(1)),
        ("/plugins/tcp-logger", "host", json!("a")),
        ("/plugins/tcp-logger", "port", json!(1)),
        ("/plugins/udp-logger", "host", json!("a")),
        ("/plugins/udp-logger", "port", json!(1)),
        (
            "/plugins/workflow/rules/0",
            "actions",
            json!([["return", {"code": 403}]]),
        ),
        ("/plugins/response-rewrite/filters/0", "regex", json!("a")),
        ("/plugins/response-rewrite/filters/0", "replace", json!("b")),
    ] {
        if let Some(Value::Object(fields)) = document.pointer_mut(at) {
            fields.entry(field).or_insert(value);
        }
    }
}

#[test]
fn every_list_object_and_text_of_a_document_has_the_bound_that_its_schema_states() {
    let mut failures = Vec::new();
    for kind in Kind::ALL {
        let mut found = Vec::new();
        bounded(&schema::of(kind), kind.as_str(), &|inner| inner, &mut found);
        assert!(found.len() > 3, "{kind:?}");
        for Bounded { place, most, over } in found {
            let said = wrong(kind, &over);
            if !said.contains(&most.to_string()) || !said.contains("allowed") {
                failures.push(format!("{place}: at most {most}, but said: {said:.200}"));
            }
        }
    }
    assert!(plugin::names().count() > 20);
    assert!(
        failures.is_empty(),
        "{}:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

/// The problem of the document after it was put over a good one, which stays in force; nothing when it is accepted.
fn put_over(good: &str, path: &str, value: &Value) -> Option<String> {
    let mut documents = no_documents();
    documents.apply(put("services/many", MANY_HOSTS));
    documents.apply(put("upstreams/u", UPSTREAM));
    documents.apply(put(path, good));
    assert!(documents.settle().problems.is_empty());
    documents.apply(put(path, &value.to_string()));
    let changes = documents.settle();
    let problem = changes.problems.first();
    let said = problem.map(|problem| format!("{}: {}", problem.field, problem.message));
    if said.is_some() {
        assert_eq!(
            told(&changes),
            format!("bad /chancery/{path}"),
            "the last good form stays"
        );
    }
    said
}

const MANY_HOSTS: &str =
    r#"{"hosts":["a.example","b.example","c.example"],"upstream":{"nodes":{"a:80":1}}}"#;

fn many(count: usize, of: impl Fn(usize) -> String) -> Value {
    (0..count).map(|at| Value::String(of(at))).collect()
}

fn uris(count: usize) -> Value {
    many(count, |at| format!("/path/{at}"))
}

fn route(fields: &Value) -> Value {
    let mut route = json!({"upstream": {"nodes": {"a:80": 1}}});
    for (name, value) in fields.as_object().unwrap() {
        route[name] = value.clone();
    }
    route
}

#[test]
fn what_a_route_becomes_is_bounded_without_making_it() {
    let hosts = |count| many(count, |at| format!("h{at}.example"));
    let either = |count: usize| {
        let one = |at| json!(["arg_a", "==", format!("{at}")]);
        let parts = std::iter::once(json!("OR")).chain((0..count).map(one));
        json!([parts.collect::<Value>()])
    };
    let split = |rules: usize| {
        let upstreams: Value = (0..32)
            .map(|_| json!({"upstream_id": "u", "weight": 1}))
            .collect();
        let rule = json!({"match": [{"vars": either(32)}], "weighted_upstreams": upstreams});
        let rules: Value = (0..rules).map(|_| rule.clone()).collect();
        json!({"traffic-split": {"rules": rules}})
    };
    let ranges = |of: usize| {
        let one = |at: usize| many(256, |net| format!("10.{at}.{net}.0/24"));
        let parts = (0..of).map(|at| json!(["remote_addr", "ipmatch", one(at)]));
        json!([std::iter::once(json!("OR")).chain(parts).collect::<Value>()])
    };
    let rewrite = |of: usize| json!({"mocking": {"response_example": "a".repeat(of)}});
    for (fields, expected) in [
        (json!({"uris": uris(512), "hosts": hosts(8)}), None),
        (
            json!({"uris": uris(512), "hosts": hosts(512)}),
            Some(
                "becomes 262144 routes in Envoy (512 paths × 512 hosts × 1 by `vars` × 1 by `plugins`), allowed: at most 4096",
            ),
        ),
        (
            json!({"uris": uris(513)}),
            Some("uris: found 513 items, allowed: at most 512"),
        ),
        (json!({"uris": uris(128), "vars": either(32)}), None),
        (
            json!({"uris": uris(129), "vars": either(32)}),
            Some("becomes 4128 routes"),
        ),
        (json!({"uri": "/a", "plugins": split(3)}), None),
        (
            json!({"uri": "/a", "plugins": split(64)}),
            Some("becomes 65537 routes"),
        ),
        // One list for each set of clients.
        (json!({"uris": uris(64), "vars": ranges(2)}), None),
        (
            json!({"uris": uris(64), "vars": ranges(8)}),
            Some("becomes 131072 routes"),
        ),
        // The service's hosts count.
        (
            json!({"uris": uris(512), "vars": either(2), "service_id": "many"}),
            None,
        ),
        (
            json!({"uris": uris(512), "vars": either(3), "service_id": "many"}),
            Some("becomes 4608 routes"),
        ),
        // Bytes.
        (
            json!({"uris": uris(16), "plugins": rewrite(1_000_000)}),
            None,
        ),
        (
            json!({"uris": uris(17), "plugins": rewrite(1_000_000)}),
            Some("bytes in Envoy"),
        ),
        (
            json!({"uri": "/a", "remote_addrs": many(4096, |at| format!("10.{}.{}.0/24", at / 256, at % 256))}),
            None,
        ),
    ] {
        let shown = format!("{fields:.60}");
        let said = put_over(ROUTE, "routes/r", &route(&fields));
        match expected {
            None => assert_eq!(said, None, "{shown}"),
            Some(expected) => {
                let said = said.unwrap_or_default();
                assert!(said.contains(expected), "{shown}: {said:.300}");
            }
        }
    }
}

#[test]
fn a_text_beyond_what_a_document_may_have_is_not_read() {
    let long = json!({"uri": "/a", "upstream": {"nodes": {"a:80": 1}}, "x": "a".repeat(2 << 20)});
    let said = put_over(ROUTE, "routes/r", &long).unwrap();
    assert!(
        said.ends_with("bytes, allowed: at most 2097152"),
        "{said:.300}"
    );
}
