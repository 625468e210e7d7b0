//! `request-validation`: its script comes by name, ahead of the first route that asks for it, and is not there while none does.

use reqwest::Method;
use serde_json::{Value, json};

use super::with_plugins;
use crate::support::envoy::Envoy;
use crate::support::eventually;
use crate::support::load::Load;
use crate::support::stage::{Stage, route_to};

/// Something that the script says, and nothing else.
const SCRIPT: &str = "matches none of the enum values";
/// A configuration as Envoy dumps it: the filter's name, and the script's setting where there is one.
const BY_NAME: [&str; 2] = [
    "chancery.request-validation",
    "global/chancery.request-validation",
];

/// Turns requests away whose header says more than "ok".
fn about(header: &str) -> Value {
    json!({ "request-validation": { "header_schema": { "properties": { header: { "enum": ["ok"] } } } } })
}

/// How many filters of the chain have the script.
async fn scripts(envoy: &Envoy) -> usize {
    envoy.dump().await.unwrap().matches(SCRIPT).count()
}

async fn status(envoy: &Envoy, path: &str, header: &str) -> u16 {
    let headers = [(header, "wrong")];
    let answer = envoy.send(Method::GET, path, &headers).await;
    answer.unwrap().status
}

/// Waits until requests with the wrong header are answered so.
async fn becomes(envoy: &Envoy, path: &str, header: &str, expected: u16) {
    eventually(async || {
        let found = status(envoy, path, header).await;
        anyhow::ensure!(found == expected, "{path} {header}: {found}");
        Ok(())
    })
    .await;
}

/// A route's, a rule's, both and none: no listener is another, and no request is lost.
async fn comes_and_goes(stage: &Stage, envoy: &Envoy) {
    let blue = stage.instance("blue").await;
    let etcd = &stage.etcd;
    let plain = route_to("/checked", &[&blue]);
    let checked = with_plugins("/checked", &blue, about("x-own"));
    etcd.put("routes/checked", &plain).await;
    envoy.answers_by("/checked", "blue").await;
    let dump = envoy.dump().await.unwrap();
    for name in BY_NAME {
        assert!(dump.contains(&format!("\"{name}\"")), "{name} is not there");
    }
    assert_eq!(scripts(envoy).await, 0);
    let listeners = envoy.configured().await.listeners;
    let load = Load::on(&envoy.url("/checked"), 200);

    etcd.put("routes/checked", &checked).await;
    becomes(envoy, "/checked", "x-own", 400).await;
    assert_eq!(scripts(envoy).await, 1);
    let rule = json!({ "plugins": about("x-rule") });
    etcd.put("global_rules/1", &rule).await;
    becomes(envoy, "/checked", "x-rule", 400).await;
    assert_eq!(status(envoy, "/checked", "x-own").await, 400);
    assert_eq!(status(envoy, "/nowhere", "x-rule").await, 400);
    assert_eq!(status(envoy, "/nowhere", "x-own").await, 404);
    assert_eq!(scripts(envoy).await, 2);

    etcd.put("routes/checked", &plain).await;
    becomes(envoy, "/checked", "x-own", 200).await;
    assert_eq!(status(envoy, "/checked", "x-rule").await, 400);
    etcd.delete("global_rules/1").await;
    becomes(envoy, "/checked", "x-rule", 200).await;
    assert_eq!(scripts(envoy).await, 0);

    load.stop().await.assert_flawless();
    assert_eq!(envoy.configured().await.listeners, listeners);
}

#[tokio::test]
async fn what_checks_requests_is_there_while_a_route_asks_for_it() {
    let stage = Stage::set().await;
    comes_and_goes(&stage, &stage.envoy).await;
}

#[tokio::test]
async fn an_older_envoy_checks_requests_alike() {
    let mut stage = Stage::set().await;
    stage.envoy.process.stop().await;
    let (xds, listener) = (stage.chancery.xds(), stage.envoy.listener());
    let old = Envoy::start_release("1.36", xds, listener, stage.folder()).await;
    comes_and_goes(&stage, &old).await;
}
