//! What can be asked for, what is refused, and how long it holds.

use anyhow::ensure;
use futures_util::future::join;
use reqwest::Method;
use serde_json::json;

use super::{call, drain, is_left_out, pass_in_consul, staged, undrain, wish};
use crate::support::eventually;
use crate::support::load::Load;

#[tokio::test]
async fn the_same_instance_drained_twice_at_once_is_one_drain() {
    let (stage, [a, _b]) = staged().await;
    let same = || drain(&stage.chancery, wish(a.address));
    let (one, other) = join(same(), same()).await;
    let mut statuses = [one.0, other.0];
    statuses.sort();
    assert_eq!(statuses, [200, 201], "{one:?} {other:?}");
    assert_eq!(one.1["drain"]["id"], other.1["drain"]["id"]);
    assert_eq!(same().await.0, 200, "and so is it later");
    is_left_out(&stage, "a").await;
    let (status, _) = undrain(&stage.chancery, &one.1).await;
    assert_eq!(status, 200);
    assert_eq!(undrain(&stage.chancery, &one.1).await.0, 404);
    stage.envoy.answers_by_all("/echo", &["a", "b"]).await;
}

#[tokio::test]
async fn what_cannot_be_drained_is_refused_with_the_reason() {
    let (stage, [a, b]) = staged().await;
    for (wish, status, said) in [
        (json!({ "address": "a.example" }), 400, "IP address"),
        (
            json!({ "address": "10.0.0.1", "ttl": "1s" }),
            400,
            "10s to 24h",
        ),
        (
            json!({ "address": "10.0.0.1", "wait": "soon" }),
            400,
            "wait: found `soon`",
        ),
        (json!({ "adress": "10.0.0.1" }), 400, "adress"),
        (
            json!({ "address": "10.9.9.9" }),
            404,
            "no service that documents name",
        ),
        (
            json!({ "address": stage.address, "service": "other" }),
            404,
            "other",
        ),
        (
            json!({ "address": stage.address }),
            400,
            "several instances",
        ),
    ] {
        let (found, answer) = drain(&stage.chancery, wish).await;
        let message = answer["message"].as_str().unwrap_or_default();
        assert!(
            found == status && message.contains(said),
            "{found} {answer}"
        );
    }
    assert_eq!(drain(&stage.chancery, wish(a.address)).await.0, 201);
    let (status, answer) = drain(&stage.chancery, wish(b.address)).await;
    assert_eq!(status, 409, "{answer}");
    assert!(answer["message"].as_str().unwrap().contains("last healthy"));
    stage.envoy.answers_by_all("/echo", &["b"]).await;
    assert_eq!(stage.consul.passing("echo").await, ["b"]);

    let mut forced = wish(b.address);
    forced["force"] = json!(true);
    assert_eq!(drain(&stage.chancery, forced).await.0, 201);
    assert_eq!(stage.envoy.get("/echo").await.status, 503);
}

#[tokio::test]
async fn a_drain_ends_by_itself() {
    let (stage, [a, _b]) = staged().await;
    let mut asked = wish(a.address);
    asked["ttl"] = json!("20s");
    assert_eq!(drain(&stage.chancery, asked).await.0, 201);
    assert_eq!(stage.consul.passing("echo").await, ["b"]);
    // The lease, and whoever notices that it has ended.
    pass_in_consul(&stage, &["a", "b"]).await;
    stage.envoy.answers_by_all("/echo", &["a", "b"]).await;
    eventually(async || {
        let said = stage.chancery.log_of("audit");
        let expired = said.iter().any(|line| line.field("action") == "expire");
        ensure!(expired, "{said:?}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_the_registry_says_later_does_not_bring_an_instance_back() {
    let (stage, [a, _b]) = staged().await;
    assert_eq!(drain(&stage.chancery, wish(a.address)).await.0, 201);
    // Somebody ends the maintenance, and registers it once more under its own id.
    stage.consul.maintenance("a", false).await;
    stage.consul.register("echo", "a", a.address).await;
    assert_eq!(stage.consul.passing("echo").await, ["a", "b"]);
    let c = stage.instance("c").await;
    stage.consul.register("echo", "c", c.address).await;
    stage.envoy.answers_by_all("/echo", &["b", "c"]).await;
    is_left_out(&stage, "a").await;
    // Under a new id it is a new instance.
    stage.consul.deregister("a").await;
    stage.consul.register("echo", "a-2", a.address).await;
    stage.envoy.answers_by_all("/echo", &["a", "b", "c"]).await;
}

#[tokio::test]
async fn an_endpoint_may_stay_as_draining() {
    let (stage, [a, _b]) = staged().await;
    let load = Load::on(&stage.envoy.url("/echo"), 200);
    let mut asked = wish(a.address);
    asked["mode"] = json!("draining");
    assert_eq!(drain(&stage.chancery, asked).await.0, 201);
    let path = "v1/snapshots/default?type=endpoints";
    let (_, snapshot) = call(&stage.chancery, Method::GET, path, None).await;
    let text = snapshot.to_string();
    assert!(text.contains(r#""healthStatus":"DRAINING""#), "{text}");
    for _ in 0..20 {
        assert_eq!(stage.envoy.get("/echo").await.instance().unwrap(), "b");
    }
    load.stop().await.assert_flawless();
}
