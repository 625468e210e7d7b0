//! Plugins that tell of requests.

use reqwest::Method;
use serde_json::json;

use super::with_plugins;
use crate::support::eventually;
use crate::support::stage::{Stage, gateway};

#[tokio::test]
async fn a_route_says_which_requests_become_spans() {
    let stage = Stage::set().await;
    let (etcd, envoy) = (&stage.etcd, &stage.envoy);
    let blue = stage.instance("blue").await;
    let collector = stage.instance("collector").await;
    let nodes = json!({ "nodes": { collector.node(): 1 } });
    etcd.put("upstreams/zipkin", &nodes).await;
    let mut tracing = gateway(envoy.listener());
    tracing["tracing"] = json!({ "provider": "zipkin", "upstream_id": "zipkin", "sampling": 0 });
    etcd.put("gateways/default", &tracing).await;
    etcd.put("routes/quiet", &with_plugins("/quiet", &blue, json!({})))
        .await;
    envoy.answers_by("/quiet", "blue").await;
    let sampled = async |path: &str| {
        let seen = envoy.try_get(path).await?.seen()?;
        anyhow::Ok(seen["headers"]["x-b3-sampled"].clone())
    };
    eventually(async || {
        let found = sampled("/quiet").await?;
        anyhow::ensure!(found == "0", "found {found}");
        Ok(())
    })
    .await;

    let before = envoy.configured().await.listeners;
    let zipkin =
        json!({ "zipkin": { "endpoint": "http://elsewhere/api/v2/spans", "sample_ratio": 1 } });
    etcd.put("routes/zipkin", &with_plugins("/zipkin", &blue, zipkin))
        .await;
    let otel = json!({ "opentelemetry": {
        "sampler": { "name": "always_on" }, "additional_attributes": ["http_x_user"],
    } });
    etcd.put("routes/otel", &with_plugins("/otel", &blue, otel))
        .await;
    for path in ["/zipkin", "/otel"] {
        envoy.answers_by(path, "blue").await;
        assert_eq!(sampled(path).await.unwrap(), "1", "of {path}");
    }
    assert_eq!(sampled("/quiet").await.unwrap(), "0");
    assert_eq!(envoy.configured().await.listeners, before);
    eventually(async || {
        let answered = "cluster.upstream/zipkin.upstream_rq_200";
        anyhow::ensure!(envoy.stat(answered).await > 0, "no spans arrived");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_route_is_counted_by_itself() {
    let stage = Stage::set().await;
    let (etcd, envoy) = (&stage.etcd, &stage.envoy);
    let blue = stage.instance("blue").await;
    let by_id = with_plugins("/id", &blue, json!({ "prometheus": {} }));
    etcd.put("routes/by.id", &by_id).await;
    let mut by_name = with_plugins(
        "/name",
        &blue,
        json!({ "prometheus": { "prefer_name": true } }),
    );
    by_name["name"] = json!("the shop");
    etcd.put("routes/by.name", &by_name).await;
    envoy.answers_by("/id", "blue").await;
    envoy.answers_by("/name", "blue").await;
    for (path, name) in [("/id", "by_id"), ("/name", "the_shop")] {
        let statistic = format!("vhost.*.route.{name}.upstream_rq_total");
        let before = envoy.stat(&statistic).await;
        assert!(before > 0, "{statistic} counts nothing");
        for _ in 0..3 {
            envoy.send(Method::GET, path, &[]).await.unwrap();
        }
        assert_eq!(envoy.stat(&statistic).await, before + 3, "{statistic}");
    }
}
