use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::extensions::filters::http::lua::v3::LuaPerRoute;
use envoy_types::pb::google::protobuf::value::Kind;
use prost::Message;
use serde_json::json;

use crate::plugin::tests::{applied, refusal, warned};

/// What a filter of scripts is told, as `name=value`.
fn told(route: &Route, filter: &str) -> Vec<String> {
    let config = &route.typed_per_filter_config[filter];
    let script = LuaPerRoute::decode(config.value.as_slice()).unwrap();
    let fields = script.filter_context.unwrap().fields;
    let mut shown: Vec<_> = fields
        .into_iter()
        .map(|(name, value)| match value.kind {
            Some(Kind::StringValue(text)) => format!("{name}={text}"),
            Some(Kind::NumberValue(number)) => format!("{name}={number}"),
            other => panic!("{name}: {other:?}"),
        })
        .collect();
    shown.sort();
    shown
}

#[test]
fn the_list_says_who_counts_and_the_chain_who_turns_away() {
    let route = applied(json!({"multi-auth": {"auth_plugins": [
        {"key-auth": {}},
        {"basic-auth": {"hide_credentials": true}},
    ]}}));
    assert_eq!(
        told(&route, "chancery.basic_auth.or_else"),
        ["kind=basic", "rank=1"]
    );
    assert_eq!(
        told(&route, "chancery.key_auth.or_else"),
        [
            "challenge=Basic realm=\"basic\"",
            "hides=1",
            "kind=key",
            "rank=0"
        ]
    );
    let configs = &route.typed_per_filter_config;
    for absent in ["chancery.basic_auth", "chancery.key_auth"] {
        assert!(!configs.contains_key(absent), "{absent}");
    }
    assert!(configs.contains_key("chancery.consumer"));
    assert!(
        !route
            .request_headers_to_remove
            .contains(&"authorization".to_owned())
    );
}

#[test]
fn a_token_may_be_missing_or_wrong() {
    let route = applied(json!({"multi-auth": {"auth_plugins": [
        {"basic-auth": {}},
        {"jwt-auth": {"anonymous_consumer": "anyone"}},
    ]}}));
    assert_eq!(
        told(&route, "chancery.jwt_auth.or_else"),
        [
            "anonymous=anyone",
            "challenge=Bearer realm=\"jwt\"",
            "kind=jwt",
            "rank=1"
        ]
    );
    let find = &route.typed_per_filter_config["chancery.jwt_auth.find"];
    let find = LuaPerRoute::decode(find.value.as_slice()).unwrap();
    let strangers = &find.filter_context.unwrap().fields["strangers"];
    assert_eq!(strangers.kind, Some(Kind::BoolValue(true)));
    let said = warned(
        "multi-auth",
        json!({"auth_plugins": [{"jwt-auth": {"store_in_ctx": true}}, {"key-auth": {}}]}),
    );
    assert_eq!(
        said,
        [
            "auth_plugins[0].jwt-auth.store_in_ctx: has no effect: there is no Lua in Envoy that could read it"
        ]
    );
}

#[test]
fn what_is_refused() {
    for (configuration, said) in [
        ("{}", "`auth_plugins` is missing"),
        (
            r#"{"auth_plugins":[{"key-auth":{}}]}"#,
            "auth_plugins: found 1, allowed: at least two",
        ),
        (
            r#"{"auth_plugins":[{"key-auth":{}},{"key-auth":{"header":"x-key"}}]}"#,
            "auth_plugins[1]: found key-auth a second time, allowed: each once, as Envoy's filters are",
        ),
        (
            r#"{"auth_plugins":[{"key-auth":{}},{"hmac-auth":{}}]}"#,
            "auth_plugins[1].hmac-auth: is not served in this list, allowed: basic-auth, jwt-auth, key-auth, as no other here lets a request on to the next",
        ),
        (
            r#"{"auth_plugins":[{"key-auth":{"header":"a b"}},{"basic-auth":{}}]}"#,
            "auth_plugins[0].key-auth.header: ",
        ),
        (
            r#"{"auth_plugins":[{"key-auth":{},"basic-auth":{}},{"jwt-auth":{}}]}"#,
            "auth_plugins[0]: found an object, allowed: an object with one plugin",
        ),
    ] {
        let found = refusal("multi-auth", configuration);
        assert!(found.starts_with(said), "{configuration}: {found}");
    }
}
