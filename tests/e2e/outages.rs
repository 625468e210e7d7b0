//! A source, or Chancery itself, goes away under load and comes back: no request fails meanwhile, and what changes
//! afterwards is in force.

use std::time::Duration;

use anyhow::ensure;
use serde_json::json;

use crate::support::consul::Memory;
use crate::support::envoy::Protocol;
use crate::support::instance::Instance;
use crate::support::load::Load;
use crate::support::stage::{Stage, gateway, route_to, route_to_service};
use crate::support::{PATIENTLY, eventually};

/// How long what goes away stays away at least.
const AWAY: Duration = Duration::from_secs(1);

const PER_SECOND: u32 = 300;

/// A stage on which `blue` answers `/hello` from a document and `/echo` from Consul.
async fn stage_at_work(protocol: Protocol) -> (Stage, Instance) {
    let stage = Stage::set_with(protocol, Memory::Keeps).await;
    let blue = stage.instance("blue").await;
    stage.consul.register("echo", "blue", blue.address).await;
    let route = route_to_service("/echo", "echo");
    stage.etcd.put("routes/echo", &route).await;
    let route = route_to("/hello", &[&blue]);
    stage.etcd.put("routes/hello", &route).await;
    stage.envoy.answers_by("/hello", "blue").await;
    stage.envoy.answers_by("/echo", "blue").await;
    (stage, blue)
}

/// A route that is written now is in force.
async fn a_new_route_arrives(stage: &Stage, instance: &Instance) {
    let route = route_to("/new", &[instance]);
    stage.etcd.put("routes/new", &route).await;
    the_new_route_is_there(stage).await;
}

async fn the_new_route_is_there(stage: &Stage) {
    eventually(async || {
        let answer = stage.envoy.try_get("/new").await?;
        ensure!(answer.status == 200, "{answer:?}");
        Ok(())
    })
    .await;
}

/// An instance that registers now gets traffic.
async fn a_new_instance_arrives(stage: &Stage) -> Instance {
    let green = stage.instance("green").await;
    stage.consul.register("echo", "green", green.address).await;
    eventually(async || {
        let answered = stage.envoy.try_get("/echo").await?.instance()?;
        ensure!(answered == "green", "{answered} answered");
        Ok(())
    })
    .await;
    green
}

#[tokio::test]
async fn etcd_stops_and_starts() {
    let (mut stage, blue) = stage_at_work(Protocol::Delta).await;
    let load = Load::on(&stage.envoy.url("/hello"), PER_SECOND);
    stage.etcd.stop().await;
    is_lost(&stage, "etcd").await;
    // Consul goes on meanwhile, and so do its instances.
    let _green = a_new_instance_arrives(&stage).await;
    stage.etcd.start_again().await;
    a_new_route_arrives(&stage, &blue).await;
    load.stop().await.assert_flawless();
    is_told_once(&stage, "etcd").await;
}

/// Waits until Chancery has noticed that a source is away.
async fn is_lost(stage: &Stage, source: &str) {
    eventually(async || {
        let lines = stage.chancery.log_of("source is lost");
        let lost = lines.iter().any(|line| line.field("source") == source);
        ensure!(lost, "{source} is not lost: {lines:?}");
        Ok(())
    })
    .await;
}

/// The log tells once that `source` was lost and once that it is back, however often it was tried.
async fn is_told_once(stage: &Stage, source: &str) {
    for message in ["source is lost", "source answers again"] {
        stage.chancery.logs(0, message).await;
        let mut lines = stage.chancery.log_of(message);
        lines.retain(|line| line.field("source") == source);
        assert_eq!(lines.len(), 1, "{message}: {lines:?}");
    }
}

#[tokio::test]
async fn etcd_hangs_and_goes_on() {
    let (stage, blue) = stage_at_work(Protocol::Delta).await;
    let load = Load::on(&stage.envoy.url("/hello"), PER_SECOND);
    stage.etcd.process.pause();
    is_lost(&stage, "etcd").await;
    stage.etcd.process.resume();
    a_new_route_arrives(&stage, &blue).await;
    load.stop().await.assert_flawless();
}

#[tokio::test]
async fn etcd_is_restored_from_a_copy() {
    let (mut stage, blue) = stage_at_work(Protocol::Delta).await;
    let load = Load::on(&stage.envoy.url("/hello"), PER_SECOND);
    // Chancery finds another cluster in etcd's place, with fewer revisions and without one of the routes.
    stage.chancery.process.pause();
    stage.etcd.start_empty().await;
    let default = gateway(stage.envoy.listener());
    stage.etcd.put("gateways/default", &default).await;
    let hello = route_to("/hello", &[&blue]);
    stage.etcd.put("routes/hello", &hello).await;
    stage.chancery.process.resume();
    a_new_route_arrives(&stage, &blue).await;
    stage.envoy.answers_with("/echo", 404).await;
    load.stop().await.assert_flawless();
}

#[tokio::test]
async fn etcd_is_wiped() {
    let (mut stage, blue) = stage_at_work(Protocol::Delta).await;
    let load = Load::on(&stage.envoy.url("/hello"), PER_SECOND);
    stage.etcd.start_empty().await;
    let line = stage
        .chancery
        .logs(0, "the store's revision went back")
        .await;
    assert_eq!(line.field("missing"), "3");
    assert_eq!(line.field("level"), "ERROR");
    let ready = stage.chancery.admin("readyz").await.unwrap();
    assert!(ready.body.contains("\"missing_documents\":3"), "{ready:?}");
    // What is written is in force, and what is missing too.
    a_new_route_arrives(&stage, &blue).await;
    stage.envoy.answers_by("/echo", "blue").await;
    let hello = route_to("/hello", &[&blue]);
    stage.etcd.put("routes/hello", &hello).await;
    eventually(async || {
        let shown = stage.chancery.ask(&["accept", "--dry-run"]).await;
        let shown = String::from_utf8(shown.stdout)?;
        ensure!(shown.starts_with("2 documents"), "{shown}");
        ensure!(shown.contains("\nroutes/echo\n"), "{shown}");
        Ok(())
    })
    .await;
    let problems = stage.chancery.ask(&["problems"]).await;
    let shown = String::from_utf8(problems.stdout).unwrap();
    let row = shown.lines().find(|line| line.starts_with("routes/echo"));
    assert!(row.is_some_and(|row| row.contains("missing")), "{shown}");
    let default = gateway(stage.envoy.listener());
    stage.etcd.put("gateways/default", &default).await;
    load.stop().await.assert_flawless();
    // Until somebody says that it is meant.
    let accepted = stage.chancery.ask(&["accept"]).await;
    assert!(accepted.status.success(), "{accepted:?}");
    eventually(async || {
        let audit = stage.chancery.ask(&["audit", "-o", "json"]).await.stdout;
        let audit: serde_json::Value = serde_json::from_slice(&audit)?;
        let record = &audit["records"][0];
        ensure!(record["action"] == "accept", "{audit}");
        let what = record["what"].as_str().unwrap_or_default();
        ensure!(what.contains("routes/echo"), "{audit}");
        ensure!(record["from"] == "127.0.0.1", "{audit}");
        Ok(())
    })
    .await;
    stage.envoy.answers_with("/echo", 404).await;
    stage.envoy.answers_by("/hello", "blue").await;
    let missing = stage.chancery.metric("chancery_documents_missing").await;
    assert!(missing.unwrap().abs() < f64::EPSILON);
}

#[tokio::test]
async fn consul_stops_and_starts() {
    let (mut stage, blue) = stage_at_work(Protocol::Delta).await;
    let load = Load::on(&stage.envoy.url("/echo"), PER_SECOND);
    stage.consul.stop().await;
    is_lost(&stage, "consul").await;
    // etcd goes on meanwhile, and so do its routes.
    a_new_route_arrives(&stage, &blue).await;
    stage.consul.start_again().await;
    let _green = a_new_instance_arrives(&stage).await;
    load.stop().await.assert_flawless();
    is_told_once(&stage, "consul").await;
}

#[tokio::test]
async fn consul_hangs_and_goes_on() {
    let (stage, blue) = stage_at_work(Protocol::Delta).await;
    let load = Load::on(&stage.envoy.url("/echo"), PER_SECOND);
    stage.consul.process.pause();
    // A query may block for ten seconds, and be late for some more.
    eventually(async || {
        let metrics = stage.chancery.admin("metrics").await?.body;
        let of = |name: &str| {
            let name = format!("chancery_source_{name}{{source=\"consul\"}} ");
            let value = metrics.lines().find_map(|line| line.strip_prefix(&name));
            value.and_then(|value| value.parse::<f64>().ok())
        };
        let (up, age) = (of("up"), of("age_seconds"));
        ensure!(up == Some(0.0) && age > Some(10.0), "{up:?} {age:?}");
        Ok(())
    })
    .await;
    a_new_route_arrives(&stage, &blue).await;
    stage.consul.process.resume();
    let _green = a_new_instance_arrives(&stage).await;
    load.stop().await.assert_flawless();
}

#[tokio::test]
async fn consul_is_killed_and_starts() {
    let (mut stage, _blue) = stage_at_work(Protocol::Delta).await;
    let load = Load::on(&stage.envoy.url("/echo"), PER_SECOND);
    stage.consul.process.kill();
    is_lost(&stage, "consul").await;
    stage.consul.start_again().await;
    let _green = a_new_instance_arrives(&stage).await;
    load.stop().await.assert_flawless();
}

/// Nobody has answered for its service: whoever waits for it is told so, and has it once somebody has.
#[tokio::test]
async fn a_route_of_an_unknown_service_is_not_confirmed_while_consul_is_away() {
    let (mut stage, _blue) = stage_at_work(Protocol::Delta).await;
    let green = stage.instance("green").await;
    stage.consul.register("late", "green", green.address).await;
    stage.consul.stop().await;
    let route = route_to_service("/late", "late");
    let revision = stage.etcd.write("routes/late", &route).await.to_string();
    let wait = async |timeout| {
        let arguments = ["wait", "--revision", &revision, "--timeout", timeout];
        let output = stage.chancery.ask(&arguments).await;
        let said = String::from_utf8(output.stdout).unwrap();
        (output.status.code(), said)
    };
    eventually(async || {
        let (ended, said) = wait("1s").await;
        assert_eq!(ended, Some(1), "{said}");
        ensure!(said.contains("routes/late waits: consul/late"), "{said}");
        Ok(())
    })
    .await;
    // What needs none of it is confirmed meanwhile.
    let route = json!({ "uri": "/own", "plugins": { "mocking": { "response_example": "own" } } });
    let own = stage.etcd.write("routes/own", &route).await.to_string();
    let arguments = ["wait", "--revision", &own, "--timeout", PATIENTLY];
    let output = stage.chancery.ask(&arguments).await;
    assert!(output.status.success(), "{output:?}");

    stage.consul.start_again().await;
    let (ended, said) = wait(PATIENTLY).await;
    assert_eq!(ended, Some(0), "{said}");
    assert_eq!(stage.envoy.get("/late").await.instance().unwrap(), "green");
}

#[tokio::test]
async fn consul_forgets_its_index() {
    let mut stage = Stage::set_with(Protocol::Delta, Memory::Forgets).await;
    let blue = stage.instance("blue").await;
    // A few writes more, so that the index falls when it starts again.
    for id in ["one", "two", "three"] {
        stage.consul.register("echo", id, blue.address).await;
    }
    let route = route_to_service("/echo", "echo");
    stage.etcd.put("routes/echo", &route).await;
    stage.envoy.answers_by("/echo", "blue").await;
    stage.consul.process.kill();
    stage.envoy.answers_by("/echo", "blue").await;
    stage.consul.start_again().await;
    let _green = a_new_instance_arrives(&stage).await;
}

#[tokio::test]
async fn chancery_is_killed_and_starts_over_delta() {
    chancery_is_killed_and_starts(Protocol::Delta).await;
}

#[tokio::test]
async fn chancery_is_killed_and_starts_over_sotw() {
    chancery_is_killed_and_starts(Protocol::Sotw).await;
}

async fn chancery_is_killed_and_starts(protocol: Protocol) {
    let (mut stage, blue) = stage_at_work(protocol).await;
    let load = Load::on(&stage.envoy.url("/echo"), PER_SECOND);
    stage.chancery.process.kill();
    let modified = modified(&stage).await;
    let route = route_to("/new", &[&blue]);
    stage.etcd.put("routes/new", &route).await;
    tokio::time::sleep(AWAY).await;
    stage.chancery.process.start_again();
    stage.chancery.ready().await;
    the_new_route_is_there(&stage).await;
    load.stop().await.assert_flawless();
    assert_eq!(
        self::modified(&stage).await,
        modified,
        "the same, sent anew"
    );
}

/// How many listeners and clusters Envoy replaced by other ones.
async fn modified(stage: &Stage) -> [u64; 2] {
    [
        stage.envoy.stat("listener_manager.listener_modified").await,
        stage.envoy.stat("cluster_manager.cluster_modified").await,
    ]
}
