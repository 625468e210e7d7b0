//! A place that is known by several names: two services of the registry, and documents that list it themselves.

use std::time::Duration;

use serde_json::{Value, json};

use super::{call, drain, drains, staged, undrain, wish};
use crate::support::instance::Instance;
use crate::support::load::{Load, Report};
use crate::support::stage::{Stage, route_to, route_to_service};

const PER_SECOND: u32 = 100;

/// The two of `echo`, which are in the service `shop` as well, and nodes of a document.
async fn known_by_three_names() -> (Stage, [Instance; 2]) {
    let (stage, instances) = staged().await;
    for instance in &instances {
        let id = format!("shop-{}", instance.name);
        stage.consul.register("shop", &id, instance.address).await;
    }
    let shop = route_to_service("/shop", "shop");
    stage.etcd.put("routes/shop", &shop).await;
    stage.envoy.answers_by_all("/shop", &["a", "b"]).await;
    (stage, instances)
}

/// Load on every path, while something happens.
async fn under_load<T>(stage: &Stage, paths: &[&str], happens: impl Future<Output = T>) -> T {
    let loads: Vec<_> = paths
        .iter()
        .map(|path| Load::on(&stage.envoy.url(path), PER_SECOND))
        .collect();
    let outcome = happens.await;
    for load in loads {
        load.stop().await.assert_flawless();
    }
    outcome
}

/// Whoever answers from now on.
async fn answering(stage: &Stage, path: &str) -> Report {
    let load = Load::on(&stage.envoy.url(path), PER_SECOND);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let report = load.stop().await;
    report.assert_flawless();
    report
}

fn services(answer: &Value) -> Vec<&str> {
    let drains = answer["drains"].as_array().expect("the drains");
    let names = drains.iter().map(|drain| drain["service"].as_str());
    names.map(Option::unwrap).collect()
}

#[tokio::test]
async fn an_instance_in_two_services_is_drained_by_one_call() {
    let (stage, [a, b]) = known_by_three_names().await;
    let paths = ["/echo", "/shop"];
    let drained = drain(&stage.chancery, wish(a.address));
    let (status, answer) = under_load(&stage, &paths, drained).await;
    assert_eq!(status, 201, "{answer}");
    assert_eq!(services(&answer), ["consul/echo", "consul/shop"]);
    for path in paths {
        let report = answering(&stage, path).await;
        assert!(report.answered.keys().eq(["b"]), "{path}: {report:?}");
    }
    for service in ["echo", "shop"] {
        let passing = stage.consul.passing(service).await;
        assert_eq!(passing.len(), 1, "{passing:?}");
    }
    // It is the last one in both.
    let (status, answer) = drain(&stage.chancery, wish(b.address)).await;
    assert_eq!(status, 409, "{answer}");
    // The same again is the same drains, and ends by the id of either.
    let (status, answer) = drain(&stage.chancery, wish(a.address)).await;
    assert_eq!((status, services(&answer).len()), (200, 2), "{answer}");
    let second = json!({ "drain": answer["drains"][1] });
    let (status, answer) = undrain(&stage.chancery, &second).await;
    assert_eq!((status, services(&answer).len()), (200, 2), "{answer}");
    assert!(drains(&stage.chancery).await.is_empty());
    for path in paths {
        stage.envoy.answers_by_all(path, &["a", "b"]).await;
    }
    // Where only one of them is meant, the caller says so.
    let mut one = wish(a.address);
    one["service"] = json!("shop");
    let (status, answer) = drain(&stage.chancery, one).await;
    assert_eq!(status, 201, "{answer}");
    assert_eq!(services(&answer), ["consul/shop"]);
    stage.envoy.answers_by_all("/echo", &["a", "b"]).await;
}

#[tokio::test]
async fn what_cannot_leave_one_service_leaves_none() {
    let (stage, [a, _b]) = known_by_three_names().await;
    stage.consul.deregister("shop-b").await;
    stage.envoy.answers_by_all("/shop", &["a"]).await;
    let (status, answer) = drain(&stage.chancery, wish(a.address)).await;
    assert_eq!(status, 409, "{answer}");
    let message = answer["message"].as_str().unwrap();
    assert!(message.contains("consul/shop"), "{message}");
    assert!(drains(&stage.chancery).await.is_empty());
    assert_eq!(stage.consul.passing("echo").await, ["a", "b"]);
}

#[tokio::test]
async fn nodes_of_documents_are_drained_too() {
    let (stage, [a, b]) = known_by_three_names().await;
    let listed = route_to("/listed", &[&a, &b]);
    stage.etcd.put("routes/listed", &listed).await;
    // The name of one node is for Envoy to resolve, so that they stand in the cluster.
    let mut named = route_to("/named", &[&a, &b]);
    named["upstream"]["nodes"][format!("localhost:{}", b.address.port())] = json!(0);
    stage.etcd.put("routes/named", &named).await;
    let paths = ["/echo", "/shop", "/listed", "/named"];
    for path in paths {
        stage.envoy.answers_by_all(path, &["a", "b"]).await;
    }
    let drained = drain(&stage.chancery, wish(a.address));
    let (status, answer) = under_load(&stage, &paths, drained).await;
    assert_eq!(status, 201, "{answer}");
    let all = ["consul/echo", "consul/shop", "nodes"];
    assert_eq!(services(&answer), all);
    for path in paths {
        let report = answering(&stage, path).await;
        assert!(report.answered.keys().eq(["b"]), "{path}: {report:?}");
    }
    let ended = undrain(&stage.chancery, &answer);
    let (status, answer) = under_load(&stage, &paths, ended).await;
    assert_eq!(status, 200, "{answer}");
    for path in paths {
        stage.envoy.answers_by_all(path, &["a", "b"]).await;
    }
}

#[tokio::test]
async fn the_last_node_of_a_document_stays_unless_it_is_forced() {
    let stage = Stage::set().await;
    let [a, b] = [stage.instance("a").await, stage.instance("b").await];
    let listed = route_to("/echo", &[&a, &b]);
    stage.etcd.put("routes/echo", &listed).await;
    let alone = route_to("/alone", &[&b]);
    stage.etcd.put("routes/alone", &alone).await;
    stage.envoy.answers_by_all("/echo", &["a", "b"]).await;
    stage.envoy.answers_by("/alone", "b").await;
    // Only documents know it.
    let (status, answer) = drain(&stage.chancery, wish(a.address)).await;
    assert_eq!(status, 201, "{answer}");
    super::is_left_out(&stage, "a").await;
    let (status, answer) = drain(&stage.chancery, wish(b.address)).await;
    assert_eq!(status, 409, "{answer}");
    let message = answer["message"].as_str().unwrap();
    assert!(message.contains("route/alone"), "{message}");
    let mut forced = wish(b.address);
    forced["force"] = json!(true);
    let (status, answer) = drain(&stage.chancery, forced).await;
    assert_eq!(status, 201, "{answer}");
    for path in ["/echo", "/alone"] {
        assert_eq!(stage.envoy.get(path).await.status, 503);
    }
    let path = "v1/drains";
    let (_, all) = call(&stage.chancery, reqwest::Method::GET, path, None).await;
    assert_eq!(services(&all), ["nodes", "nodes"]);
}
