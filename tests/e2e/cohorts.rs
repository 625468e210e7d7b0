//! What some proxies refuse is their own matter: shown with Envoys of one gateway of which one is stricter, of the same build as
//! the others or of another one.

use std::fs;
use std::net::SocketAddr;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::support::envoy::Envoy;
use crate::support::eventually;
use crate::support::instance::Instance;
use crate::support::stage::{Stage, gateway, weights};

/// Regular expressions of more than 30 instructions are refused; otherwise it is what the others are.
const STRICT: &[&str] = &[
    "--config-yaml",
    "layered_runtime: { layers: [{ name: strict, static_layer: { re2: { max_program_size: { error_level: 30 } } } }] }",
];
/// Another build: one that lacks an extension.
const LACKING: &[&str] = &[
    "--disable-extensions",
    "envoy.load_balancing_policies/envoy.load_balancing_policies.ring_hash",
];

struct Scene {
    stage: Stage,
    listener: SocketAddr,
    blue: Instance,
}

impl Scene {
    /// Chancery, with a gateway `fleet` that has a route and no Envoy yet.
    async fn set() -> Self {
        Self::on(Stage::set().await).await
    }

    /// The same, with a Chancery that keeps its state.
    async fn set_keeping() -> Self {
        let mut stage = Stage::set().await;
        stage.keep_state().await;
        Self::on(stage).await
    }

    async fn on(stage: Stage) -> Self {
        let listener = SocketAddr::from((stage.address, 9081));
        stage.etcd.put("gateways/fleet", &gateway(listener)).await;
        let blue = stage.instance("blue").await;
        let scene = Self {
            stage,
            listener,
            blue,
        };
        scene.put("hello", &scene.route("/hello")).await;
        scene
    }

    /// An Envoy of the gateway, once it has the route `hello`.
    async fn envoy(&self, name: &str, more: &[&str]) -> Envoy {
        let (xds, folder) = (self.stage.chancery.xds(), self.stage.folder());
        let envoy = Envoy::start_as_with(name, "fleet", xds, self.listener, folder, more).await;
        has(&envoy, "route/hello", true).await;
        envoy
    }

    fn route(&self, uri: &str) -> Value {
        json!({ "uri": uri, "gateways": ["fleet"], "upstream": { "nodes": weights(&[&self.blue]) } })
    }

    /// A route with a regular expression that is too much for the strict.
    fn too_much(&self, uri: &str) -> Value {
        let mut route = self.route(uri);
        route["plugins"] =
            json!({ "proxy-rewrite": { "regex_uri": ["^/[a-z]{20}/([0-9]{20})$", "/$1"] } });
        route
    }

    /// A route with a ring hash.
    fn hashed(&self, uri: &str) -> Value {
        let mut route = self.route(uri);
        route["upstream"]["type"] = json!("chash");
        route["upstream"]["key"] = json!("remote_addr");
        route
    }

    async fn put(&self, id: &str, route: &Value) {
        self.stage.etcd.put(&format!("routes/{id}"), route).await;
    }

    async fn refused(&self) -> Vec<Value> {
        let answer = self.stage.chancery.admin("v1/problems").await.unwrap();
        let problems: Value = serde_json::from_str(&answer.body).unwrap();
        let problems = problems["problems"].as_array().unwrap();
        let refused = problems.iter().filter(|one| one["kind"] == "refused");
        refused.cloned().collect()
    }

    async fn refuses(&self, documents: &[&str]) {
        eventually(async || {
            let refused = self.refused().await;
            let names: Vec<_> = refused.iter().map(|one| &one["document"]).collect();
            ensure!(names == documents, "{refused:?}");
            Ok(())
        })
        .await;
    }

    /// Waits until this node is behind, for a reason of these words.
    async fn behind(&self, name: &str, words: &str) {
        eventually(async || {
            let answer = self.stage.chancery.admin("v1/nodes").await?;
            let nodes: Value = serde_json::from_str(&answer.body)?;
            let nodes = nodes["nodes"].as_array().context("no nodes")?;
            let node = nodes.iter().find(|node| node["id"] == name);
            let node = node.context("not connected")?;
            let reason = node["behind"].as_str().unwrap_or_default();
            ensure!(reason.contains(words), "{node}");
            Ok(())
        })
        .await;
    }
}

/// Waits until the Envoy has what it is to have, or has it no more: a name that stands in its configuration.
async fn has(envoy: &Envoy, name: &str, there: bool) {
    eventually(async || {
        let dump = envoy.has("dynamic_route_configs").await?;
        ensure!(
            dump.contains(&format!("\"{name}\"")) == there,
            "{name}: {}",
            !there
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_one_proxy_accepted_is_not_taken_back_because_another_of_its_kind_refuses_it() {
    let scene = Scene::set().await;
    let good = scene.envoy("good", &[]).await;
    let strict = scene.envoy("strict", STRICT).await;
    for round in 0..5 {
        let id = format!("edit-{round}");
        scene.put(&id, &scene.too_much(&format!("/{id}"))).await;
        has(&good, &format!("route/{id}"), true).await;
        scene.behind("strict", "regex").await;
        // Nothing is held, so that nothing is taken from who has it.
        scene.refuses(&[]).await;
        has(&good, &format!("route/{id}"), true).await;
        has(&strict, &format!("route/{id}"), false).await;
        has(&strict, "route/hello", true).await;
        scene.stage.etcd.delete(&format!("routes/{id}")).await;
        has(&good, &format!("route/{id}"), false).await;
    }
}

#[tokio::test]
async fn what_a_build_refuses_is_held_for_it_alone_and_a_restart_takes_nothing_from_others() {
    let mut scene = Scene::set().await;
    let good = scene.envoy("good", &[]).await;
    let lacking = scene.envoy("lacking", LACKING).await;
    scene.put("new", &scene.hashed("/new")).await;
    scene.put("hello", &scene.hashed("/hello/*")).await;
    scene.refuses(&["routes/hello", "routes/new"]).await;
    let refusals = &scene.refused().await[0]["refusals"];
    assert_eq!(refusals.as_array().unwrap().len(), 1, "{refusals}");
    assert_eq!(refusals[0]["nodes"], json!(["lacking"]));
    assert_eq!(refusals[0]["gateway"], "fleet");
    has(&good, "route/new", true).await;
    has(&lacking, "route/new", false).await;
    has(&lacking, "route/hello", true).await;

    for _ in 0..3 {
        scene.stage.chancery.process.kill();
        scene.stage.chancery.process.start_again();
        scene.stage.chancery.ready().await;
        scene.refuses(&["routes/new"]).await;
        scene.behind("lacking", "RING_HASH").await;
        has(&good, "route/new", true).await;
        has(&lacking, "route/hello", true).await;
    }
    // Not one of them was ever taken from it.
    for kind in [
        "cluster_manager.cluster_removed",
        "listener_manager.listener_removed",
    ] {
        assert_eq!(good.stat(kind).await, 0, "{kind}");
    }
}

#[tokio::test]
async fn what_a_build_had_accepted_before_it_refused_an_edit_is_served_after_a_restart_also_to_newcomers()
 {
    let mut scene = Scene::set_keeping().await;
    let good = scene.envoy("good", &[]).await;
    let odd: Vec<_> = LACKING.iter().chain(STRICT).copied().collect();
    let mut other = scene.envoy("odd", &odd).await;
    // A route that it refuses, and a cluster.
    for id in ["edited", "balanced"] {
        scene.put(id, &scene.route(&format!("/{id}"))).await;
        has(&other, &format!("route/{id}"), true).await;
    }
    scene.put("edited", &scene.too_much("/edited")).await;
    scene.put("balanced", &scene.hashed("/balanced")).await;
    let both = ["routes/balanced", "routes/edited"];
    scene.refuses(&both).await;
    let holds = async |envoy: &Envoy| {
        for id in ["edited", "balanced"] {
            has(envoy, &format!("route/{id}"), true).await;
        }
    };
    eventually(async || {
        let text = fs::read_to_string(scene.stage.folder().join("state/inputs"))?;
        ensure!(text.matches(r#""refusal":{"#).count() >= 2, "{text}");
        Ok(())
    })
    .await;

    scene.stage.chancery.process.kill();
    other.process.kill();
    scene.stage.chancery.process.start_again();
    scene.stage.chancery.ready().await;
    // Its place in the fleet is known, and what was refused, before anybody has come back.
    scene.refuses(&both).await;
    other.process.start_again();
    holds(&other).await;
    holds(&good).await;
    scene.refuses(&both).await;
    // The documents have no other effect on it until somebody writes another one.
    scene.put("edited", &scene.route("/edited/*")).await;
    scene.refuses(&["routes/balanced"]).await;
    holds(&other).await;
}

#[tokio::test]
async fn what_is_refused_is_tried_again_when_asked_for_and_when_those_that_refused_have_left() {
    let mut scene = Scene::set().await;
    let mut strict = scene.envoy("strict", STRICT).await;
    scene.put("new", &scene.too_much("/new")).await;
    scene.refuses(&["routes/new"]).await;
    let output = scene.stage.chancery.ask(&["release", "routes/new"]).await;
    assert!(output.status.success(), "{output:?}");
    // It is refused anew.
    scene
        .stage
        .chancery
        .logs(1, "document refused by a proxy")
        .await;
    scene.refuses(&["routes/new"]).await;
    let output = scene.stage.chancery.ask(&["release", "routes/hello"]).await;
    assert_eq!(
        output.status.code(),
        Some(1),
        "nobody refuses it: {output:?}"
    );

    strict.process.kill();
    scene.refuses(&[]).await;
    let good = scene.envoy("good", &[]).await;
    has(&good, "route/new", true).await;
    // What others have, it does not take back when it returns.
    strict.process.start_again();
    scene.behind("strict", "regex").await;
    scene.refuses(&[]).await;
    has(&good, "route/new", true).await;
    scene.stage.chancery.process.kill();
}
