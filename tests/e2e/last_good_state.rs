//! Chancery starts while its sources are away: it serves what an earlier process saved, says so, and follows each source
//! as it comes back.

use std::fs;
use std::path::PathBuf;

use anyhow::ensure;

use crate::support::consul::Memory;
use crate::support::envoy::{Envoy, Protocol};
use crate::support::eventually;
use crate::support::instance::Instance;
use crate::support::stage::{Stage, route_to, route_to_service};

const SERVING_SAVED: &str = "chancery_serving_saved_state";

/// A stage whose Chancery keeps its state. `blue` answers `/hello` from a document, `/echo` from Consul, and `/kept` from
/// the last good form of a document that is bad.
async fn stage_that_keeps() -> (Stage, Instance) {
    let mut stage = Stage::set_with(Protocol::Delta, Memory::Keeps).await;
    stage.keep_state().await;
    let blue = stage.instance("blue").await;
    stage.consul.register("echo", "blue", blue.address).await;
    for path in ["hello", "kept"] {
        let route = route_to(&format!("/{path}"), &[&blue]);
        stage.etcd.put(&format!("routes/{path}"), &route).await;
    }
    let route = route_to_service("/echo", "echo");
    stage.etcd.put("routes/echo", &route).await;
    all_is_served(&stage).await;
    stage.etcd.put_text("routes/kept", "{").await;
    stage.chancery.logs(0, "document rejected").await;
    (stage, blue)
}

async fn all_is_served(stage: &Stage) {
    for path in ["/hello", "/echo", "/kept"] {
        stage.envoy.answers_by(path, "blue").await;
    }
}

fn file(stage: &Stage) -> PathBuf {
    stage.folder().join("state/inputs")
}

/// Waits until the bad document is on disk with its last good form, and the instance of Consul.
async fn all_is_saved(stage: &Stage) {
    eventually(async || {
        let text = fs::read_to_string(file(stage))?;
        for part in [
            r#""value":"{","good":{"#,
            r#""service":"echo","#,
            r#"blue","address""#,
        ] {
            ensure!(text.contains(part), "{part} is not saved");
        }
        Ok(())
    })
    .await;
}

/// A proxy that has never been served anything takes the place of the one that was.
async fn fresh_envoy(stage: &mut Stage) {
    stage.envoy.process.kill();
    let (xds, listener) = (stage.chancery.xds(), stage.envoy.listener());
    let folder = stage.folder();
    stage.envoy = Envoy::start("default", Protocol::Sotw, xds, listener, folder).await;
}

/// Of how many sources saved state is served.
async fn serves_saved_state_of(stage: &Stage, sources: f64) {
    eventually(async || {
        let found = stage.chancery.metric(SERVING_SAVED).await?;
        ensure!(found == sources, "saved state of {found} sources");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn chancery_starts_alone_and_follows_its_sources_as_they_come_back() {
    let (mut stage, blue) = stage_that_keeps().await;
    all_is_saved(&stage).await;
    stage.chancery.process.kill();
    stage.etcd.stop().await;
    stage.consul.stop().await;

    stage.chancery.process.start_again();
    fresh_envoy(&mut stage).await;
    all_is_served(&stage).await;
    serves_saved_state_of(&stage, 2.0).await;
    let readiness = stage.chancery.admin("readyz").await.unwrap();
    assert_eq!(readiness.status, 200);
    let told = readiness.body.matches("serving_saved_seconds_ago").count();
    assert_eq!(told, 2, "{}", readiness.body);
    for message in ["serving saved documents", "serving saved instances"] {
        stage.chancery.logs(0, message).await;
        assert_eq!(stage.chancery.log_of(message).len(), 1, "{message}");
    }

    stage.etcd.start_again().await;
    let route = route_to("/new", &[&blue]);
    stage.etcd.put("routes/new", &route).await;
    eventually(async || {
        let answered = stage.envoy.try_get("/new").await?.instance()?;
        ensure!(answered == "blue", "{answered} answered");
        Ok(())
    })
    .await;
    serves_saved_state_of(&stage, 1.0).await;
    all_is_served(&stage).await;

    stage.consul.start_again().await;
    let green = stage.instance("green").await;
    stage.consul.register("echo", "green", green.address).await;
    eventually(async || {
        let answered = stage.envoy.try_get("/echo").await?.instance()?;
        ensure!(answered == "green", "{answered} answered");
        Ok(())
    })
    .await;
    serves_saved_state_of(&stage, 0.0).await;
}

#[tokio::test]
async fn what_was_changed_last_is_saved_when_chancery_is_asked_to_end() {
    let (mut stage, blue) = stage_that_keeps().await;
    let route = route_to("/last", &[&blue]);
    stage.etcd.put("routes/last", &route).await;
    stage.envoy.answers_by("/last", "blue").await;
    stage.chancery.process.stop().await;
    stage.etcd.stop().await;
    stage.chancery.process.start_again();
    fresh_envoy(&mut stage).await;
    stage.envoy.answers_by("/last", "blue").await;
    // With and without a state, it ended as soon as it could.
    let late = stage.chancery.log_of("some connections did not end");
    assert!(late.is_empty(), "{late:?}");
}

#[tokio::test]
async fn a_document_that_was_edited_meanwhile_is_served_as_it_is_now() {
    let (mut stage, blue) = stage_that_keeps().await;
    stage.chancery.process.stop().await;
    stage.etcd.delete("routes/hello").await;
    let route = route_to("/new", &[&blue]);
    stage.etcd.put("routes/new", &route).await;
    let seen = stage.chancery.log().len();
    stage.chancery.process.start_again();
    stage.chancery.logs(seen, "saved state loaded").await;
    stage.envoy.answers_by("/new", "blue").await;
    stage.envoy.answers_with("/hello", 404).await;
    stage.envoy.answers_by("/kept", "blue").await;
    // Nothing old was ever sent: the sources were there.
    assert!(stage.chancery.log_of("serving saved").is_empty());
}

#[tokio::test]
async fn a_damaged_file_is_set_aside() {
    let (mut stage, _blue) = stage_that_keeps().await;
    stage.chancery.process.stop().await;
    let mut bytes = fs::read(file(&stage)).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(file(&stage), &bytes).unwrap();
    let seen = stage.chancery.log().len();
    stage.chancery.process.start_again();
    let line = stage
        .chancery
        .logs(seen, "the saved state is of no use")
        .await;
    assert!(line.field("problem").contains("damaged"), "{line:?}");
    let aside = file(&stage).with_extension("damaged-1");
    assert_eq!(line.field("aside"), aside.display().to_string());
    assert_eq!(fs::read(aside).unwrap(), bytes);
    // etcd has the history of the bad document, so nothing is lost.
    stage.chancery.ready().await;
    fresh_envoy(&mut stage).await;
    all_is_served(&stage).await;
    all_is_saved(&stage).await;
}
