//! Strangers who are somebody.

use anyhow::ensure;
use serde_json::json;

use super::{consumer, passes, stage_with, token};
use crate::support::envoy::Protocol;
use crate::support::eventually;
use crate::support::stage::{route_to, settled};

#[tokio::test]
async fn strangers_are_somebody_and_nobody_else() {
    let strangers =
        json!({ "header": "x-b", "key_claim_name": "sub", "anonymous_consumer": "guest" });
    let stage = stage_with(
        Protocol::Delta,
        &[
            ("closed", json!({ "key-auth": {} })),
            ("jwt", json!({ "jwt-auth": strangers })),
        ],
    )
    .await;
    let (etcd, envoy) = (&stage.etcd, &stage.envoy);
    etcd.put("consumers/guest", &consumer("guest", json!({})))
        .await;
    for name in ["anne", "bert"] {
        let jwt = json!({ "key": name, "secret": format!("{name}-secret") });
        let key = json!({ "key": format!("{name}-key") });
        let credentials = json!({ "jwt-auth": jwt, "key-auth": key });
        etcd.put(&format!("consumers/{name}"), &consumer(name, credentials))
            .await;
    }
    let who = async |headers: &[(&str, &str)]| {
        let seen = passes(envoy, "/jwt", headers).await;
        let inside = seen["headers"].as_object().unwrap().keys();
        let inside: Vec<_> = inside
            .filter(|name| name.starts_with("x-chancery"))
            .collect();
        assert!(inside.is_empty(), "upstreams are shown {inside:?}");
        seen["headers"]["x-consumer-username"].clone()
    };
    let own = token("anne-secret", r#"{"key":"anne","sub":"bert","iss":"bert"}"#);
    let good = token("anne-secret", r#"{"sub":"anne"}"#);
    let forged = token("anne-secret", r#"{"sub":"bert"}"#);
    eventually(async || {
        let found = who(&[("x-b", &good)]).await;
        ensure!(found == "anne" || found == "guest", "{found}");
        ensure!(found == "anne", "not known yet");
        Ok(())
    })
    .await;
    assert_eq!(who(&[("x-b", &forged)]).await, "guest");
    assert_eq!(who(&[]).await, "guest");

    // What a global rule verified of another token is nothing to the route's.
    let rule = json!({ "plugins": { "jwt-auth": { "header": "x-a" } } });
    etcd.put("global_rules/1", &rule).await;
    envoy.answers_with("/jwt", 401).await;
    assert_eq!(who(&[("x-a", &own), ("x-b", &good)]).await, "anne");
    assert_eq!(who(&[("x-a", &own), ("x-b", &forged)]).await, "guest");
    let bare = token("no-secret", r#"{"sub":"bert"}"#);
    assert_eq!(who(&[("x-a", &own), ("x-b", &bare)]).await, "guest");
    assert_eq!(who(&[("x-a", &own)]).await, "guest");
    etcd.delete("global_rules/1").await;
    envoy.answers_with("/jwt", 200).await;

    // A rule's own strangers, and a consumer who comes and goes.
    let rule = json!({ "plugins": { "key-auth": { "anonymous_consumer": "carl" } } });
    etcd.put("global_rules/2", &rule).await;
    envoy.answers_with("/jwt", 401).await;
    etcd.put("consumers/carl", &consumer("carl", json!({})))
        .await;
    envoy.answers_with("/jwt", 200).await;
    etcd.delete("consumers/carl").await;
    envoy.answers_with("/jwt", 401).await;
    etcd.delete("global_rules/2").await;
    envoy.answers_with("/jwt", 200).await;

    // Where no route has strangers any more, none are let in.
    let instance = Box::leak(Box::new(stage.instance("other").await));
    let mut route = route_to("/jwt", &[instance]);
    route["plugins"] = json!({ "key-auth": { "anonymous_consumer": "guest" } });
    etcd.put("routes/jwt", &route).await;
    settled(etcd, &stage.chancery).await;
    let seen = passes(envoy, "/jwt", &[("apikey", "bert-key")]).await;
    assert_eq!(seen["headers"]["x-consumer-username"], "bert");
    let seen = passes(envoy, "/jwt", &[("apikey", "carl-key")]).await;
    assert_eq!(seen["headers"]["x-consumer-username"], "guest");
    route["plugins"] = json!({ "key-auth": {} });
    etcd.put("routes/jwt", &route).await;
    envoy.answers_with("/jwt", 401).await;
    passes(envoy, "/jwt", &[("apikey", "bert-key")]).await;
    passes(envoy, "/closed", &[("apikey", "anne-key")]).await;
}
