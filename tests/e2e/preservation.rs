//! Consul takes away every healthy instance of a service at once: the last ones go on serving for a while.

use anyhow::ensure;
use serde_json::json;

use crate::support::eventually;
use crate::support::instance::Instance;
use crate::support::load::Load;
use crate::support::stage::{Stage, route_to_service};

const PER_SECOND: u32 = 200;
const KEEPS: &str = "more healthy instances of a service are gone at once than is believed";
const LATE: &str = "instances that were kept are not back in time";
const LETS_GO: &str = "the registry has instances again";

/// A stage on which two instances, with checks, answer `/echo` from Consul.
async fn stage_at_work() -> (Stage, [Instance; 2]) {
    let stage = Stage::set().await;
    let instances = [stage.instance("blue").await, stage.instance("green").await];
    register(&stage, &instances).await;
    let route = route_to_service("/echo", "echo");
    stage.etcd.put("routes/echo", &route).await;
    for instance in ["blue", "green"] {
        answers(&stage, instance).await;
    }
    (stage, instances)
}

async fn register(stage: &Stage, instances: &[Instance]) {
    for instance in instances {
        let (name, at) = (&instance.name, instance.address);
        stage.consul.register_checked("echo", name, at).await;
    }
}

async fn answers(stage: &Stage, instance: &str) {
    eventually(async || {
        let answered = stage.envoy.try_get("/echo").await?.instance()?;
        ensure!(answered == instance, "{answered} answered");
        Ok(())
    })
    .await;
}

/// How many instances are marked in `chancery services`.
async fn marked(stage: &Stage) -> usize {
    let output = stage.chancery.ask(&["services"]).await;
    let shown = String::from_utf8(output.stdout).unwrap();
    shown.matches("passing (kept)").count()
}

async fn both_stay(stage: &Stage) {
    let line = stage.chancery.logs(0, KEEPS).await;
    assert_eq!(line.field("instances"), "2");
    assert_eq!(marked(stage).await, 2);
    let metric = stage.chancery.metric("chancery_instances_kept").await;
    assert!((metric.unwrap() - 2.0).abs() < f64::EPSILON);
    for instance in ["blue", "green"] {
        answers(stage, instance).await;
    }
}

async fn none_is_kept_any_longer(stage: &Stage) {
    stage.chancery.logs(0, LETS_GO).await;
    assert_eq!(marked(stage).await, 0);
}

#[tokio::test]
async fn consul_comes_back_without_data() {
    let (mut stage, instances) = stage_at_work().await;
    let load = Load::on(&stage.envoy.url("/echo"), PER_SECOND);
    stage.consul.process.kill();
    stage.consul.start_again().await;
    both_stay(&stage).await;
    register(&stage, &instances).await;
    none_is_kept_any_longer(&stage).await;
    load.stop().await.assert_flawless();
}

#[tokio::test]
async fn every_check_turns_critical_at_once() {
    let (stage, _instances) = stage_at_work().await;
    let load = Load::on(&stage.envoy.url("/echo"), PER_SECOND);
    tokio::join!(
        stage.consul.fail_check("blue"),
        stage.consul.fail_check("green"),
    );
    both_stay(&stage).await;
    stage.consul.pass_check("blue").await;
    none_is_kept_any_longer(&stage).await;
    load.stop().await.assert_flawless();
}

#[tokio::test]
async fn instances_that_are_taken_out_one_by_one_are_gone_at_once() {
    let (stage, _instances) = stage_at_work().await;
    stage.consul.deregister("blue").await;
    answers(&stage, "green").await;
    eventually(async || {
        let shown = stage.chancery.ask(&["services"]).await.stdout;
        let shown = String::from_utf8(shown)?;
        ensure!(!shown.contains("blue"), "{shown}");
        Ok(())
    })
    .await;
    stage.consul.deregister("green").await;
    stage.envoy.answers_with("/echo", 503).await;
    assert!(stage.chancery.log_of(KEEPS).is_empty());
}

#[tokio::test]
async fn maintenance_of_all_at_once_is_believed() {
    let (stage, _instances) = stage_at_work().await;
    stage.consul.node_maintenance(true).await;
    stage.envoy.answers_with("/echo", 503).await;
    assert!(stage.chancery.log_of(KEEPS).is_empty());
}

#[tokio::test]
async fn instances_that_want_it_are_believed_at_once() {
    let (stage, instances) = stage_at_work().await;
    for instance in &instances {
        let (name, at) = (&instance.name, instance.address);
        let registration = json!({
            "Name": "echo", "ID": name, "Address": at.ip(), "Port": at.port(),
            "Meta": { "chancery-keep-lost": "0" },
            "Check": { "CheckID": format!("check-{name}"), "TTL": "10m", "Status": "passing" },
        });
        stage.consul.register_as(&registration).await;
    }
    // What they say is known once it is shown.
    eventually(async || {
        let services = stage.chancery.admin("v1/services").await?.body;
        let said = services.matches("chancery-keep-lost").count();
        ensure!(said == 2, "{services}");
        Ok(())
    })
    .await;
    tokio::join!(
        stage.consul.fail_check("blue"),
        stage.consul.fail_check("green"),
    );
    stage.envoy.answers_with("/echo", 503).await;
    // Neither now nor after a while.
    assert!(stage.chancery.log_of(KEEPS).is_empty());
    assert!(stage.chancery.log_of(LATE).is_empty());
}
