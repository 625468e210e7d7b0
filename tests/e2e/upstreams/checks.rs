//! Checks: an ill instance gets no traffic, and gets it again when it is well.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::ensure;
use serde_json::{Value, json};

use super::route;
use crate::support::eventually;
use crate::support::instance::Instance;
use crate::support::stage::{Stage, weights};

/// A stage, an instance that is always well, and one whose status the scene changes.
struct Scene {
    stage: Stage,
    well: Instance,
    other: Instance,
    status: Arc<AtomicU16>,
}

impl Scene {
    async fn with(checks: &Value) -> Self {
        let stage = Stage::set().await;
        let well = stage.instance("well").await;
        let status = Arc::new(AtomicU16::new(200));
        let other = Instance::answering("other", stage.address, status.clone()).await;
        let upstream = json!({
            "type": "roundrobin", "nodes": weights(&[&well, &other]), "retries": 0, "checks": checks,
        });
        stage
            .etcd
            .put("routes/checked", &route("/checked", &upstream))
            .await;
        stage
            .envoy
            .answers_by_all("/checked", &["other", "well"])
            .await;
        Self {
            stage,
            well,
            other,
            status,
        }
    }

    fn answers(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    /// Waits until nobody but the well one answers; each request that goes elsewhere fails.
    async fn only_the_well_one_answers(&self) {
        eventually(async || {
            for _ in 0..6 {
                let answer = self.stage.envoy.try_get("/checked").await?;
                ensure!(answer.instance()? == "well", "{answer:?}");
            }
            Ok(())
        })
        .await;
    }
}

#[tokio::test]
async fn who_answers_checks_badly_gets_no_traffic_until_it_is_well() {
    let checks = json!({ "active": {
        "http_path": "/health",
        "healthy": { "interval": 1, "successes": 1 },
        "unhealthy": { "interval": 1, "http_failures": 1 },
    } });
    let scene = Scene::with(&checks).await;
    scene.answers(500);
    scene.only_the_well_one_answers().await;
    scene.answers(200);
    let all = ["other", "well"];
    scene.stage.envoy.answers_by_all("/checked", &all).await;

    let Scene {
        stage, well, other, ..
    } = scene;
    drop(other);
    let gone = Scene {
        other: stage.instance("unused").await,
        status: Arc::default(),
        stage,
        well,
    };
    gone.only_the_well_one_answers().await;
}

#[tokio::test]
async fn checks_that_find_nobody_well_stop_nothing() {
    let checks = json!({ "active": {
        "healthy": { "interval": 1 },
        "unhealthy": { "interval": 1, "http_failures": 1 },
    } });
    let mut scene = Scene::with(&checks).await;
    scene.answers(503);
    scene.only_the_well_one_answers().await;
    scene.well = scene.stage.instance("unused").await;
    eventually(async || {
        let answer = scene.stage.envoy.try_get("/checked").await?;
        ensure!(answer.body.contains("other"), "{answer:?}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn who_answers_requests_badly_gets_no_more_of_them() {
    let checks = json!({ "passive": {
        "unhealthy": { "http_statuses": [418], "http_failures": 2, "tcp_failures": 2 },
    } });
    let scene = Scene::with(&checks).await;
    // Not one that counts.
    scene.answers(500);
    for _ in 0..12 {
        scene.stage.envoy.get("/checked").await;
    }
    scene.answers(200);
    let all = ["other", "well"];
    scene.stage.envoy.answers_by_all("/checked", &all).await;
    scene.answers(418);
    scene.only_the_well_one_answers().await;
}
