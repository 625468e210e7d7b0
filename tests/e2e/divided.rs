//! Divided route tables: turned on and off, divided otherwise, edited and refused, and no request fails.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::consul::Memory;
use crate::support::envoy::Protocol;
use crate::support::instance::Instance;
use crate::support::load::Load;
use crate::support::stage::{Stage, gateway, route_to, settled};

const ROUNDS: usize = 3;

#[tokio::test]
async fn tables_are_divided_and_joined_and_no_request_fails_over_delta() {
    tables_are_divided_and_joined_and_no_request_fails(Protocol::Delta).await;
}

#[tokio::test]
async fn tables_are_divided_and_joined_and_no_request_fails_over_sotw() {
    tables_are_divided_and_joined_and_no_request_fails(Protocol::Sotw).await;
}

async fn tables_are_divided_and_joined_and_no_request_fails(protocol: Protocol) {
    let stage = Stage::set_with(protocol, Memory::Forgets).await;
    let (blue, green) = (stage.instance("blue").await, stage.instance("green").await);
    fill(
        &stage,
        "some",
        50,
        |n| json!({ "uri": format!("/some{n}/*") }),
    )
    .await;
    moves(&stage, &blue).await;
    moves(&stage, &green).await;
    let loads: Vec<_> = ["/hello", "/hello?a=1", "/hello/deep"]
        .map(|path| Load::on(&stage.envoy.url(path), 100))
        .into();
    for _ in 0..ROUNDS {
        divide(&stage, "divided").await;
        let by_paths = held(&stage).await;
        let all = by_paths.iter();
        let of_any_host = all.filter(|table| table.starts_with("default/xxxx-"));
        assert!(
            of_any_host.count() == by_paths.len() && by_paths.len() > 1,
            "{by_paths:?}"
        );
        moves(&stage, &blue).await;
        // Now hosts tell more of them apart than paths: all cells go by other tables.
        fill(
            &stage,
            "hosts",
            400,
            |n| json!({ "host": format!("h{n}.example.com"), "uri": "/*" }),
        )
        .await;
        moves(&stage, &green).await;
        let by_hosts = held(&stage).await;
        let mut all = by_hosts.iter();
        assert!(
            by_hosts.len() > 1 && all.all(|table| !by_paths.contains(table)),
            "{by_hosts:?}"
        );
        let host = [("host", "H7.example.com:80")];
        let answer = stage.envoy.send(Method::GET, "/any", &host).await.unwrap();
        assert_eq!(answer.status, 200);
        for n in 0..400 {
            stage.etcd.delete(&format!("routes/hosts{n}")).await;
        }
        moves(&stage, &blue).await;
        divide(&stage, "one").await;
        let held = held(&stage).await;
        assert!(held.is_empty(), "the one table is not held: {held:?}");
        moves(&stage, &green).await;
    }
    for load in loads {
        load.stop().await.assert_flawless();
    }
}

/// Documents that answer by themselves with their kind of name.
async fn fill(stage: &Stage, name: &str, count: usize, document: impl Fn(usize) -> Value) {
    for n in 0..count {
        let mut document = document(n);
        document["plugins"] = json!({ "mocking": {} });
        stage
            .etcd
            .put(&format!("routes/{name}{n}"), &document)
            .await;
    }
}

async fn divide(stage: &Stage, mode: &str) {
    let mut document = gateway(stage.envoy.listener());
    document["http"] = json!({ "route_tables": { "mode": mode } });
    stage.etcd.put("gateways/default", &document).await;
    settled(&stage.etcd, &stage.chancery).await;
}

/// The routes under load go elsewhere, and are served from there.
async fn moves(stage: &Stage, to: &Instance) {
    for (id, uri) in [("hello", "/hello"), ("deep", "/hello/*")] {
        stage
            .etcd
            .put(&format!("routes/{id}"), &route_to(uri, &[to]))
            .await;
    }
    settled(&stage.etcd, &stage.chancery).await;
    for path in ["/hello", "/hello?a=1", "/hello/deep"] {
        stage.envoy.answers_by(path, &to.name).await;
    }
}

/// The tables that scopes hold which no request is in.
async fn held(stage: &Stage) -> Vec<String> {
    let url = "v1/snapshots/default?type=scopes";
    let answer = stage.chancery.admin(url).await.unwrap().body;
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let scopes = answer["sets"][0]["resources"].as_array().unwrap().iter();
    let names = scopes.filter_map(|scope| scope["name"].as_str()?.strip_prefix("default/held/"));
    names.map(str::to_owned).collect()
}
