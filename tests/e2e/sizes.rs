//! Documents as large as they may be, and larger ones: whatever they cost, nobody else notices. The control API answers, the Envoy's
//! stream and the replica's lease stay, and requests are served.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use etcd_client::Client;
use reqwest::Method;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use crate::draining::call;
use crate::support::certificates::Authority;
use crate::support::etcd::PREFIX;
use crate::support::http;
use crate::support::load::Load;
use crate::support::stage::{Stage, route_to};

/// How long `/healthz` may take on a machine that others use too; a lease lasts as long.
const HEALTHY: Duration = Duration::from_secs(10);

fn list(count: usize, item: impl Fn(usize) -> String) -> Value {
    (0..count).map(item).collect()
}

fn uris(count: usize) -> Value {
    list(count, |at| format!("/p/{at}"))
}

fn hosts(count: usize) -> Value {
    list(count, |at| format!("h{at}.example.com"))
}

fn ranges(count: usize) -> Value {
    list(count, |at| {
        format!("10.{}.{}.128/25", at / 256 % 256, at % 256)
    })
}

fn gateways(count: usize) -> Value {
    list(count, |at| match at {
        0 => "default".to_owned(),
        at => format!("gateway-{at}"),
    })
}

fn nodes(count: usize) -> Value {
    let node = |at: usize| (format!("10.1.{}.{}:80", at / 256, at % 256), json!(1));
    Value::Object((0..count).map(node).collect::<Map<_, _>>())
}

fn route(fields: Value) -> Value {
    let mut route = json!({ "uri": "/large", "upstream": { "nodes": { "10.1.0.1:80": 1 } } });
    for (name, value) in fields.as_object().unwrap() {
        route[name] = value.clone();
    }
    if fields.get("uris").is_some() {
        route.as_object_mut().unwrap().remove("uri");
    }
    route
}

fn listeners(count: usize) -> Value {
    let listener = |at: usize| json!({ "name": format!("l{at}"), "port": 10_000 + at });
    json!({ "listeners": (0..count).map(listener).collect::<Value>() })
}

fn restricted(count: usize) -> Value {
    json!({ "ip-restriction": { "blacklist": ranges(count) } })
}

/// At the bounds: Envoy takes them.
fn largest(authority: &Authority) -> Vec<(&'static str, Value)> {
    let identity = authority.identity(&["h0.example.com"]);
    let ssl = json!({ "snis": hosts(512), "cert": identity.cert, "key": identity.key });
    vec![
        (
            "routes/large",
            route(json!({ "uris": uris(512), "hosts": hosts(8) })),
        ),
        (
            "routes/large",
            route(json!({ "uris": uris(8), "hosts": hosts(512) })),
        ),
        (
            "routes/large",
            route(json!({ "remote_addrs": ranges(4096) })),
        ),
        (
            "routes/large",
            route(json!({ "plugins": restricted(4096) })),
        ),
        ("routes/large", route(json!({ "gateways": gateways(64) }))),
        (
            "routes/large",
            route(json!({ "upstream": { "nodes": nodes(4096) } })),
        ),
        ("upstreams/large", json!({ "nodes": nodes(4096) })),
        (
            "services/large",
            json!({ "hosts": hosts(512), "upstream": { "nodes": nodes(4096) } }),
        ),
        (
            "plugin_configs/large",
            json!({ "plugins": restricted(4096) }),
        ),
        ("gateways/large", listeners(64)),
        ("ssls/large", ssl),
    ]
}

/// Beyond them, as far as etcd takes them: refused.
fn beyond(authority: &Authority) -> Vec<(&'static str, Value)> {
    let identity = authority.identity(&["h0.example.com"]);
    let ssl = json!({ "snis": hosts(30_000), "cert": identity.cert, "key": identity.key });
    vec![
        (
            "routes/large",
            route(json!({ "uris": uris(512), "hosts": hosts(512) })),
        ),
        (
            "routes/large",
            route(json!({ "uris": uris(3000), "hosts": hosts(3000) })),
        ),
        ("routes/large", route(json!({ "uris": uris(90_000) }))),
        ("routes/large", route(json!({ "hosts": hosts(50_000) }))),
        (
            "routes/large",
            route(json!({ "remote_addrs": ranges(60_000) })),
        ),
        (
            "routes/large",
            route(json!({ "plugins": restricted(60_000) })),
        ),
        (
            "routes/large",
            route(json!({ "gateways": gateways(80_000) })),
        ),
        ("upstreams/large", json!({ "nodes": nodes(60_000) })),
        (
            "services/large",
            json!({ "hosts": hosts(50_000), "upstream": { "nodes": nodes(1) } }),
        ),
        (
            "plugin_configs/large",
            json!({ "plugins": restricted(60_000) }),
        ),
        ("gateways/large", listeners(20_000)),
        ("ssls/large", ssl),
    ]
}

#[tokio::test]
async fn documents_of_any_size_are_nobody_elses_matter() {
    let stage = Stage::set().await;
    let blue = stage.instance("blue").await;
    let hello = route_to("/hello", &[&blue]);
    stage.etcd.put("routes/hello", &hello).await;
    stage.envoy.answers_by("/hello", "blue").await;
    let load = Load::on(&stage.envoy.url("/hello"), 50);
    let (asked, stop) = (Arc::new(AtomicUsize::new(0)), CancellationToken::new());
    let url = format!("{}/healthz", stage.chancery.url());
    let healthy = tokio::spawn(stays_healthy(url, asked.clone(), stop.clone()));
    let before = (connected(&stage).await, lease(&stage).await);

    let authority = Authority::new();
    for (key, document) in largest(&authority) {
        let (status, answer) = write(&stage, key, &document).await;
        assert_eq!(
            (status, &answer["confirmed"]),
            (200, &json!(true)),
            "{key}: {answer}"
        );
        still(&stage, &before).await;
        stage.etcd.delete(key).await;
    }
    for (key, document) in beyond(&authority) {
        let (_, answer) = write(&stage, key, &document).await;
        assert_eq!(answer["rejected"][0]["document"], key, "{answer}");
        still(&stage, &before).await;
        stage.etcd.delete(key).await;
    }
    load.stop().await.assert_flawless();
    stop.cancel();
    healthy.await.unwrap();
    assert!(asked.load(Ordering::Relaxed) > 0);
}

/// Writes a document and waits for what becomes of it.
async fn write(stage: &Stage, key: &str, document: &Value) -> (u16, Value) {
    let revision = stage.etcd.write(key, document).await;
    let path = format!("v1/wait?revision={revision}&timeout=180s");
    call(&stage.chancery, Method::GET, &path, None).await
}

/// The Envoy's stream and the replica's lease are those that they were.
async fn still(stage: &Stage, before: &(Value, i64)) {
    assert_eq!((connected(stage).await, lease(stage).await), *before);
}

/// Since when the Envoy is connected.
async fn connected(stage: &Stage) -> Value {
    let (_, nodes) = call(&stage.chancery, Method::GET, "v1/nodes", None).await;
    nodes["nodes"][0]["connected"].clone()
}

/// The lease of the replica's record.
async fn lease(stage: &Stage) -> i64 {
    crate::support::eventually(async || {
        let mut etcd = Client::connect([stage.etcd.url()], None).await?;
        let options = etcd_client::GetOptions::new().with_prefix();
        let records = etcd
            .get(format!("{PREFIX}/replicas/"), Some(options))
            .await?;
        let lease = records.kvs().first().map(etcd_client::KeyValue::lease);
        lease.ok_or_else(|| anyhow::anyhow!("no record"))
    })
    .await
}

async fn stays_healthy(url: String, asked: Arc<AtomicUsize>, stop: CancellationToken) {
    let client = http::client();
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let answer = http::send(&client, Method::GET, &url, &[]);
        let answer = tokio::time::timeout(HEALTHY, answer).await;
        assert_eq!(answer.expect("no answer in time").unwrap().status, 200);
        asked.fetch_add(1, Ordering::Relaxed);
    }
}
