//! Upstreams: which instance a request goes to, how instances are named, and (below) checks and TLS.

mod checks;
pub mod tls;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use anyhow::ensure;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::eventually;
use crate::support::instance::Instance;
use crate::support::stage::{Stage, weights};

/// A route from `uri` to an upstream.
fn route(uri: &str, upstream: &Value) -> Value {
    json!({ "uri": uri, "upstream": upstream })
}

/// Who answers a GET with these headers.
async fn answered(stage: &Stage, path: &str, headers: &[(&str, &str)]) -> String {
    let answer = stage.envoy.send(Method::GET, path, headers).await.unwrap();
    answer.instance().unwrap()
}

#[tokio::test]
async fn equal_requests_go_to_one_instance() {
    let stage = Stage::set().await;
    let [a, b, c] = [
        stage.instance("a").await,
        stage.instance("b").await,
        stage.instance("c").await,
    ];
    let table = [
        ("/header", json!({ "hash_on": "header", "key": "X-User" })),
        ("/cookie", json!({ "hash_on": "cookie", "key": "user" })),
        ("/argument", json!({ "key": "arg_user" })),
        (
            "/combination",
            json!({ "hash_on": "vars_combinations", "key": "$http_x_user-$arg_user", "hash_algorithm": "maglev" }),
        ),
    ];
    for (path, hash) in &table {
        let mut upstream = hash.clone();
        upstream["type"] = json!("chash");
        upstream["nodes"] = weights(&[&a, &b, &c]);
        let key = format!("routes/{}", &path[1..]);
        stage.etcd.put(&key, &route(path, &upstream)).await;
    }
    for (path, _) in &table {
        stage.envoy.answers_with(path, 200).await;
        let mut chosen = BTreeSet::new();
        for user in 0..12 {
            let (uri, cookie) = (format!("{path}?user={user}"), format!("user={user}"));
            let user = user.to_string();
            let headers = [("x-user", user.as_str()), ("cookie", cookie.as_str())];
            let instance = answered(&stage, &uri, &headers).await;
            for _ in 0..3 {
                assert_eq!(answered(&stage, &uri, &headers).await, instance, "{uri}");
            }
            chosen.insert(instance);
        }
        assert!(chosen.len() > 1, "{path}: all users go to {chosen:?}");
    }
}

#[tokio::test]
async fn weights_are_shares_and_a_lower_priority_is_for_failures() {
    let stage = Stage::set().await;
    let [heavy, light, none] = [
        stage.instance("heavy").await,
        stage.instance("light").await,
        stage.instance("none").await,
    ];
    let nodes = json!({ heavy.node(): 3, light.node(): 1, none.node(): 0 });
    let upstream =
        json!({ "type": "roundrobin", "nodes": nodes, "slow_start": { "window": 0.001 } });
    stage
        .etcd
        .put("routes/weights", &route("/weights", &upstream))
        .await;
    stage.envoy.answers_with("/weights", 200).await;
    let mut shares = BTreeMap::<String, usize>::new();
    for _ in 0..40 {
        *shares
            .entry(answered(&stage, "/weights", &[]).await)
            .or_default() += 1;
    }
    assert!(!shares.contains_key("none"), "{shares:?}");
    assert!((25..=35).contains(&shares["heavy"]), "{shares:?}");

    let node = |instance: &Instance, priority: i32| json!({ "host": instance.address.ip(), "port": instance.address.port(), "weight": 1, "priority": priority });
    let nodes = json!([node(&light, -5), node(&heavy, 0)]);
    let upstream = json!({ "type": "roundrobin", "nodes": nodes });
    stage
        .etcd
        .put("routes/priorities", &route("/priorities", &upstream))
        .await;
    stage.envoy.answers_with("/priorities", 200).await;
    for _ in 0..8 {
        assert_eq!(answered(&stage, "/priorities", &[]).await, "heavy");
    }
    drop(heavy);
    // No check tells Envoy: each request finds out, and is retried where there is somebody.
    eventually(async || {
        let instance = stage.envoy.try_get("/priorities").await?.instance()?;
        ensure!(instance == "light", "{instance}");
        Ok(())
    })
    .await;
    for _ in 0..8 {
        assert_eq!(answered(&stage, "/priorities", &[]).await, "light");
    }
}

#[tokio::test]
async fn envoy_resolves_nodes_that_have_names() {
    let stage = Stage::set().await;
    let instance = Instance::echo("here", Ipv4Addr::LOCALHOST).await;
    let named = format!("localhost:{}", instance.address.port());
    let other = stage.instance("there").await;
    for (path, upstream) in [
        ("/node", json!({ "nodes": { &named: 1 } })),
        (
            "/discovered",
            json!({ "service_name": named, "discovery_type": "dns", "type": "least_conn", "slow_start": { "window": 1 } }),
        ),
    ] {
        let key = format!("routes/{}", &path[1..]);
        stage.etcd.put(&key, &route(path, &upstream)).await;
        stage.envoy.answers_by(path, "here").await;
    }
    let upstream = json!({ "nodes": { named: 1, other.node(): 1 } });
    stage
        .etcd
        .put("routes/mixed", &route("/mixed", &upstream))
        .await;
    stage
        .envoy
        .answers_by_all("/mixed", &["here", "there"])
        .await;
}
