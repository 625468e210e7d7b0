//! S1, routes as keys in etcd: what is put is served, what is deleted is not, by watch.

use serde_json::{Value, json};

use crate::support::stage::{Stage, route_to, weights};

/// What a path without a route is answered with.
fn not_found() -> Value {
    json!({ "error_msg": "404 Route Not Found" })
}

#[tokio::test]
async fn a_route_comes_changes_and_goes_with_its_key() {
    let stage = Stage::set().await;
    let blue = stage.instance("blue").await;
    let green = stage.instance("green").await;

    let route = route_to("/hello", &[&blue]);
    stage.etcd.put("routes/hello", &route).await;
    stage.envoy.answers_by("/hello", "blue").await;

    let route = route_to("/hello", &[&green]);
    stage.etcd.put("routes/hello", &route).await;
    stage.envoy.answers_by("/hello", "green").await;

    stage.etcd.put_text("routes/hello", "{ oops").await;
    stage.chancery.logs(0, "document rejected").await;
    stage.envoy.answers_by("/hello", "green").await;

    stage.etcd.delete("routes/hello").await;
    let answer = stage.envoy.answers_with("/hello", 404).await;
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(body, not_found());
}

#[tokio::test]
async fn routes_come_and_go_without_touching_listeners() {
    let stage = Stage::set().await;
    let blue = stage.instance("blue").await;
    stage
        .etcd
        .put("routes/first", &route_to("/first", &[&blue]))
        .await;
    stage.envoy.answers_by("/first", "blue").await;
    let before = stage.envoy.configured().await;

    for number in 0..10 {
        let uri = format!("/more/{number}");
        let key = format!("routes/more-{number}");
        stage.etcd.put(&key, &route_to(&uri, &[&blue])).await;
        stage.envoy.answers_by(&uri, "blue").await;
        stage.etcd.delete(&key).await;
        stage.envoy.answers_with(&uri, 404).await;
    }
    let after = stage.envoy.configured().await;
    assert_eq!(after.listeners, before.listeners);
    assert!(after.routes > before.routes);
}

#[tokio::test]
async fn an_upstream_and_a_service_are_shared_by_the_routes_that_name_them() {
    let stage = Stage::set().await;
    let blue = stage.instance("blue").await;
    let green = stage.instance("green").await;
    let upstream = json!({ "type": "roundrobin", "nodes": weights(&[&blue]) });
    let service = json!({ "upstream_id": "shared" });
    let of_upstream = json!({ "uri": "/of-upstream", "upstream_id": "shared" });
    let of_service = json!({ "uri": "/of-service", "service_id": "shared" });
    // The routes first: a reference to what is not there yet mends itself.
    stage.etcd.put("routes/of-upstream", &of_upstream).await;
    stage.etcd.put("routes/of-service", &of_service).await;
    stage.etcd.put("services/shared", &service).await;
    stage.etcd.put("upstreams/shared", &upstream).await;
    stage.envoy.answers_by("/of-upstream", "blue").await;
    stage.envoy.answers_by("/of-service", "blue").await;

    let upstream = json!({ "type": "roundrobin", "nodes": weights(&[&green]) });
    stage.etcd.put("upstreams/shared", &upstream).await;
    stage.envoy.answers_by("/of-upstream", "green").await;
    stage.envoy.answers_by("/of-service", "green").await;
}
