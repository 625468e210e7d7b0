use serde_json::{Value, json};

use crate::plugin::tests::{applied, body, counted, refusal, warned};

fn limit(more: &Value) -> Value {
    let mut limit = json!({
        "conn": 2, "burst": 1, "default_conn_delay": 0.1, "key": "remote_addr",
        "policy": "redis", "redis_host": "r",
    });
    let fields = limit.as_object_mut().unwrap();
    fields.extend(more.as_object().unwrap().clone());
    limit
}

#[test]
fn those_of_a_burst_are_some_more_at_a_time() {
    let told = |more: Value| {
        let route = applied(json!({ "limit-conn": limit(&more) }));
        let headers = counted(&route, "limit-req");
        let of = |name: &str| {
            let found = headers.iter().find(|(own, _)| own == name);
            found.map(|(_, value)| value.clone()).unwrap()
        };
        let said = body(&route, "local_rate_limited");
        (
            of("x-chancery-limit-1"),
            of("x-chancery-limit-status"),
            said,
        )
    };
    let said = |bucket: &str, status: &str, body: &str| {
        let bucket = format!("chancery.limit.redis{bucket}");
        (bucket, status.to_owned(), body.to_owned())
    };
    assert_eq!(told(json!({})), said(" flying 3/3600 r:6379/0", "503", ""));
    assert_eq!(
        told(json!({
            "burst": 0, "key_ttl": 60, "allow_degradation": true, "rejected_code": 429, "rejected_msg": "later",
        })),
        said(
            ".open flying 2/60 r:6379/0",
            "429",
            r#"{"error_msg":"later"}"#
        )
    );
}

#[test]
fn only_what_is_otherwise_is_told() {
    let told = |more: Value| warned("limit-conn", limit(&more));
    assert_eq!(told(json!({ "burst": 0 })), Vec::<String>::new());
    assert_eq!(
        told(json!({})),
        ["burst: requests of a burst pass at once: Envoy does not hold them back"]
    );
}

#[test]
fn what_is_refused() {
    let table = [
        (
            json!({ "policy": "local" }),
            "redis_host: found, allowed: with `policy: redis` or `redis-cluster` only",
        ),
        (json!({ "conn": 0 }), "conn: found 0, allowed: 1–4294967295"),
        (
            json!({ "default_conn_delay": 0 }),
            "default_conn_delay: found 0, allowed: seconds, 0.001–31536000",
        ),
        (
            json!({ "key_ttl": 0 }),
            "key_ttl: found 0, allowed: 1–31536000",
        ),
        (
            json!({ "key_type": "constant" }),
            "key_type: found \"constant\", allowed: var, var_combination",
        ),
    ];
    for (more, said) in table {
        let configuration = limit(&more).to_string();
        assert_eq!(refusal("limit-conn", &configuration), said, "of {more}");
    }
    let local = r#"{"conn":1,"burst":0,"default_conn_delay":0.1,"key":"remote_addr"}"#;
    assert_eq!(
        refusal("limit-conn", local),
        "policy: found \"local\", allowed: redis, redis-cluster: no filter of Envoy's counts requests under way by key, and \
         `chancery ratelimit` keeps counts in Redis"
    );
}
