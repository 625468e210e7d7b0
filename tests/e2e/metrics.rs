//! What `/metrics` says of changes, calls and the process, with the real servers.

use std::collections::BTreeSet;

use anyhow::ensure;
use regex::Regex;
use serde_json::json;

use crate::support::admin::Admin;
use crate::support::eventually;
use crate::support::stage::{Stage, route_to, route_to_service};

const CHANGES: &str = "chancery_change_seconds_count";

/// The labels that there are: none of them is about a proxy, an address or what a caller writes.
const LABELS: &str =
    "gateway type source reason name protocol version profile ssl route method status le";

/// Waits until one more change has been counted.
async fn is_counted(stage: &Stage, before: f64) -> f64 {
    let mut counted = 0.0;
    eventually(async || {
        // There is none before the first.
        counted = stage.chancery.metric(CHANGES).await.unwrap_or(0.0);
        ensure!(counted > before, "{counted} changes are counted");
        Ok(())
    })
    .await;
    counted
}

#[tokio::test]
async fn changes_are_counted_once_envoy_has_them_and_no_label_is_from_outside() {
    let stage = Stage::set().await;
    let blue = stage.instance("blue").await;
    let route = route_to("/hello", &[&blue]);
    stage.etcd.put("routes/hello", &route).await;
    stage.envoy.answers_by("/hello", "blue").await;
    // What Envoy met when it came is not counted.
    let route = route_to("/again", &[&blue]);
    stage.etcd.put("routes/again", &route).await;
    let documents = is_counted(&stage, 0.0).await;
    // What Consul tells is a change as well.
    stage.consul.register("echo", "blue", blue.address).await;
    let route = route_to_service("/echo", "echo");
    stage.etcd.put("routes/echo", &route).await;
    stage.envoy.answers_by("/echo", "blue").await;
    let routed = is_counted(&stage, documents).await;
    let green = stage.instance("green").await;
    stage.consul.register("echo", "green", green.address).await;
    is_counted(&stage, routed).await;
    for source in ["etcd", "consul"] {
        let told = format!("chancery_source_events_total{{source=\"{source}\"}}");
        assert!(stage.chancery.metric(&told).await.unwrap() >= 1.0);
    }

    let admin = Admin::new(&stage.chancery.url());
    let written = admin.put("/routes/secret-1", &json!({ "uri": 7 })).await;
    assert_eq!(written.status, 400, "{written:?}");
    let unknown = admin.get("/secret-2/secret-3?api_key=secret-4").await;
    assert_eq!(unknown.status, 404, "{unknown:?}");
    let text = stage.chancery.admin("metrics").await.unwrap().body;
    let refused = r#"chancery_http_requests_total{route="/apisix/admin/routes/{id}",method="PUT",status="400"} 1"#;
    let other = r#"chancery_http_requests_total{route="other",method="GET",status="404"} 1"#;
    for line in [refused, other, "chancery_replicas 1"] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
    let label = Regex::new(r#"([a-z_]+)="([^"]*)""#).unwrap();
    let known: BTreeSet<&str> = LABELS.split(' ').collect();
    for found in label.captures_iter(&text) {
        assert!(known.contains(&found[1]), "{} in {text}", &found[0]);
        let value = &found[2];
        let outside = ["secret-", "127.0.0.", "://", "envoy-"];
        let is_from_outside = outside.iter().any(|part| value.contains(part));
        assert!(!is_from_outside, "{} in {text}", &found[0]);
    }
}
