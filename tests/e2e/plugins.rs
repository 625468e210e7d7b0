//! Plugins and matching as a client sees them.

mod answers;
mod counts;
mod forward_auth;
mod forward_auth_body;
mod global_rules;
mod http_logger;
mod kafka_logger;
mod limits;
mod log_stores;
mod loggers;
mod loggers_of_consumers;
mod observability;
mod opa;
mod opa_documents;
mod redis;
mod request_ids;
mod requests;
mod restrictions;
mod transcoding;
mod validation;
mod validation_defaults;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::instance::Instance;
use crate::support::stage::{Stage, route_to};

/// A route from `uri` to an instance, with plugins.
fn with_plugins(uri: &str, node: &Instance, plugins: Value) -> Value {
    let mut route = route_to(uri, &[node]);
    route["plugins"] = plugins;
    route
}

#[tokio::test]
async fn plugins_rewrite_redirect_and_answer() {
    let stage = Stage::set().await;
    let (etcd, envoy) = (&stage.etcd, &stage.envoy);
    let blue = stage.instance("blue").await;

    let mut rewrite = route_to("/old/*", &[&blue]);
    rewrite["plugins"] = json!({ "proxy-rewrite": {
        "regex_uri": ["^/old/(.*)$", "/new/$1"],
        "host": "inside.example.com",
        "headers": { "set": { "x-from": "gateway" }, "remove": ["x-secret"] },
    } });
    etcd.put("routes/rewrite", &rewrite).await;
    envoy.answers_by("/old/page", "blue").await;
    let headers = [("x-secret", "1"), ("x-from", "client")];
    let answer = envoy.send(Method::GET, "/old/page?a=b", &headers).await;
    let seen = answer.unwrap().seen().unwrap();
    assert_eq!(seen["path"], "/new/page?a=b");
    assert_eq!(seen["headers"]["host"], "inside.example.com");
    assert_eq!(seen["headers"]["x-from"], "gateway");
    assert!(seen["headers"].get("x-secret").is_none(), "{seen}");

    let redirect = json!({ "uri": "/moved", "plugins": {
        "redirect": { "uri": "/here", "ret_code": 301 },
    } });
    etcd.put("routes/redirect", &redirect).await;
    let answer = envoy.answers_with("/moved", 301).await;
    let location = answer.headers["location"].to_str().unwrap();
    assert!(location.ends_with("/here"), "{location}");

    let mocking = json!({ "uri": "/mock", "plugins": { "mocking": {
        "response_status": 418, "response_example": "{\"tea\":true}",
        "content_type": "application/json",
    } } });
    etcd.put("routes/mocking", &mocking).await;
    let answer = envoy.answers_with("/mock", 418).await;
    assert_eq!(answer.body, "{\"tea\":true}");
}

#[tokio::test]
async fn the_most_specific_route_answers() {
    let stage = Stage::set().await;
    let (etcd, envoy) = (&stage.etcd, &stage.envoy);
    let [any, exact, host, post] = [
        stage.instance("any").await,
        stage.instance("exact").await,
        stage.instance("host").await,
        stage.instance("post").await,
    ];
    let mut of_host = route_to("/shop/*", &[&host]);
    of_host["host"] = json!("shop.example.com");
    let mut of_post = route_to("/shop/*", &[&post]);
    of_post["methods"] = json!(["POST"]);
    of_post["priority"] = json!(10);
    etcd.put("routes/any", &route_to("/shop/*", &[&any])).await;
    etcd.put("routes/exact", &route_to("/shop/cart", &[&exact]))
        .await;
    etcd.put("routes/host", &of_host).await;
    etcd.put("routes/post", &of_post).await;
    envoy.answers_by("/shop/cart", "exact").await;
    envoy.answers_by("/shop/door", "any").await;

    for (method, path, of, instance) in [
        (Method::GET, "/shop/door", "elsewhere.example.com", "any"),
        (Method::GET, "/shop/cart", "elsewhere.example.com", "exact"),
        (Method::POST, "/shop/door", "elsewhere.example.com", "post"),
        (Method::GET, "/shop/door", "shop.example.com", "host"),
        (Method::GET, "/shop/cart", "SHOP.example.com:9080", "host"),
    ] {
        crate::support::eventually(async || {
            let answer = envoy.send(method.clone(), path, &[("host", of)]).await?;
            let answered = answer.instance()?;
            anyhow::ensure!(answered == instance, "{method} {path} at {of}: {answered}");
            Ok(())
        })
        .await;
    }
}
