//! The stage itself: before a scene blames Chancery, the servers must do what scenes rely on.

use std::time::Duration;

use anyhow::ensure;
use reqwest::Method;
use serde_json::json;

use crate::support::consul::{Consul, Memory};
use crate::support::envoy::{Envoy, Protocol};
use crate::support::etcd::Etcd;
use crate::support::instance::Instance;
use crate::support::load::Load;
use crate::support::{eventually, http, own_address};

#[tokio::test]
async fn etcd_keeps_its_documents_when_it_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut etcd = Etcd::start(own_address(), folder.path()).await;
    etcd.put("routes/hello", &json!({ "uri": "/hello" })).await;
    etcd.process.kill();
    etcd.start_again().await;
    etcd.delete("routes/hello").await;
    etcd.stop().await;
}

#[tokio::test]
async fn consul_keeps_its_instances_when_it_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let address = own_address();
    let mut consul = Consul::start(address, folder.path(), Memory::Keeps).await;
    let at = "127.0.0.1:8080".parse().unwrap();
    consul.register_checked("echo", "echo-1", at).await;
    consul.fail_check("echo-1").await;
    consul.pass_check("echo-1").await;
    consul.maintenance("echo-1", true).await;
    consul.maintenance("echo-1", false).await;
    consul.process.kill();
    consul.start_again().await;
    let health = format!("{}/v1/health/service/echo?passing", consul.url());
    eventually(async || {
        let answer = http::send(&http::client(), Method::GET, &health, &[]).await?;
        ensure!(answer.body.contains("echo-1"), "{}", answer.body);
        Ok(())
    })
    .await;
    consul.deregister("echo-1").await;
    consul.stop().await;
}

#[tokio::test]
async fn envoy_runs_on_both_bootstrap_files_without_a_control_plane() {
    let folder = tempfile::tempdir().unwrap();
    let nobody = (own_address(), 18000).into();
    let listener = (own_address(), 9080).into();
    for protocol in [Protocol::Delta, Protocol::Sotw] {
        let mut envoy = Envoy::start("default", protocol, nobody, listener, folder.path()).await;
        envoy.process.pause();
        envoy.process.resume();
        assert_eq!(envoy.configured().await.clusters, 0);
        assert!(envoy.process.stop().await.success());
    }
}

#[tokio::test]
async fn load_remembers_who_answered_and_what_failed() {
    let address = own_address();
    let good = Instance::echo("good", address).await;
    let load = Load::on(&format!("http://{}/", good.address), 200);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let report = load.stop().await;
    report.assert_flawless();
    assert!(report.answered.keys().eq(["good"]), "{report:?}");

    let bad = Instance::resetting("bad", address).await;
    let load = Load::on(&format!("http://{}/", bad.address), 200);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let report = load.stop().await;
    assert!(report.failed > 0 && report.answered.is_empty());
    assert!(report.failures[0].contains("error"), "{report:?}");
}
