//! Plugins that tell of requests.

use reqwest::Method;
use serde_json::{Value, json};

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
async fn a_route_writes_its_requests_to_a_file() {
    let stage = Stage::set().await;
    let (etcd, envoy) = (&stage.etcd, &stage.envoy);
    let blue = stage.instance("blue").await;
    etcd.put("routes/quiet", &with_plugins("/quiet", &blue, json!({})))
        .await;
    envoy.answers_by("/quiet", "blue").await;
    let before = envoy.configured().await.listeners;
    let file = stage.folder().join("requests.log");
    let logger = json!({ "file-logger": {
        "path": file.to_str().unwrap(),
        "log_format": {
            "at": "$uri", "status": "$status", "from": "a file",
            "client": { "user": "$http_x_user", "none": { "at": "$http_x_nothing" } },
        },
        "match": [[["arg_log", "==", "yes"]]],
    } });
    etcd.put("routes/logged", &with_plugins("/logged/*", &blue, logger))
        .await;
    envoy.answers_by("/logged/quiet", "blue").await;
    let user = [("x-user", "ann")];
    for path in ["/logged/a?log=yes", "/logged/b?log=no", "/quiet?log=yes"] {
        let answer = envoy.send(Method::GET, path, &user).await.unwrap();
        assert_eq!(answer.instance().unwrap(), "blue");
    }
    let answer = envoy.send(Method::POST, "/logged/c?log=yes", &[]).await;
    assert_eq!(answer.unwrap().seen().unwrap()["method"], "POST");
    let line = |at: &str, user: Option<&str>| {
        let mut line = json!({ "at": at, "status": 200, "from": "a file", "route_id": "logged" });
        // Of an object a line has what the request has.
        if let Some(user) = user {
            line["client"] = json!({ "user": user });
        }
        line
    };
    eventually(async || {
        let text = std::fs::read_to_string(&file)?;
        let lines: Result<Vec<Value>, _> = text.lines().map(serde_json::from_str).collect();
        let lines = lines?;
        anyhow::ensure!(lines.len() >= 2, "only {lines:?}");
        assert_eq!(
            lines,
            [line("/logged/a", Some("ann")), line("/logged/c", None)]
        );
        Ok(())
    })
    .await;
    assert_eq!(envoy.configured().await.listeners, before);
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
