//! Make before break: whatever is rearranged below a route that is in use, no request fails.

use std::time::Duration;

use serde_json::json;

use crate::support::consul::Memory;
use crate::support::envoy::Protocol;
use crate::support::load::Load;
use crate::support::stage::{Stage, route_to, weights};

const ROUNDS: usize = 15;

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
