use envoy_types::pb::envoy::config::route::v3::{Route, RouteAction};
use envoy_types::pb::envoy::extensions::filters::http::lua::v3::LuaPerRoute;
use envoy_types::pb::google::protobuf::value::Kind;
use prost::Message;
use serde_json::json;

use super::ASKS;
use crate::model::upstream::Target;
use crate::plugin::Plugins;
use crate::plugin::shared::asked::{Asked, Script};
use crate::plugin::tests::{refusal, warned};

#[test]
fn the_script_is_told_where_to_ask_and_what_for() {
    let key = "routes/r".parse().unwrap();
    let value = json!({"opa": {
        "host": "https://opa.example.com:8181/a", "policy": "example/allow?metrics", "timeout": 250, "ssl_verify": false,
        "send_headers_upstream": ["X-User"],
    }});
    let plugins = Plugins::read(&key, Some(&value), &mut Vec::new()).unwrap();
    let inline = |target: &Target| match target {
        Target::Inline(cluster) => Ok(cluster.clone()),
        Target::Reference(id) => panic!("an upstream of its own, not {id}"),
    };
    let plugins = plugins.resolved(inline).unwrap();
    let cluster = plugins.clusters().next().unwrap();
    assert!(cluster.upstream.tls.is_some() && cluster.check.is_none());
    assert_eq!(cluster.connect_timeout.as_millis(), 250);
    let routes = plugins.apply(Route::default(), |_| RouteAction::default());
    let config = &routes[0].typed_per_filter_config[ASKS].value;
    let told = LuaPerRoute::decode(config.as_slice())
        .unwrap()
        .filter_context;
    let told = told.unwrap().fields;
    let text = |name: &str| match &told[name].kind {
        Some(Kind::StringValue(text)) => text.clone(),
        other => format!("{other:?}"),
    };
    assert_eq!(text("cluster"), "route/r/opa/0");
    assert_eq!(text("host"), "opa.example.com:8181");
    assert_eq!(text("path"), "/a/v1/data/example/allow?metrics");
    assert_eq!(told["timeout"].kind, Some(Kind::NumberValue(250.0)));
    let asked: Vec<Asked> = plugins.asked().collect();
    assert!(matches!(
        asked[..],
        [Asked::Script(Script { filter: ASKS, .. })]
    ));
}

#[test]
fn what_envoy_does_otherwise_is_told() {
    assert!(warned("opa", json!({"host": "http://a", "policy": "p"})).is_empty());
    let with_port = json!({"host": "https://a:8181", "policy": "p"});
    assert!(warned("opa", with_port).is_empty());
    let pool = json!({"host": "http://a", "policy": "p", "keepalive_pool": 5});
    assert_eq!(
        warned("opa", pool),
        [
            "host.keepalive_pool.size: has no effect: Envoy bounds a pool by time and requests, not by size"
        ]
    );
}

#[test]
fn what_is_refused() {
    let table = [
        (r#"{"policy":"p"}"#, "`host` is missing"),
        (r#"{"host":"http://a"}"#, "`policy` is missing"),
        (
            r#"{"host":"opa:8181","policy":"p"}"#,
            r#"host: found "opa:8181", allowed: a URI such as http://auth.example.com:8080/check"#,
        ),
        (
            r#"{"host":"http://me:secret@a","policy":"p"}"#,
            r#"host: found "http://…@a", allowed: a URI such as http://auth.example.com:8080/check"#,
        ),
        (
            r#"{"host":"http://a?b","policy":"p"}"#,
            "host: found a query or a fragment, allowed: none",
        ),
        (
            r#"{"host":"http://a#b","policy":"p"}"#,
            "host: found a query or a fragment, allowed: none",
        ),
        (
            r#"{"host":"http://a","policy":"a b"}"#,
            r#"policy: found "a b", allowed: a path such as example/allow"#,
        ),
        (
            r#"{"host":"http://a","policy":"a#b"}"#,
            r#"policy: found "a#b", allowed: a path such as example/allow"#,
        ),
        (
            r#"{"host":"http://a","policy":""}"#,
            r#"policy: found "", allowed: a path such as example/allow"#,
        ),
        (
            r#"{"host":"http://a","policy":"p","timeout":60001}"#,
            "timeout: found 60001, allowed: 1–60000",
        ),
        (
            r#"{"host":"http://a","policy":"p","keepalive_timeout":999}"#,
            "keepalive_timeout: found 999, allowed: 1000–4294967295",
        ),
        (
            r#"{"host":"http://a","policy":"p","send_headers_upstream":[]}"#,
            "send_headers_upstream: is empty, allowed: at least one",
        ),
        (
            r#"{"host":"http://a","policy":"p","send_headers_upstream":["Host"]}"#,
            r#"send_headers_upstream[0]: found "host", which `host` of `proxy-rewrite` is for"#,
        ),
        (
            r#"{"host":"http://a","policy":"p","_meta":{"error_response":"no"}}"#,
            "_meta.error_response: is not served for this plugin: Envoy answers in words of its own",
        ),
    ];
    for (configuration, said) in table {
        assert_eq!(refusal("opa", configuration), said, "of {configuration}");
    }
}
