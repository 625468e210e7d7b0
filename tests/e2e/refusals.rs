//! What Envoy refuses ends in a good state: it is found, rolled back or withdrawn, named; the rest goes through. Shown with
//! Envoys that are told to be stricter than Chancery expects.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::ensure;
use serde_json::{Value, json};

use crate::support::admin::Admin;
use crate::support::envoy::{Envoy, Protocol};
use crate::support::instance::Instance;
use crate::support::stage::{Stage, gateway, route_to, weights};
use crate::support::{PATIENTLY, eventually};

const REFUSED: &str = "chancery_documents_refused";
/// Regular expressions of more than 30 instructions are refused, and so are ring hashes.
const STRICT: &[&str] = &[
    "--config-yaml",
    "layered_runtime: { layers: [{ name: strict, static_layer: { re2: { max_program_size: { error_level: 30 } } } }] }",
    "--disable-extensions",
    "envoy.load_balancing_policies/envoy.load_balancing_policies.ring_hash",
];

/// The stage, and the listener of a second gateway, `strict`, that has no Envoy yet.
async fn stage() -> (Stage, SocketAddr) {
    let stage = Stage::set().await;
    let listener = SocketAddr::from((stage.address, 9081));
    stage.etcd.put("gateways/strict", &gateway(listener)).await;
    (stage, listener)
}

async fn strict(stage: &Stage, protocol: Protocol, listener: SocketAddr) -> Envoy {
    let (xds, folder) = (stage.chancery.xds(), stage.folder());
    Envoy::start_with("strict", protocol, xds, listener, folder, STRICT).await
}

/// A route of the strict gateway.
fn route(uri: &str, node: &Instance) -> Value {
    json!({ "uri": uri, "gateways": ["strict"], "upstream": { "nodes": weights(&[node]) } })
}

/// The same with a regular expression that is too much for the strict Envoy.
fn refused_route(uri: &str, node: &Instance) -> Value {
    let mut route = route(uri, node);
    route["plugins"] =
        json!({ "proxy-rewrite": { "regex_uri": ["^/[a-z]{20}/([0-9]{20})$", "/$1"] } });
    route
}

/// The same with a ring hash.
fn refused_cluster(uri: &str, node: &Instance) -> Value {
    let mut route = route(uri, node);
    route["upstream"]["type"] = json!("chash");
    route["upstream"]["key"] = json!("remote_addr");
    route
}

async fn refused(stage: &Stage, documents: f64) {
    eventually(async || {
        let now = stage.chancery.metric(REFUSED).await?;
        ensure!(now == documents, "{now} documents are refused");
        Ok(())
    })
    .await;
}

async fn a_bad_edit_is_rolled_back(protocol: Protocol, bad: fn(&str, &Instance) -> Value) {
    let (stage, listener) = stage().await;
    a_bad_edit_is_rolled_back_on(&stage, listener, protocol, bad).await;
}

/// The gateway has tables enough that a route is in few.
#[tokio::test]
async fn a_route_that_envoy_refuses_is_rolled_back_in_divided_tables() {
    for protocol in [Protocol::Delta, Protocol::Sotw] {
        let (stage, listener) = stage().await;
        let mut divided = gateway(listener);
        divided["http"] = json!({ "route_tables": { "mode": "divided" } });
        stage.etcd.put("gateways/strict", &divided).await;
        for n in 0..200 {
            let uri = format!("/some{n}/*");
            let other = json!({ "uri": uri, "gateways": ["strict"], "plugins": { "mocking": {} } });
            stage.etcd.put(&format!("routes/some{n}"), &other).await;
        }
        a_bad_edit_is_rolled_back_on(&stage, listener, protocol, refused_route).await;
    }
}

async fn a_bad_edit_is_rolled_back_on(
    stage: &Stage,
    listener: SocketAddr,
    protocol: Protocol,
    bad: fn(&str, &Instance) -> Value,
) {
    let blue = stage.instance("blue").await;
    let green = stage.instance("green").await;
    for (key, uri) in [("routes/hello", "/hello"), ("routes/other", "/other")] {
        stage.etcd.put(key, &route(uri, &blue)).await;
    }
    let mut envoy = strict(stage, protocol, listener).await;
    envoy.answers_by("/hello", "blue").await;

    stage.etcd.put("routes/hello", &bad("/hello", &green)).await;
    let line = stage.chancery.logs(0, "document refused by a proxy").await;
    assert_eq!(line.field("document"), "routes/hello");
    refused(stage, 1.0).await;
    envoy.answers_by("/hello", "blue").await;

    // The rest keeps flowing, what never was good is withdrawn, and a fresh Envoy starts on the good state.
    stage.etcd.put("routes/new", &bad("/new", &green)).await;
    refused(stage, 2.0).await;
    stage
        .etcd
        .put("routes/other", &route("/other", &green))
        .await;
    envoy.answers_by("/other", "green").await;
    envoy.answers_with("/new", 404).await;
    envoy.process.kill();
    envoy.process.start_again();
    envoy.answers_by("/hello", "blue").await;
    envoy.answers_by("/other", "green").await;

    // Correcting the documents clears it.
    stage
        .etcd
        .put("routes/hello", &route("/hello", &green))
        .await;
    stage.etcd.put("routes/new", &route("/new", &green)).await;
    envoy.answers_by("/hello", "green").await;
    envoy.answers_by("/new", "green").await;
    refused(stage, 0.0).await;
}

#[tokio::test]
async fn what_proxies_refuse_is_not_written_again_in_the_same_form() {
    let (stage, listener) = stage().await;
    let admin = Admin::new(&stage.chancery.url());
    let blue = stage.instance("blue").await;
    let good = route("/hello", &blue);
    assert_eq!(admin.put("/routes/hello", &good).await.status, 201);
    let envoy = strict(&stage, Protocol::Delta, listener).await;
    envoy.answers_by("/hello", "blue").await;
    let bad = refused_route("/hello", &blue);
    assert_eq!(admin.put("/routes/hello", &bad).await.status, 200);
    refused(&stage, 1.0).await;
    let again = eventually(async || {
        let again = admin.put("/routes/hello", &bad).await;
        ensure!(again.status == 409, "{again:?}");
        Ok(again)
    })
    .await;
    assert!(again.error().contains("in this very form"), "{again:?}");
    let forced = admin.put("/routes/hello?force=true", &bad).await;
    assert_eq!(forced.status, 200, "{forced:?}");
    let other = admin.put("/routes/hello", &good).await;
    assert_eq!(other.status, 200, "{other:?}");
    refused(&stage, 0.0).await;
}

#[tokio::test]
async fn a_route_that_envoy_refuses_is_rolled_back_over_delta() {
    a_bad_edit_is_rolled_back(Protocol::Delta, refused_route).await;
}

#[tokio::test]
async fn a_route_that_envoy_refuses_is_rolled_back_over_sotw() {
    a_bad_edit_is_rolled_back(Protocol::Sotw, refused_route).await;
}

#[tokio::test]
async fn a_cluster_that_envoy_refuses_is_rolled_back_over_delta() {
    a_bad_edit_is_rolled_back(Protocol::Delta, refused_cluster).await;
}

#[tokio::test]
async fn a_cluster_that_envoy_refuses_is_rolled_back_over_sotw() {
    a_bad_edit_is_rolled_back(Protocol::Sotw, refused_cluster).await;
}

#[tokio::test]
async fn a_first_configuration_that_envoy_refuses_leaves_out_what_is_bad() {
    let (stage, listener) = stage().await;
    let blue = stage.instance("blue").await;
    for number in 0..20 {
        let uri = format!("/good/{number}");
        stage
            .etcd
            .put(&format!("routes/good-{number}"), &route(&uri, &blue))
            .await;
    }
    stage
        .etcd
        .put("routes/bad", &refused_route("/bad", &blue))
        .await;
    stage
        .etcd
        .put("routes/worse", &refused_cluster("/worse", &blue))
        .await;
    let envoy = strict(&stage, Protocol::Delta, listener).await;
    for number in 0..20 {
        envoy.answers_by(&format!("/good/{number}"), "blue").await;
    }
    refused(&stage, 2.0).await;
    envoy.answers_with("/bad", 404).await;
    envoy.answers_with("/worse", 404).await;
}

#[tokio::test]
async fn a_listener_that_envoy_cannot_open_leaves_the_old_one() {
    let stage = Stage::set().await;
    let blue = stage.instance("blue").await;
    stage
        .etcd
        .put("routes/hello", &route_to("/hello", &[&blue]))
        .await;
    stage.envoy.answers_by("/hello", "blue").await;

    // An address for documentation, which no machine has.
    let elsewhere = SocketAddr::from(([192, 0, 2, 1], 9080));
    stage
        .etcd
        .put("gateways/default", &gateway(elsewhere))
        .await;
    let line = stage.chancery.logs(0, "document refused by a proxy").await;
    assert_eq!(line.field("document"), "gateways/default");
    assert!(line.field("error").contains("192.0.2.1"), "{line:?}");
    stage.envoy.answers_by("/hello", "blue").await;
    stage
        .etcd
        .put("routes/next", &route_to("/next", &[&blue]))
        .await;
    stage.envoy.answers_by("/next", "blue").await;
}

#[tokio::test]
async fn after_a_restart_the_accepted_form_is_found_in_the_history_of_etcd() {
    let (mut stage, listener) = stage().await;
    let blue = stage.instance("blue").await;
    let green = stage.instance("green").await;
    stage
        .etcd
        .put("routes/hello", &route("/hello", &blue))
        .await;
    stage
        .etcd
        .put("routes/other", &route("/other", &blue))
        .await;
    let mut envoy = strict(&stage, Protocol::Delta, listener).await;
    envoy.answers_by("/hello", "blue").await;
    for _ in 0..2 {
        stage
            .etcd
            .put("routes/hello", &refused_route("/hello", &green))
            .await;
    }
    refused(&stage, 1.0).await;
    stage.chancery.process.kill();
    stage.chancery.process.start_again();
    stage.chancery.ready().await;
    stage.etcd.put("routes/new", &route("/new", &green)).await;
    envoy.answers_by("/new", "green").await;
    envoy.answers_by("/hello", "blue").await;
    envoy.process.kill();
    envoy.process.start_again();
    envoy.answers_by("/hello", "blue").await;
    envoy.answers_by("/other", "blue").await;
}

/// What takes the place of a document that was never accepted is accepted at once: who waits is told of the document, and not of
/// that.
#[tokio::test]
async fn a_new_document_that_envoy_refuses_is_never_confirmed() {
    let (stage, listener) = stage().await;
    let blue = stage.instance("blue").await;
    let envoy = strict(&stage, Protocol::Delta, listener).await;
    stage.etcd.put("routes/good", &route("/good", &blue)).await;
    envoy.answers_by("/good", "blue").await;
    for turn in 0..30 {
        let mut bad = refused_cluster("/bad", &blue);
        bad["desc"] = json!(turn.to_string());
        let revision = stage.etcd.write("routes/bad", &bad).await;
        tokio::time::sleep(Duration::from_millis(turn * 17 % 120)).await;
        let wait = format!("v1/wait?timeout={PATIENTLY}&revision={revision}");
        let answer = stage.chancery.admin(&wait).await.unwrap();
        assert_ne!(answer.status, 200, "turn {turn}: {}", answer.body);
        assert!(answer.body.contains("routes/bad"), "{}", answer.body);
        stage.etcd.delete("routes/bad").await;
        refused(&stage, 0.0).await;
    }
}
