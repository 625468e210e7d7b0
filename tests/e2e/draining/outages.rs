//! Who is away or dies meanwhile: the registry, the store, an Envoy, Chancery itself.

use anyhow::ensure;
use reqwest::Method;
use serde_json::{Value, json};

use super::agents::slow;
use super::{beside, call, drain, drains, is_left_out, pass_in_consul, staged, undrain, wish};
use crate::support::{PATIENCE, PATIENTLY, eventually};

#[tokio::test]
async fn a_drain_while_consul_is_down_changes_nothing() {
    let (mut stage, [a, _b]) = staged().await;
    stage.consul.process.kill();
    let (status, answer) = drain(&stage.chancery, wish(a.address)).await;
    assert_eq!(status, 502, "{answer}");
    let message = answer["message"].as_str().unwrap();
    assert!(message.contains("nothing is changed"), "{message}");
    assert!(drains(&stage.chancery).await.is_empty());
    stage.envoy.answers_by_all("/echo", &["a", "b"]).await;
}

#[tokio::test]
async fn a_drain_while_etcd_is_down_changes_nothing() {
    let (mut stage, [a, _b]) = staged().await;
    stage.etcd.process.kill();
    let (status, answer) = drain(&stage.chancery, wish(a.address)).await;
    assert_eq!(status, 503, "{answer}");
    assert_eq!(stage.consul.passing("echo").await, ["a", "b"]);
    stage.envoy.answers_by_all("/echo", &["a", "b"]).await;
    stage.etcd.start_again().await;
    eventually(async || {
        let (status, answer) = drain(&stage.chancery, wish(a.address)).await;
        ensure!(status == 201, "{answer}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_envoy_that_is_frozen_is_named() {
    let (stage, [a, _b]) = staged().await;
    stage.envoy.process.pause();
    let mut asked = wish(a.address);
    asked["wait"] = json!("1s");
    let (status, answer) = drain(&stage.chancery, asked).await;
    assert_eq!(
        (status, &answer["confirmed"]),
        (202, &json!(false)),
        "{answer}"
    );
    assert_eq!(answer["behind"][0]["node"], "envoy-default", "{answer}");
    stage.envoy.process.resume();
    let id = answer["drain"]["id"].as_str().unwrap();
    let path = format!("v1/drains/{id}?wait={PATIENTLY}");
    let (status, answer) = call(&stage.chancery, Method::GET, &path, None).await;
    assert_eq!(
        (status, &answer["confirmed"]),
        (200, &json!(true)),
        "{answer}"
    );
    let (_, audit) = call(&stage.chancery, Method::GET, "v1/audit", None).await;
    let records = audit["records"].as_array().unwrap();
    let unconfirmed = |record: &&Value| record["result"] == "unconfirmed";
    let record = records.iter().find(unconfirmed).expect("a record of it");
    let detail = record["detail"].as_str().unwrap();
    assert!(detail.contains("envoy-default"), "{record}");
}

#[tokio::test]
async fn a_crash_between_the_registry_and_the_document_is_undone() {
    let (stage, [a, _b]) = staged().await;
    let slow = slow(stage.address, stage.consul.url()).await;
    let agent = format!("http://{}", slow.address);
    let mut other = beside(&stage, &["--consul-agent", &agent]).await;
    let url = format!("{}/v1/drains", other.url());
    let call = reqwest::Client::new()
        .post(url)
        .json(&wish(a.address))
        .send();
    let call = tokio::spawn(call);
    let told = tokio::time::timeout(PATIENCE, slow.told.notified());
    told.await.expect("the agent is told");
    other.process.kill();
    assert!(call.await.unwrap().is_err());
    assert_eq!(stage.consul.passing("echo").await, ["b"]);
    // Once the claim of the one that died has ended, another replica puts the instance back.
    pass_in_consul(&stage, &["a", "b"]).await;
    stage.envoy.answers_by_all("/echo", &["a", "b"]).await;
    let line = stage.chancery.logs(0, "audit").await;
    assert_eq!(line.field("action"), "repair");
    assert_eq!(drain(&stage.chancery, wish(a.address)).await.0, 201);
}

#[tokio::test]
async fn a_crash_after_the_document_leaves_the_drain_in_force() {
    let (mut stage, [a, _b]) = staged().await;
    stage.envoy.process.pause();
    let url = format!("{}/v1/drains", stage.chancery.url());
    let call = reqwest::Client::new()
        .post(url)
        .json(&wish(a.address))
        .send();
    let call = tokio::spawn(call);
    eventually(async || {
        ensure!(drains(&stage.chancery).await.len() == 1);
        Ok(())
    })
    .await;
    stage.chancery.process.kill();
    assert!(call.await.unwrap().is_err());
    // Only the document keeps it out now.
    stage.consul.maintenance("a", false).await;
    stage.chancery.process.start_again();
    stage.chancery.ready().await;
    stage.envoy.process.resume();
    // Before Envoy is back nobody has to confirm anything.
    let answer = eventually(async || {
        let (status, answer) = drain(&stage.chancery, wish(a.address)).await;
        assert_eq!(status, 200, "{answer}");
        ensure!(answer["replicas"][0]["nodes"]["default"] == 1, "{answer}");
        Ok(answer)
    })
    .await;
    is_left_out(&stage, "a").await;
    assert_eq!(undrain(&stage.chancery, &answer).await.0, 200);
    stage.envoy.answers_by_all("/echo", &["a", "b"]).await;
}
