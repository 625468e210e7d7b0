//! Make before break: whatever is rearranged below a route that is in use, no request fails.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;

use crate::support::consul::Memory;
use crate::support::envoy::{Envoy, Protocol};
use crate::support::load::Load;
use crate::support::stage::{Stage, gateway, route_to, weights};

const ROUNDS: usize = 15;

const SWAPS: usize = 200;

#[tokio::test]
async fn a_route_moves_between_upstreams_that_come_and_go_over_delta() {
    a_route_moves_between_upstreams_that_come_and_go(Protocol::Delta).await;
}

#[tokio::test]
async fn a_route_moves_between_upstreams_that_come_and_go_over_sotw() {
    a_route_moves_between_upstreams_that_come_and_go(Protocol::Sotw).await;
}

async fn a_route_moves_between_upstreams_that_come_and_go(protocol: Protocol) {
    let stage = Stage::set_with(protocol, Memory::Forgets).await;
    let (etcd, envoy) = (&stage.etcd, &stage.envoy);
    let blue = stage.instance("blue").await;
    let green = stage.instance("green").await;
    let upstream = |nodes| json!({ "type": "roundrobin", "nodes": nodes });
    let to = |upstream: &str| json!({ "uri": "/hello", "upstream_id": upstream });
    let own = route_to("/hello", &[&blue]);
    etcd.put("routes/hello", &own).await;
    envoy.answers_by("/hello", "blue").await;

    let load = Load::on(&envoy.url("/hello"), 400);
    for round in 0..ROUNDS {
        // One write follows the other at once: the order in which Envoy may take them is for Chancery to find.
        etcd.put("upstreams/a", &upstream(weights(&[&blue]))).await;
        etcd.put("routes/hello", &to("a")).await;
        etcd.put("upstreams/b", &upstream(weights(&[&green]))).await;
        etcd.put("routes/hello", &to("b")).await;
        etcd.delete("upstreams/a").await;
        if round % 3 == 0 {
            envoy.answers_by("/hello", "green").await;
        }
        etcd.put("routes/hello", &own).await;
        etcd.delete("upstreams/b").await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    envoy.answers_by("/hello", "blue").await;
    let report = load.stop().await;
    report.assert_flawless();
    assert!(report.answered.contains_key("green"), "{report:?}");
}

#[tokio::test]
async fn two_hundred_swaps_fail_no_request_on_three_envoys() {
    let stage = Stage::set().await;
    let (etcd, xds) = (&stage.etcd, stage.chancery.xds());
    let mut envoys = Vec::new();
    for (name, protocol, port) in [
        ("second", Protocol::Sotw, 9081),
        ("third", Protocol::Delta, 9082),
    ] {
        let listener = SocketAddr::from((stage.address, port));
        let key = format!("gateways/{name}");
        etcd.put(&key, &gateway(listener)).await;
        envoys.push(Envoy::start(name, protocol, xds, listener, stage.folder()).await);
    }
    let envoys: Vec<_> = envoys.iter().chain([&stage.envoy]).collect();
    let instances = [stage.instance("blue").await, stage.instance("green").await];
    let gateways = ["default", "second", "third"];
    let mut loads = Vec::new();
    for swap in 0..=SWAPS {
        let (instance, new, old) = match swap % 2 {
            0 => (&instances[0], "blue", "upstreams/green"),
            _ => (&instances[1], "green", "upstreams/blue"),
        };
        let upstream = json!({ "type": "roundrobin", "nodes": weights(&[instance]) });
        let route = json!({ "uri": "/hello", "upstream_id": new, "gateways": gateways });
        etcd.put(&format!("upstreams/{new}"), &upstream).await;
        etcd.put("routes/hello", &route).await;
        // At once: what Envoys still use is for Chancery to know.
        etcd.delete(old).await;
        for envoy in &envoys {
            envoy.answers_by("/hello", new).await;
        }
        if loads.is_empty() {
            let load = envoys
                .iter()
                .map(|envoy| Load::on(&envoy.url("/hello"), 100));
            loads.extend(load);
        }
    }
    for load in loads {
        let report = load.stop().await;
        report.assert_flawless();
        assert!(report.answered.keys().eq(["blue", "green"]), "{report:?}");
    }
}
