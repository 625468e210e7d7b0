use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::extensions::filters::http::local_ratelimit::v3::LocalRateLimit;
use prost::Message;
use serde_json::{Value, json};

use crate::plugin::tests::{applied, body, refusal, warned};

fn limit(route: &Route) -> LocalRateLimit {
    let config = &route.typed_per_filter_config["limit-count"].value;
    LocalRateLimit::decode(config.as_slice()).unwrap()
}

/// How many descriptors have a bucket, and what the first is made of.
fn key(key: Value) -> (usize, String) {
    let mut configuration = json!({"count": 2, "time_window": 60});
    let fields = configuration.as_object_mut().unwrap();
    fields.extend(key.as_object().unwrap().clone());
    let limit = limit(&applied(json!({ "limit-count": configuration })));
    assert_eq!(limit.descriptors.len(), limit.rate_limits.len());
    let first = limit.rate_limits.first().map(|limit| {
        use envoy_types::pb::envoy::config::route::v3::rate_limit::action::ActionSpecifier;
        match limit.actions[0].action_specifier.as_ref().unwrap() {
            ActionSpecifier::RemoteAddressMatch(text) => text.descriptor_value.clone(),
            other => panic!("not a text: {other:?}"),
        }
    });
    (limit.descriptors.len(), first.unwrap_or_default())
}

#[test]
fn a_bucket_holds_the_count_and_is_full_again_after_the_window() {
    let route = applied(json!({"limit-count": {
        "count": 2, "time_window": 60, "rejected_code": 429, "rejected_msg": "slower",
    }}));
    let limit = limit(&route);
    let bucket = limit.descriptors[0].token_bucket.unwrap();
    assert_eq!(bucket.max_tokens, 2);
    assert_eq!(bucket.tokens_per_fill.unwrap().value, 2);
    assert_eq!(bucket.fill_interval.unwrap().seconds, 60);
    assert_eq!(limit.status.unwrap().code, 429);
    assert_eq!(limit.enable_x_ratelimit_headers, 1);
    assert_eq!(
        body(&route, "local_rate_limited"),
        r#"{"error_msg":"slower"}"#
    );
}

#[test]
fn keys_are_made_of_variables() {
    assert_eq!(
        key(json!({})),
        (1, "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%".into())
    );
    assert_eq!(key(json!({"key": "uri"})), (1, "%PATH(NQ)%".into()));
    // Without the header the address is the key.
    assert_eq!(
        key(json!({"key": "http_x_user"})),
        (2, "%REQ(x-user)%".into())
    );
    assert_eq!(
        key(json!({"key": "$http_a, $http_b", "key_type": "var_combination"})),
        (2, "%REQ(a)%, %REQ(b)%".into())
    );
    assert_eq!(
        key(json!({"key": "$host$http_b", "key_type": "var_combination"})),
        (1, "%REQ(:AUTHORITY)%%REQ(b)%".into())
    );
    assert_eq!(
        key(json!({"key": "nothing", "key_type": "var_combination"})),
        (1, "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%".into())
    );
    assert_eq!(
        key(json!({"key": "all", "key_type": "constant"})),
        (0, String::new())
    );
}

#[test]
fn what_envoy_does_otherwise_is_told() {
    let told = warned("limit-count", json!({"count": 1, "time_window": 1}));
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(told[0].starts_with(": counts for each"), "{told:#?}");
    assert!(told[1].starts_with("time_window: Envoy gives"), "{told:#?}");
}

#[test]
fn what_is_refused() {
    let table = [
        (r#"{"count":1}"#, "`time_window` is missing"),
        (
            r#"{"count":0,"time_window":1}"#,
            "count: found 0, allowed: 1–4294967295",
        ),
        (
            r#"{"count":1,"time_window":31536001}"#,
            "time_window: found 31536001, allowed: 1–31536000 seconds, a year",
        ),
        (
            r#"{"count":1,"time_window":1,"group":"a"}"#,
            "group: `group` is not served: Envoy keeps counts with a route, and routes cannot share them",
        ),
        (
            r#"{"count":1,"time_window":1,"policy":"redis-cluster"}"#,
            "policy: found counts in Redis, allowed: `policy: local`, as Envoy keeps its counts itself",
        ),
        (
            r#"{"count":1,"time_window":1,"redis_host":"a"}"#,
            "redis_host: found counts in Redis, allowed: `policy: local`, as Envoy keeps its counts itself",
        ),
        (
            r#"{"count":1,"time_window":1,"rejected_code":302}"#,
            "rejected_code: found 302, allowed: a registered status of 400–599, as Envoy has no others here",
        ),
        (
            r#"{"count":1,"time_window":1,"key":"consumer_name"}"#,
            "key: found the variable `$consumer_name`, allowed: variables that every request has, and $http_NAME",
        ),
    ];
    for (configuration, said) in table {
        assert_eq!(
            refusal("limit-count", configuration),
            said,
            "of {configuration}"
        );
    }
}
