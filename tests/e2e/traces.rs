//! Traces of changes, from the write to the last proxy, as a collector is sent them.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::admin::Admin;
use crate::support::chancery::Chancery;
use crate::support::collector::{Collector, HEADER, Span};
use crate::support::envoy::{Envoy, Protocol};
use crate::support::etcd::Etcd;
use crate::support::stage::gateway;
use crate::support::{PATIENTLY, eventually, own_address};

const DROPPED: &str = "chancery_trace_spans_dropped_total";
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";
/// What happens at the replica that writes, and what at each that sees it.
const WRITTEN: [&str; 2] = ["change", "etcd.txn"];
const SEEN: [&str; 4] = ["store.event", "translate", "publish", "xds.push"];
/// Regular expressions of more than 30 instructions are refused.
const STRICT: &[&str] = &[
    "--config-yaml",
    "layered_runtime: { layers: [{ name: strict, static_layer: { re2: { max_program_size: { error_level: 30 } } } }] }",
];

/// An etcd, a gateway, and where a collector may be.
struct Scene {
    etcd: Etcd,
    collector: Ipv4Addr,
    listener: SocketAddr,
    folder: TempDir,
}

/// A Chancery and its Envoy, in a folder of their own.
struct Replica {
    _envoy: Envoy,
    chancery: Chancery,
    admin: Admin,
    _folder: TempDir,
}

impl Scene {
    async fn set() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let etcd = Etcd::start(own_address(), folder.path()).await;
        let listener = SocketAddr::from((own_address(), 9080));
        etcd.put("gateways/default", &gateway(listener)).await;
        etcd.put("routes/first", &route("/first")).await;
        Self {
            etcd,
            collector: own_address(),
            listener,
            folder,
        }
    }

    /// One that sends traces, with an Envoy that has all there is.
    async fn replica(&self, id: &str, protocol: &str, settings: &[&str]) -> Replica {
        let folder = tempfile::tempdir().unwrap();
        let [grpc, http] = Collector::urls(self.collector);
        let url = if protocol == "grpc" { grpc } else { http };
        let traces = ["--otlp-traces", &url, "--otlp-traces-protocol", protocol];
        let own = [&["--replica-id", id], &traces[..]].concat();
        let variable = format!("OTEL_EXPORTER_OTLP_HEADERS={HEADER}");
        let (address, etcd) = (own_address(), self.etcd.url());
        let mut chancery =
            Chancery::serve_etcd_within(&variable, address, &etcd, &own, folder.path());
        chancery.ready().await;
        let (xds, delta) = (chancery.xds(), Protocol::Delta);
        let envoy = Envoy::start_with(
            "default",
            delta,
            xds,
            self.listener,
            folder.path(),
            settings,
        );
        let envoy = envoy.await;
        eventually(async || {
            let nodes: Value = serde_json::from_str(&chancery.admin("v1/nodes").await?.body)?;
            ensure!(nodes["nodes"][0]["synced"] == true, "{nodes}");
            Ok(())
        })
        .await;
        Replica {
            _envoy: envoy,
            admin: Admin::new(&chancery.url()),
            chancery,
            _folder: folder,
        }
    }
}

impl Replica {
    /// Writes a route as part of a trace of the caller's.
    async fn put(&self, path: &str, route: &Value) {
        let traceparent = format!("00-{TRACE}-{CALLER}-01");
        let headers = [("traceparent", &*traceparent)];
        let path = format!("{path}?wait={PATIENTLY}");
        let put = self.admin.send("PUT", &path, &headers, route.to_string());
        let written = put.await.unwrap();
        assert!(matches!(written.status, 200..=202), "{written:?}");
    }
}

fn route(uri: &str) -> Value {
    json!({ "uri": uri, "plugins": { "mocking": { "response_example": "here" } } })
}

/// The spans of a replica, each below the one before; the first is below `parent`.
fn chain(spans: &[Span], instance: &str, parent: &str, names: &[&str]) -> anyhow::Result<Span> {
    let mut parent = parent.to_owned();
    let mut last = None;
    for name in names {
        let found = spans
            .iter()
            .find(|it| it.instance == instance && it.name == *name && it.parent == parent);
        let found = found
            .with_context(|| format!("no {name} of {instance} below {parent} in {spans:#?}"))?;
        ensure!(found.began <= found.ended, "{found:?}");
        parent = found.id.clone();
        last = Some(found.clone());
    }
    last.context("no names")
}

fn of_trace(collector: &Collector, trace: &str) -> Vec<Span> {
    let mut spans = collector.spans();
    spans.retain(|span| span.trace == trace);
    spans
}

#[tokio::test]
async fn a_trace_goes_from_the_caller_over_all_replicas_to_the_last_ack() {
    let scene = Scene::set().await;
    let collector = Collector::start(scene.collector).await;
    let a = scene.replica("a", "grpc", &[]).await;
    let b = scene.replica("b", "http", &[]).await;
    a.put("/routes/traced", &route("/traced")).await;
    let spans = eventually(async || {
        let spans = of_trace(&collector, TRACE);
        let txn = chain(&spans, "a", CALLER, &WRITTEN)?;
        for instance in ["a", "b"] {
            let names = [&SEEN[..], &["ack"]].concat();
            let ack = chain(&spans, instance, &txn.id, &names)?;
            let node = &ack.attributes["chancery.node"];
            ensure!(!node.is_empty(), "{ack:?}");
        }
        Ok(spans)
    })
    .await;
    assert_eq!(spans.len(), 2 + 2 * 5, "{spans:#?}");
    let errors = spans.iter().filter(|span| span.error.is_some());
    assert_eq!(errors.count(), 0, "{spans:#?}");
    let txn = spans.iter().find(|span| span.name == "etcd.txn").unwrap();
    let revision = &txn.attributes["chancery.revision"];
    let events = spans.iter().filter(|span| span.name == "store.event");
    for event in events {
        assert_eq!(&event.attributes["chancery.revision"], revision);
    }
    // What is in the document is in no span.
    assert!(!format!("{spans:?}").contains("here"), "{spans:#?}");
    // The record says which trace it was.
    let history = a.chancery.admin("v1/history?document=routes/traced");
    let history: Value = serde_json::from_str(&history.await.unwrap().body).unwrap();
    let kept = history["entries"][0]["trace"].as_str().unwrap();
    assert_eq!(kept, format!("00-{TRACE}-{}-01", txn.id));

    // Whoever writes beside the Admin API begins a trace at each replica.
    let beside = scene.etcd.write("routes/beside", &route("/beside")).await;
    eventually(async || {
        let spans = collector.spans();
        for instance in ["a", "b"] {
            let is_first = |span: &&Span| {
                span.instance == instance
                    && span.name == "store.event"
                    && span.attributes["chancery.revision"] == beside.to_string()
            };
            let first = spans.iter().find(is_first).context("no event yet")?;
            ensure!(first.parent.is_empty(), "{first:?}");
            let names = ["translate", "publish", "xds.push", "ack"];
            chain(&spans, instance, &first.id, &names)?;
        }
        Ok(())
    })
    .await;
    assert_eq!(of_trace(&collector, TRACE).len(), spans.len());
    for replica in [&a, &b] {
        let dropped = replica.chancery.metric(DROPPED).await;
        assert!(dropped.is_err(), "{dropped:?}");
    }
    let _ = &scene.folder;
}

#[tokio::test]
async fn a_change_that_a_proxy_refuses_ends_in_a_nack_with_the_reason() {
    let scene = Scene::set().await;
    let collector = Collector::start(scene.collector).await;
    let strict = scene.replica("strict", "grpc", STRICT).await;
    let mut refused = route("/refused");
    refused["plugins"] =
        json!({ "proxy-rewrite": { "regex_uri": ["^/[a-z]{20}/([0-9]{20})$", "/$1"] } });
    refused["upstream"] = json!({ "nodes": { "127.0.0.1:1": 1 } });
    strict.put("/routes/refused", &refused).await;
    eventually(async || {
        let spans = of_trace(&collector, TRACE);
        let txn = chain(&spans, "strict", CALLER, &WRITTEN)?;
        let push = chain(&spans, "strict", &txn.id, &SEEN)?;
        ensure!(push.error.is_some(), "{push:?}");
        let nack = chain(&spans, "strict", &push.id, &["nack"])?;
        let error = nack.error.clone().unwrap_or_default();
        ensure!(error.contains("program size"), "{nack:?}");
        ensure!(nack.attributes["chancery.type"] == "routes", "{nack:?}");
        // What is accepted in its place is not what was written.
        ensure!(spans.iter().all(|span| span.name != "ack"), "{spans:#?}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_collector_that_is_away_costs_a_counter_and_nothing_else() {
    let scene = Scene::set().await;
    let alone = scene.replica("alone", "grpc", &[]).await;
    let began = Instant::now();
    for n in 0..20 {
        let path = format!("/routes/r{n}");
        alone.put(&path, &route(&format!("/{n}"))).await;
    }
    // Each would wait for seconds if it waited for a collector.
    let took = began.elapsed();
    assert!(took < Duration::from_secs(60), "{took:?}");
    eventually(async || {
        let dropped = alone.chancery.metric(DROPPED).await?;
        ensure!(dropped >= 20.0, "{dropped}");
        Ok(())
    })
    .await;
    let away = "traces do not reach the collector";
    assert_eq!(alone.chancery.log_of(away).len(), 1);
    let collector = Collector::start(scene.collector).await;
    eventually(async || {
        alone.put("/routes/again", &route("/again")).await;
        let spans = of_trace(&collector, TRACE);
        let acks = spans.iter().filter(|span| span.name == "ack");
        ensure!(acks.count() > 0, "{spans:#?}");
        Ok(())
    })
    .await;
    alone
        .chancery
        .logs(0, "traces reach the collector again")
        .await;
}
