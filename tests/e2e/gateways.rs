//! Gateways: an Envoy gets the listeners and routes of the gateway that its `node.cluster` names, and no others.

use std::net::SocketAddr;

use serde_json::json;

use crate::support::envoy::{Envoy, Protocol};
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
