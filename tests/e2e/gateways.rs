//! Gateways: an Envoy gets the listeners and routes of the gateway that its `node.cluster` names, and no others.

use std::net::SocketAddr;

use anyhow::ensure;
use serde_json::json;

use crate::support::envoy::{Envoy, Protocol};
use crate::support::eventually;
use crate::support::stage::{Stage, gateway, route_to};

#[tokio::test]
async fn each_gateway_has_its_own_routes() {
    let stage = Stage::set().await;
    let listener = SocketAddr::from((stage.address, 9081));
    stage.etcd.put("gateways/inner", &gateway(listener)).await;
    let xds = stage.chancery.xds();
    let inner = Envoy::start("inner", Protocol::Delta, xds, listener, stage.folder()).await;

    let blue = stage.instance("blue").await;
    for (uri, gateways) in [
        ("/outside", None),
        ("/inside", Some(json!(["inner"]))),
        ("/both", Some(json!(["inner", "default"]))),
    ] {
        let mut route = route_to(uri, &[&blue]);
        if let Some(gateways) = gateways {
            route["gateways"] = gateways;
        }
        let key = format!("routes{uri}");
        stage.etcd.put(&key, &route).await;
    }
    stage.envoy.answers_by("/outside", "blue").await;
    stage.envoy.answers_by("/both", "blue").await;
    inner.answers_by("/inside", "blue").await;
    inner.answers_by("/both", "blue").await;
    stage.envoy.answers_with("/inside", 404).await;
    inner.answers_with("/outside", 404).await;

    // A route moves to the other gateway.
    let mut moved = route_to("/inside", &[&blue]);
    moved["gateways"] = json!(["default"]);
    stage.etcd.put("routes/inside", &moved).await;
    stage.envoy.answers_by("/inside", "blue").await;
    inner.answers_with("/inside", 404).await;
}

#[tokio::test]
async fn an_envoy_of_a_gateway_that_does_not_exist_yet_waits() {
    let stage = Stage::set().await;
    let listener = SocketAddr::from((stage.address, 9081));
    let xds = stage.chancery.xds();
    let later = Envoy::start("later", Protocol::Delta, xds, listener, stage.folder()).await;
    let blue = stage.instance("blue").await;
    let mut route = route_to("/both", &[&blue]);
    route["gateways"] = json!(["default", "later"]);
    stage.etcd.put("routes/both", &route).await;
    stage.envoy.answers_by("/both", "blue").await;
    assert!(later.try_get("/both").await.is_err(), "nothing is open");
    assert_eq!(later.configured().await.listeners, 0);

    stage.etcd.put("gateways/later", &gateway(listener)).await;
    later.answers_by("/both", "blue").await;
}

#[tokio::test]
async fn a_gateways_document_is_about_listeners_and_a_route_is_not() {
    let stage = Stage::set().await;
    let blue = stage.instance("blue").await;
    stage.etcd.put("routes/a", &route_to("/a", &[&blue])).await;
    stage.envoy.answers_by("/a", "blue").await;
    let before = stage.envoy.configured().await;
    stage.etcd.put("routes/b", &route_to("/b", &[&blue])).await;
    stage.envoy.answers_by("/b", "blue").await;
    let after = stage.envoy.configured().await;
    assert_eq!(after.listeners, before.listeners);

    let mut limited = gateway(stage.envoy.listener());
    limited["http"] = json!({ "max_headers_count": 20 });
    stage.etcd.put("gateways/default", &limited).await;
    let changed = async || {
        let now = stage.envoy.configured().await.listeners;
        anyhow::ensure!(now == before.listeners + 1, "{now} updates of listeners");
        Ok(())
    };
    eventually(changed).await;
    stage.envoy.answers_by("/a", "blue").await;
    stage.envoy.answers_by("/b", "blue").await;
}

/// What a bootstrap may have besides Chancery's, and nobody serves.
const RUNTIME_LAYER: &str = r#"{"layered_runtime": {"layers": [{"name": "remote", "rtds_layer":
    {"name": "remote", "rtds_config": {"resource_api_version": "V3", "ads": {}}}}]}}"#;

async fn is_served_though_it_asks_for_more(protocol: Protocol) {
    let stage = Stage::set().await;
    let listener = SocketAddr::from((stage.address, 9081));
    stage.etcd.put("gateways/more", &gateway(listener)).await;
    let blue = stage.instance("blue").await;
    let mut route = route_to("/more", &[&blue]);
    route["gateways"] = json!(["more"]);
    stage.etcd.put("routes/more", &route).await;
    let (xds, more) = (stage.chancery.xds(), ["--config-yaml", RUNTIME_LAYER]);
    let envoy = Envoy::start_with("more", protocol, xds, listener, stage.folder(), &more).await;
    envoy.answers_by("/more", "blue").await;
    eventually(async || {
        let nodes = stage.chancery.admin("v1/nodes").await?.body;
        ensure!(
            nodes.contains("envoy.service.runtime.v3.Runtime"),
            "{nodes}"
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_envoy_that_asks_for_more_than_is_served_gets_its_routes() {
    is_served_though_it_asks_for_more(Protocol::Delta).await;
}

#[tokio::test]
async fn so_does_one_that_speaks_sotw() {
    is_served_though_it_asks_for_more(Protocol::Sotw).await;
}
