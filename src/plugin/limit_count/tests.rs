use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::extensions::filters::http::header_mutation::v3::HeaderMutationPerRoute;
use prost::Message;
use serde_json::{Value, json};

use crate::plugin::Metadata;
use crate::plugin::contract::{Plugin, Reading};
use crate::plugin::shared::limit::Limits;
use crate::plugin::tests::{applied, body, counted, limits, read, refusal, warned};

/// The headers that tell a filter what to count, each with its value.
fn headers(configuration: Value) -> Vec<(String, String)> {
    counted(
        &applied(json!({ "limit-count": configuration })),
        "limit-count",
    )
}

/// What is counted together, and what that is made of.
fn key(key: Value) -> (String, Vec<String>) {
    let mut configuration = json!({"count": 2, "time_window": 60});
    let fields = configuration.as_object_mut().unwrap();
    fields.extend(key.as_object().unwrap().clone());
    let headers = headers(configuration);
    let of = |end: &str| {
        let some = headers.iter().filter(|(name, _)| name.ends_with(end));
        some.map(|(_, value)| value.clone()).collect::<Vec<_>>()
    };
    (of("-1-key").concat(), of("-1-from"))
}

#[test]
fn a_bucket_holds_the_count_and_is_full_again_after_the_window() {
    let limit = |more: &str| {
        let plugins = format!(r#"{{"limit-count":{{"count":2,"time_window":60{more}}}}}"#);
        let read = read(serde_json::from_str(&plugins).unwrap()).unwrap();
        limits(&read)
    };
    assert_eq!(limit(""), ["chancery.limit-count.told 2 2/60000000000ns"]);
    assert_eq!(
        limit(r#","show_limit_quota_header":false"#),
        ["chancery.limit-count 2 2/60000000000ns"]
    );
    let route = applied(json!({"limit-count": {
        "count": 2, "time_window": 60, "rejected_code": 429, "rejected_msg": "slower",
    }}));
    let headers = counted(&route, "limit-count");
    let expected = ("x-chancery-limit-status".to_owned(), "429".to_owned());
    assert!(headers.contains(&expected), "{headers:?}");
    let said = body(&route, "local_rate_limited");
    assert_eq!(said, r#"{"error_msg":"slower"}"#);
    // What tells it is no upstream's.
    for (name, _) in &headers {
        assert!(route.request_headers_to_remove.contains(name), "{name}");
    }
}

#[test]
fn keys_are_made_of_variables() {
    const ADDRESS: &str = "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%";
    let of = |text: &str, from: &[&str]| {
        let from = from.iter().map(|one| (*one).to_owned()).collect();
        (text.to_owned(), from)
    };
    assert_eq!(key(json!({})), of(&format!("|{ADDRESS}"), &["all"]));
    assert_eq!(key(json!({"key": "uri"})), of("|%PATH(NQ)%", &["all"]));
    // Without the header the address is the key.
    assert_eq!(
        key(json!({"key": "http_x_user"})),
        of(
            "|%REQ(x-user)%|%REQ(x-chancery-limit-1-from)%",
            &["%REQ(x-user)%", ADDRESS]
        )
    );
    assert_eq!(
        key(json!({"key": "$http_a, $http_b", "key_type": "var_combination"})),
        of(
            "|%REQ(a)%, %REQ(b)%|%REQ(x-chancery-limit-1-from)%",
            &["%REQ(a)%%REQ(b)%", ADDRESS]
        )
    );
    assert_eq!(
        key(json!({"key": "$host$http_b", "key_type": "var_combination"})),
        of("|%REQ(:AUTHORITY)%%REQ(b)%", &["all"])
    );
    assert_eq!(
        key(json!({"key": "nothing", "key_type": "var_combination"})),
        of("|nothing|%REQ(x-chancery-limit-1-from)%", &[ADDRESS])
    );
    assert_eq!(
        key(json!({"key": "100%", "key_type": "constant"})),
        of("|100%%", &["all"])
    );
    let (consumer, from) = key(json!({"key": "consumer_name"}));
    assert!(
        consumer.starts_with("|%REQ(x-consumer-username)%|"),
        "{consumer}"
    );
    assert_eq!(from, ["%REQ(x-consumer-username)%", ADDRESS]);
    assert_eq!(key(json!({"key": "route_id"})).0, "|%ROUTE_NAME%");
}

#[test]
fn a_group_is_counted_together_wherever_it_stands() {
    let (of, _) = key(json!({"group": "50%", "key_type": "constant", "key": "a"}));
    assert_eq!(of, "group/50%%|a");
}

#[test]
fn several_rules_are_asked_one_after_the_other_where_their_keys_are_there() {
    let rule = |key: &str| json!({"count": 1, "time_window": 60, "key": key});
    let headers = headers(json!({
        "rules": [rule("$http_a"), rule("$http_b-$remote_addr")], "show_limit_quota_header": false,
    }));
    let of = |name: &str| headers.iter().filter(|(of, _)| of == name).count();
    assert_eq!(of("x-chancery-limit-1"), 1);
    assert_eq!(of("x-chancery-limit-1-from"), 1, "no address in its place");
    let second = (
        "x-chancery-limit-2-key".to_owned(),
        "|1|%REQ(b)%-%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%".to_owned(),
    );
    assert!(headers.contains(&second), "{headers:?}");
}

#[test]
fn what_envoy_does_otherwise_is_told() {
    let told = warned("limit-count", json!({"count": 1, "time_window": 1}));
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(told[0].starts_with(": each Envoy counts"), "{told:#?}");
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
            r#"{"count":1,"time_window":1,"group":""}"#,
            "group: found an empty text, allowed: at least one character",
        ),
        (
            r#"{"count":1,"time_window":1,"rules":[{"count":1,"time_window":1,"key":"$http_a"}]}"#,
            "rules: allowed: at least one, and neither `count` nor `time_window` beside them",
        ),
        (
            r#"{"rules":[{"count":1,"time_window":0,"key":"$http_a"}]}"#,
            "rules[0].time_window: found 0, allowed: 1–4294967295",
        ),
        (
            r#"{"count":1,"time_window":1,"key":"service_id"}"#,
            "key: found \"$service_id\", allowed: in the plugins of a service, as Envoy does not know a route's service",
        ),
        (
            r#"{"count":1,"time_window":1,"rejected_code":302}"#,
            "rejected_code: found 302, allowed: a registered status of 400–599, as Envoy has no others here",
        ),
        (
            r#"{"count":1,"time_window":1,"key":"nothing"}"#,
            "key: found the variable \"$nothing\", allowed: $service_id, $arg_NAME, $consumer_name, $cookie_NAME, $host, $http_NAME, $remote_addr, $remote_port, \
             $request_method, $request_uri, $route_id, $scheme, $server_addr, $server_port, $uri",
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

#[test]
fn headers_have_the_names_of_metadata() {
    let key = "routes/r".parse().unwrap();
    let mut reading = Reading {
        key: &key,
        name: "limit-count",
        upstreams: 0,
        warnings: Vec::new(),
    };
    let mut of = |own: serde_json::Value| -> Limits { super::limits(&own, &mut reading).unwrap() };
    let metadata = Metadata {
        quota: [
            Some("x-limit".to_owned()),
            None,
            Some("x-ratelimit-reset".to_owned()),
        ],
        ..Metadata::default()
    };
    let told = of(json!({"count": 1, "time_window": 60}));
    assert!(told.asks_for_metadata());
    let mut route = Route::default();
    told.with_metadata(&metadata)
        .unwrap()
        .apply(&mut route, &[]);
    let config = &route.typed_per_filter_config["chancery.limit-count.keys"];
    let config = HeaderMutationPerRoute::decode(config.value.as_slice()).unwrap();
    let steps = config.mutations.unwrap().response_mutations;
    let shown = format!("{steps:?}");
    assert_eq!(steps.len(), 2, "{shown}");
    for part in [
        "x-limit",
        "%RESP(x-ratelimit-limit)%",
        "Remove(\"x-ratelimit-limit\")",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let untold = json!({"count": 1, "time_window": 60, "show_limit_quota_header": false});
    assert!(!of(untold).asks_for_metadata());
}
