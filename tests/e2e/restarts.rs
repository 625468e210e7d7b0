//! Chancery is started again and nothing has changed meanwhile: proxies keep what they have, and are sent none of it anew.

use anyhow::ensure;
use serde_json::Value;

use crate::support::chancery::Chancery;
use crate::support::consul::Memory;
use crate::support::envoy::Protocol;
use crate::support::eventually;
use crate::support::instance::Instance;
use crate::support::stage::{Stage, route_to, route_to_service};

#[tokio::test]
async fn a_restart_sends_nothing_anew_over_delta() {
    a_restart_sends_nothing_anew(Protocol::Delta).await;
}

#[tokio::test]
async fn a_restart_sends_nothing_anew_over_sotw() {
    a_restart_sends_nothing_anew(Protocol::Sotw).await;
}

async fn a_restart_sends_nothing_anew(protocol: Protocol) {
    let (mut stage, blue) = stage_with_routes(protocol).await;
    let configured = stage.envoy.configured().await;
    assert!(resources_sent(&stage, 0) > 0);
    for killed in [true, false] {
        let sent = stage.chancery.log_of("response sent").len();
        if killed {
            stage.chancery.process.kill()
        } else {
            assert!(stage.chancery.process.stop().await.success())
        }
        stage.chancery.process.start_again();
        stage.chancery.ready().await;
        is_up_to_date(&stage).await;
        assert_eq!(resources_sent(&stage, sent), 0, "killed: {killed}");
        assert_eq!(stage.envoy.configured().await, configured);
        for path in ["/hello", "/echo"] {
            assert_eq!(stage.envoy.get(path).await.instance().unwrap(), "blue");
        }
    }
    // The stream that was sent nothing takes what is new.
    stage
        .etcd
        .put("routes/new", &route_to("/new", &[&blue]))
        .await;
    stage.envoy.answers_by("/new", "blue").await;
}

/// A route to an instance that its document names, and one to an instance that Consul knows.
async fn stage_with_routes(protocol: Protocol) -> (Stage, Instance) {
    let mut stage = Stage::set_with(protocol, Memory::Forgets).await;
    stage.chancery.process.stop().await;
    stage.chancery = Chancery::serve_telling(
        stage.address,
        &stage.etcd.url(),
        &stage.consul.url(),
        stage.folder(),
    );
    stage.chancery.ready().await;
    let blue = stage.instance("blue").await;
    stage.consul.register("echo", "blue", blue.address).await;
    let routes = [
        ("routes/hello", route_to("/hello", &[&blue])),
        ("routes/echo", route_to_service("/echo", "echo")),
    ];
    for (key, route) in routes {
        stage.etcd.put(key, &route).await;
    }
    stage.envoy.answers_by("/hello", "blue").await;
    stage.envoy.answers_by("/echo", "blue").await;
    is_up_to_date(&stage).await;
    (stage, blue)
}

/// Waits until its proxy has connected and accepted everything.
async fn is_up_to_date(stage: &Stage) {
    eventually(async || {
        let answer = stage.chancery.admin("v1/nodes").await?;
        let nodes: Value = serde_json::from_str(&answer.body)?;
        ensure!(nodes["nodes"][0]["synced"] == true, "{nodes}");
        Ok(())
    })
    .await;
}

/// How many resources all responses after the first `seen` brought or took away.
fn resources_sent(stage: &Stage, seen: usize) -> usize {
    let sent = stage.chancery.log_of("response sent");
    let counts = sent.iter().skip(seen).flat_map(|response| {
        ["resources", "removed"].map(|count| response.field(count).parse::<usize>().unwrap())
    });
    counts.sum()
}
