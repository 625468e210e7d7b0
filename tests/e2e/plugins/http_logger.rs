//! What became of requests, posted to a server by `chancery logs`.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::with_plugins;
use crate::support::envoy::Envoy;
use crate::support::eventually;
use crate::support::instance::Instance;
use crate::support::logs::{self, Post, Receiver};
use crate::support::stage::{Stage, settled};

/// A stage with an Envoy of this release, or of the newest.
pub(super) async fn stage_with(release: Option<&str>) -> Stage {
    let mut stage = Stage::set().await;
    if let Some(release) = release {
        stage.envoy.process.stop().await;
        let (xds, listener) = (stage.chancery.xds(), stage.envoy.listener());
        stage.envoy = Envoy::start_release(release, xds, listener, stage.folder()).await;
    }
    stage
}

/// A route from `uri` whose requests are posted, so many together.
fn logged(uri: &str, node: &Instance, receiver: &Receiver, most: u32, more: Value) -> Value {
    let mut logger = logs::logger(&more, most);
    logger["uri"] = json!(receiver.uri("/log"));
    with_plugins(uri, node, json!({ "http-logger": logger }))
}

#[tokio::test]
async fn requests_are_posted_as_apisix_posts_them() {
    posted_by(None).await;
}

#[tokio::test]
async fn requests_of_the_oldest_envoy_are_posted_too() {
    posted_by(Some("1.36")).await;
}

async fn posted_by(release: Option<&str>) {
    let stage = stage_with(release).await;
    let (etcd, envoy) = (&stage.etcd, &stage.envoy);
    let blue = stage.instance("blue").await;
    let receiver = Receiver::start(stage.address).await;
    let file = stage.folder().join("authorizations");
    fs::write(&file, format!("{} Basic planted\n", receiver.uri("/log"))).unwrap();
    let logs = logs::logging(&stage, &["--authorization", file.to_str().unwrap()]).await;
    let jack = json!({ "username": "jack", "plugins": { "key-auth": { "key": "k" } } });
    etcd.put("consumers/jack", &jack).await;
    etcd.put("routes/quiet", &with_plugins("/quiet", &blue, json!({})))
        .await;
    // A connection that is older than the gateway's `logs` tells nothing.
    settled(etcd, &stage.chancery).await;
    let before = envoy.configured().await.listeners;

    let mut route = logged(
        "/logged/*",
        &blue,
        &receiver,
        100,
        json!({ "auth_header": "Basic written" }),
    );
    route["plugins"]["key-auth"] = json!({});
    route["plugins"]["response-rewrite"] = json!({ "headers": { "set": { "x-answer": "yes" } } });
    etcd.put("routes/logged", &route).await;
    settled(etcd, &stage.chancery).await;
    assert_eq!(
        envoy.configured().await.listeners,
        before,
        "a route changed a listener"
    );
    let dump = envoy.dump().await.unwrap();
    for secret in ["planted", "written"] {
        assert!(!dump.contains(secret), "the proxy knows a secret");
    }
    let headers = [
        ("apikey", "k"),
        ("x-a", "1"),
        ("x-a", "2"),
        ("x-consumer-username", "mallory"),
    ];
    let answer = envoy
        .send(Method::GET, "/logged/a%20b?x=1&x=2", &headers)
        .await
        .unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(envoy.get("/logged/denied").await.status, 401);
    assert_eq!(envoy.get("/quiet").await.status, 200);

    let mut entries = receiver.has(2).await;
    // Each thread of Envoy tells for itself.
    entries.sort_by_key(|entry| entry["response"]["status"].as_u64());
    let [served, denied] = &entries[..] else {
        panic!("{entries:#?}");
    };
    let listener = envoy.listener();
    let uri = "/logged/a%20b?x=1&x=2";
    assert_eq!(served["request"]["method"], "GET");
    assert_eq!(served["request"]["uri"], uri);
    assert_eq!(served["request"]["url"], format!("http://{listener}{uri}"));
    assert_eq!(served["request"]["querystring"], json!({ "x": ["1", "2"] }));
    assert_eq!(served["request"]["headers"]["host"], listener.to_string());
    assert_eq!(served["request"]["headers"]["x-a"], json!(["1", "2"]));
    assert_eq!(served["response"]["status"], 200);
    assert_eq!(served["response"]["headers"]["x-answer"], "yes");
    assert_eq!(served["route_id"], "logged");
    assert_eq!(served["service_id"], "");
    assert_eq!(served["consumer"], json!({ "username": "jack" }));
    assert_eq!(served["upstream"], blue.node());
    assert_eq!(served["client_ip"], "127.0.0.1");
    let version = served["server"]["version"].as_str().unwrap();
    assert!(version.starts_with(release.unwrap_or("1.40")), "{version}");
    let number =
        |entry: &Value, pointer: &str| entry.pointer(pointer).and_then(Value::as_f64).unwrap();
    for size in ["/request/size", "/response/size"] {
        assert!(number(served, size) > 50.0, "{served:#}");
    }
    let parts = number(served, "/upstream_latency") + number(served, "/apisix_latency");
    assert!(
        (parts - number(served, "/latency")).abs() < 0.01,
        "{served:#}"
    );
    assert_eq!(denied["response"]["status"], 401);
    assert!(
        denied.get("upstream").is_none() && denied.get("consumer").is_none(),
        "{denied:#}"
    );

    for post in receiver.posts() {
        assert_eq!((post.method, &*post.path), (Method::POST, "/log"));
        assert_eq!(post.headers["content-type"], "application/json");
        assert_eq!(post.headers["authorization"], "Basic planted");
    }
    assert_eq!(logs.metric("chancery_logs_sent_total").await.unwrap(), 2);
    assert_eq!(logs.metric("chancery_logs_entries_total").await.unwrap(), 2);
}

#[tokio::test]
async fn documents_say_what_an_entry_has_and_how_a_post_is_put_together() {
    let stage = Stage::set().await;
    let (etcd, envoy) = (&stage.etcd, &stage.envoy);
    let blue = stage.instance("blue").await;
    let receiver = Receiver::start(stage.address).await;
    let _logs = logs::logging(&stage, &[]).await;
    let metadata = json!({ "log_format": { "at": "$uri", "by": "metadata" } });
    etcd.put("plugin_metadata/http-logger", &metadata).await;
    etcd.put("services/shop", &json!({})).await;
    let mut of_service = logged("/shop/*", &blue, &receiver, 1, json!({}));
    of_service["service_id"] = json!("shop");
    etcd.put("routes/shop", &of_service).await;
    let format = json!({ "at": "$uri", "user": "$http_x_user", "status": "$status", "arg": "$arg_a", "none": "$cookie_a" });
    let lines =
        json!({ "concat_method": "new_line", "inactive_timeout": 600, "log_format": format });
    etcd.put(
        "routes/lines",
        &logged("/lines/*", &blue, &receiver, 2, lines),
    )
    .await;
    let rule = json!({ "plugins": { "http-logger": {
        "uri": receiver.uri("/rule"), "batch_max_size": 1, "log_format": { "of": "rule" },
        "_meta": { "filter": [["arg_rule", "==", "yes"]] },
    } } });
    etcd.put("global_rules/logs", &rule).await;
    settled(etcd, &stage.chancery).await;

    assert_eq!(envoy.get("/shop/cart").await.status, 200);
    for path in ["/lines/a?a=1", "/lines/b"] {
        let user = [("x-user", "ann")];
        assert_eq!(
            envoy.send(Method::GET, path, &user).await.unwrap().status,
            200
        );
    }
    // Both are told of what a rule and a route have written down; of no route, the rule alone.
    assert_eq!(envoy.get("/shop/both?rule=yes").await.status, 200);
    assert_eq!(envoy.get("/nowhere?rule=yes").await.status, 404);
    let posts = eventually(async || {
        let posts = receiver.posts();
        anyhow::ensure!(posts.len() == 5, "{posts:#?}");
        Ok(posts)
    })
    .await;
    let bodies = |path: &str| {
        let of_path = posts.iter().filter(|post| post.path == path);
        let mut bodies: Vec<_> = of_path.map(|post| post.body.clone()).collect();
        bodies.sort();
        bodies
    };
    let lines = [
        r#"{"arg":"1","at":"/lines/a","route_id":"lines","status":"200","user":"ann"}"#,
        r#"{"at":"/lines/b","route_id":"lines","status":"200","user":"ann"}"#,
    ];
    let together = |post: &&Post| {
        let mut found: Vec<_> = post.body.split('\n').collect();
        found.sort_unstable();
        found == lines
    };
    let of_lines = posts.iter().find(together).expect("both lines together");
    assert_eq!(of_lines.headers["content-type"], "text/plain");
    let of_shop = |path: &str| {
        format!(r#"{{"at":"{path}","by":"metadata","route_id":"shop","service_id":"shop"}}"#)
    };
    assert_eq!(
        bodies("/log"),
        [
            of_lines.body.clone(),
            of_shop("/shop/both"),
            of_shop("/shop/cart")
        ]
    );
    assert_eq!(
        bodies("/rule"),
        [
            r#"{"of":"rule","route_id":"shop","service_id":"shop"}"#,
            r#"{"of":"rule"}"#
        ]
    );
}

#[tokio::test]
async fn nothing_is_lost_in_silence_while_a_server_is_away() {
    let stage = Stage::set().await;
    let (etcd, envoy) = (&stage.etcd, &stage.envoy);
    let blue = stage.instance("blue").await;
    let receiver = Receiver::start(stage.address).await;
    let mut logs = logs::logging(&stage, &["--buffer", "6"]).await;
    let patient = json!({ "max_retry_count": 100_000, "retry_delay": 0, "inactive_timeout": 600, "log_format": { "at": "$uri" } });
    etcd.put(
        "routes/patient",
        &logged("/patient/*", &blue, &receiver, 2, patient),
    )
    .await;
    etcd.put(
        "routes/hasty",
        &logged("/hasty", &blue, &receiver, 1, json!({})),
    )
    .await;
    settled(etcd, &stage.chancery).await;
    receiver.answer(503);

    // A batch that is on its way; then six more wait, and two find no room.
    for number in 0..2 {
        assert_eq!(envoy.get(&format!("/patient/{number}")).await.status, 200);
    }
    eventually(async || {
        anyhow::ensure!(logs.metric("chancery_logs_failures_total").await? > 0);
        Ok(())
    })
    .await;
    for number in 2..10 {
        assert_eq!(envoy.get(&format!("/patient/{number}")).await.status, 200);
    }
    logs.counted(r#"lost_total{reason="full"}"#, 2).await;
    logs.counted("waiting", 8).await;
    // Not tried again, as its document says.
    assert_eq!(envoy.get("/hasty").await.status, 200);
    logs.counted(r#"lost_total{reason="refused"}"#, 1).await;
    assert_eq!(receiver.posts().len(), 0);

    receiver.answer(200);
    let at = |entry: &Value| entry["at"].as_str().unwrap().to_owned();
    let came: BTreeSet<_> = receiver.has(8).await.iter().map(at).collect();
    assert_eq!(came.len(), 8, "{came:?}");
    for first in ["/patient/0", "/patient/1"] {
        assert!(came.contains(first), "{came:?}");
    }
    logs.counted("sent_total", 8).await;
    logs.counted("waiting", 0).await;

    // What waits for its batch is posted before the process ends, and all that is lost is said.
    let slow =
        json!({ "inactive_timeout": 600, "buffer_duration": 600, "log_format": { "at": "$uri" } });
    etcd.put("routes/slow", &logged("/slow", &blue, &receiver, 100, slow))
        .await;
    settled(etcd, &stage.chancery).await;
    assert_eq!(envoy.get("/slow").await.status, 200);
    logs.counted("waiting", 1).await;
    assert!(logs.process.stop().await.success());
    assert_eq!(at(&receiver.has(9).await[8]), "/slow");
    let output = logs.process.output();
    for said in [
        "a target does not take entries",
        "entries are lost reason=\"full\"",
        "entries are lost reason=\"refused\"",
    ] {
        assert!(output.contains(said), "{said}: {output}");
    }

    // Envoy finds it again by itself.
    logs.process.start_again();
    logs.listens().await;
    eventually(async || {
        assert_eq!(envoy.get("/patient/again").await.status, 200);
        tokio::time::sleep(Duration::from_millis(500)).await;
        anyhow::ensure!(receiver.entries().len() > 9, "nothing came");
        Ok(())
    })
    .await;
}
