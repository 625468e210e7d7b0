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
        200,
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
        let rows = scopes(&stage).await;
        assert!(rows.contains("held/default/1x"), "{rows}");
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
        let columns = scopes(&stage).await;
        assert!(
            !columns.contains("held/default/1x") && columns.contains("held/default/"),
            "{columns}"
        );
        let host = [("host", "H7.example.com:80")];
        let answer = stage.envoy.send(Method::GET, "/any", &host).await.unwrap();
        assert_eq!(answer.status, 200);
        for n in 0..400 {
            stage.etcd.delete(&format!("routes/hosts{n}")).await;
        }
        moves(&stage, &blue).await;
        divide(&stage, "one").await;
        assert!(
            !scopes(&stage).await.contains("held"),
            "the one table is not held"
        );
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

async fn scopes(stage: &Stage) -> String {
    let url = "v1/snapshots/default?type=scopes";
    stage.chancery.admin(url).await.unwrap().body
}
