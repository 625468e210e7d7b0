//! What is shown of services: `GET /v1/services` and `chancery services`.

use std::time::{Duration, SystemTime};

use anyhow::ensure;
use serde_json::{Value, json};

use super::{instance, read, route};
use crate::support::stage::Stage;
use crate::support::{PATIENTLY, eventually};

/// The reasons why an instance is left out, by load assignment.
fn left_out(services: &Value, instance: &str) -> Value {
    let instances = services["services"][0]["instances"].as_array().unwrap();
    let id = |one: &&Value| {
        one["id"]
            .as_str()
            .unwrap()
            .ends_with(&format!("/{instance}"))
    };
    instances.iter().find(id).unwrap()["leftOut"].clone()
}

#[tokio::test]
async fn who_was_answered_who_uses_it_and_why_others_are_left_out() {
    let stage = Stage::set().await;
    let began = SystemTime::now() - Duration::from_secs(1);
    let _a = instance(&stage, "a", json!({ "Tags": ["v1"] })).await;
    let _b = instance(&stage, "b", json!({ "Tags": ["v2"] })).await;
    let c = instance(&stage, "c", json!({ "Tags": ["v2"] })).await;
    let _d = instance(&stage, "d", json!({ "Tags": ["v2"] })).await;
    stage.consul.warn_check("b").await;
    stage.consul.fail_check("d").await;
    stage
        .etcd
        .put("routes/all", &route("/all", json!({})))
        .await;
    stage
        .etcd
        .put("routes/v2", &route("/v2", json!({ "tag": "v2" })))
        .await;
    stage.envoy.answers_by_all("/all", &["a", "c"]).await;
    stage.envoy.answers_by_all("/v2", &["c"]).await;

    let shown = read(&stage, "v1/services").await;
    let service = &shown["services"][0];
    assert_eq!(service["answered"], true);
    let confirmed = service["confirmed"].as_str().unwrap();
    let confirmed = humantime::parse_rfc3339(confirmed).unwrap();
    assert!(
        began <= confirmed && confirmed <= SystemTime::now(),
        "{shown}"
    );
    let selected = [
        &service["uses"][0]["selected"],
        &service["uses"][1]["selected"],
    ];
    assert_eq!(selected, [2, 1], "{shown}");
    let (all, v2) = ("consul/echo", "consul/echo?tag=v2");
    let warning = "warning, and passing_only is true";
    assert_eq!(left_out(&shown, "a"), json!({ v2: "it has no tag \"v2\"" }));
    assert_eq!(left_out(&shown, "b"), json!({ all: warning, v2: warning }));
    assert_eq!(left_out(&shown, "c"), json!({}));
    assert_eq!(
        left_out(&shown, "d"),
        json!({ all: "critical", v2: "critical" })
    );

    // A drain sets maintenance at the agent too, but is the reason.
    let at = c.address.to_string();
    let drained = stage
        .chancery
        .ask(&["drain", &at, "--wait", PATIENTLY, "--force"])
        .await;
    assert!(drained.status.success(), "{drained:?}");
    let shown = read(&stage, "v1/services?name=echo").await;
    // The other's tag is no reason, as it would have got traffic.
    assert_eq!(
        left_out(&shown, "c"),
        json!({ all: "drained", v2: "drained" })
    );
    assert_eq!(shown["services"][0]["uses"][1]["selected"], 0, "{shown}");

    let output = stage.chancery.ask(&["services"]).await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    for words in [
        "consul/echo",
        "4 for routes/all, routes/v2",
        "consul/echo: drained",
        warning,
    ] {
        assert!(text.contains(words), "{words:?} is not in:\n{text}");
    }
    let output = stage
        .chancery
        .ask(&["services", "echo", "-o", "json"])
        .await;
    let by_command: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(left_out(&by_command, "c"), left_out(&shown, "c"));
}

#[tokio::test]
async fn a_service_that_never_answered_says_so() {
    let mut stage = Stage::set().await;
    stage.consul.process.kill();
    stage
        .etcd
        .put("routes/echo", &route("/echo", json!({})))
        .await;
    eventually(async || {
        let shown = read(&stage, "v1/services").await;
        let services = shown["services"].as_array().unwrap();
        ensure!(services.len() == 1, "{shown}");
        ensure!(services[0]["answered"] == false, "{shown}");
        Ok(())
    })
    .await;
    let output = stage.chancery.ask(&["services"]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8(output.stdout).unwrap().contains("never"));
    let shown = read(&stage, "v1/services?name=other").await;
    assert_eq!(shown["services"], json!([]));
}
