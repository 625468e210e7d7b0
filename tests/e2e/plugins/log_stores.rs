//! What became of requests, posted by `chancery logs` to what keeps and finds it again: Loki, Elasticsearch, ClickHouse.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, SystemTime};

use reqwest::Method;
use serde_json::{Value, json};

use super::loggers::{logged, paths};
use crate::support::eventually;
use crate::support::logs::{self, Post, Receiver};
use crate::support::stage::{Stage, settled};

/// The streams of a post: labels, and for each entry when it was and what it says.
fn streams(post: &Post) -> Vec<(Value, Vec<Value>)> {
    let body: Value = serde_json::from_str(&post.body).unwrap();
    let streams = body["streams"].as_array().unwrap().iter();
    let streams = streams.map(|stream| {
        let values = stream["values"].as_array().unwrap().iter();
        let values = values.map(|value| {
            let nanos: u64 = value[0].as_str().unwrap().parse().unwrap();
            let moment = SystemTime::UNIX_EPOCH + Duration::from_nanos(nanos);
            assert!(
                moment.elapsed().unwrap() < Duration::from_secs(600),
                "{value}"
            );
            serde_json::from_str(value[1].as_str().unwrap()).unwrap()
        });
        (stream["stream"].clone(), values.collect())
    });
    streams.collect()
}

#[tokio::test]
async fn loki_gets_streams_by_label() {
    let stage = Stage::set().await;
    let (etcd, envoy) = (&stage.etcd, &stage.envoy);
    let blue = stage.instance("blue").await;
    let one = Receiver::start(stage.address).await;
    let other = Receiver::start(stage.address).await;
    one.answer(204);
    other.answer(204);
    let push = "/loki/api/v1/push";
    let file = stage.folder().join("authorizations");
    fs::write(&file, format!("{} Basic planted\n", one.uri(push))).unwrap();
    let mut logs = logs::logging(&stage, &["--authorization", file.to_str().unwrap()]).await;
    let labels = json!({ "job": "shop", "host": "$host" });
    let own = json!({ "endpoint_addrs": [one.uri("")], "tenant_id": "shop", "log_labels": labels });
    let pair = logged("/pair/*", &blue, "loki-logger", own, 2);
    etcd.put("routes/pair", &pair).await;
    let own = json!({ "endpoint_addrs": [one.uri(""), other.uri("")], "endpoint_uri": "/any" });
    let any = logged("/any", &blue, "loki-logger", own, 1);
    etcd.put("routes/any", &any).await;
    let own = json!({
        "endpoint_addrs": [other.uri("")], "endpoint_uri": "/again", "max_retry_count": 1_000_000, "retry_delay": 0,
        "headers": { "Authorization": "Basic written" },
    });
    let again = logged("/again", &blue, "loki-logger", own, 1);
    etcd.put("routes/again", &again).await;
    settled(etcd, &stage.chancery).await;
    let dump = envoy.dump().await.unwrap();
    for secret in ["planted", "written"] {
        assert!(!dump.contains(secret), "the proxy knows a secret");
    }

    for host in ["a.example.com", "b.example.com"] {
        let answer = envoy.send(Method::GET, "/pair/a", &[("host", host)]).await;
        assert_eq!(answer.unwrap().status, 200);
    }
    let posts = eventually(async || {
        let posts = one.posts();
        anyhow::ensure!(posts.len() == 1, "{posts:#?}");
        Ok(posts)
    })
    .await;
    let post = &posts[0];
    assert_eq!((post.method.clone(), &*post.path), (Method::POST, push));
    assert_eq!(post.headers["content-type"], "application/json");
    assert_eq!(post.headers["x-scope-orgid"], "shop");
    assert_eq!(post.headers["authorization"], "Basic planted");
    let entry = |host: &str| json!({ "at": "/pair/a", "host": host, "route_id": "pair" });
    let stream = |host: &str| (json!({ "host": host, "job": "shop" }), vec![entry(host)]);
    assert_eq!(
        streams(post),
        [stream("a.example.com"), stream("b.example.com")]
    );

    // Any of the servers gets a batch, and in the end each.
    let of_any = |receiver: &Receiver| {
        let mut posts = receiver.posts();
        posts.retain(|post| post.path == "/any");
        posts
    };
    eventually(async || {
        assert_eq!(envoy.get("/any").await.status, 200);
        let counts = [&one, &other].map(|receiver| of_any(receiver).len());
        anyhow::ensure!(!counts.contains(&0), "{counts:?}");
        Ok(())
    })
    .await;
    let post = &of_any(&other)[0];
    assert_eq!(post.headers["x-scope-orgid"], "fake");
    assert!(post.headers.get("authorization").is_none());
    assert_eq!(streams(post)[0].0, json!({ "job": "apisix" }));

    // A server that sends elsewhere has taken nothing, and is asked again.
    other.answer(302);
    assert_eq!(envoy.get("/again").await.status, 200);
    eventually(async || {
        anyhow::ensure!(logs.metric("chancery_logs_failures_total").await? > 1);
        Ok(())
    })
    .await;
    other.answer(204);
    eventually(async || {
        let posts = other.posts();
        let came = posts.iter().filter(|post| post.path == "/again").count();
        anyhow::ensure!(came == 1, "{came}");
        Ok(())
    })
    .await;
    logs.counted("waiting", 0).await;
    assert!(logs.process.stop().await.success());
    let output = logs.process.output();
    assert!(output.contains("the server answers 302"), "{output}");
    for secret in ["planted", "written"] {
        assert!(!output.contains(secret), "{output}");
    }
}

/// The actions and entries of a post to the bulk API.
fn actions(post: &Post) -> Vec<Value> {
    assert!(post.body.ends_with('\n'), "{post:?}");
    let lines = post.body.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test]
async fn elasticsearch_gets_actions_and_says_what_it_does_not_take() {
    let stage = Stage::set().await;
    let (etcd, envoy) = (&stage.etcd, &stage.envoy);
    let blue = stage.instance("blue").await;
    let receiver = Receiver::start(stage.address).await;
    let file = stage.folder().join("authorizations");
    fs::write(&file, format!("{} Basic planted\n", receiver.uri("/_bulk"))).unwrap();
    let mut logs = logs::logging(&stage, &["--authorization", file.to_str().unwrap()]).await;
    let own = json!({
        "endpoint_addrs": [receiver.uri("")], "field": { "index": "services" },
        "auth": { "username": "elastic", "password": "written" }, "max_retry_count": 1_000_000, "retry_delay": 0,
    });
    for (name, most) in [("pair", 2), ("single", 1)] {
        let route = logged(
            &format!("/{name}/*"),
            &blue,
            "elasticsearch-logger",
            own.clone(),
            most,
        );
        etcd.put(&format!("routes/{name}"), &route).await;
    }
    settled(etcd, &stage.chancery).await;
    let dump = envoy.dump().await.unwrap();
    for secret in ["planted", "written"] {
        assert!(!dump.contains(secret), "the proxy knows a secret");
    }

    receiver.say(
        r#"{"errors":true,"items":[{"create":{"error":{"type":"document_parsing_exception"}}}]}"#,
    );
    for path in ["/pair/a", "/pair/b"] {
        assert_eq!(envoy.get(path).await.status, 200);
    }
    logs.counted("sent_total", 1).await;
    logs.counted(r#"lost_total{reason="refused"}"#, 1).await;
    let posts = receiver.posts();
    let [post] = &posts[..] else {
        panic!("{posts:#?}");
    };
    let path = "/_bulk?filter_path=errors,items.*.error.type";
    assert_eq!((post.method.clone(), &*post.path), (Method::POST, path));
    assert_eq!(post.headers["content-type"], "application/x-ndjson");
    assert_eq!(post.headers["authorization"], "Basic planted");
    let lines = actions(post);
    let action = json!({ "create": { "_index": "services" } });
    assert_eq!((&lines[0], &lines[2]), (&action, &action));
    let told = [lines[1].clone(), lines[3].clone()];
    assert_eq!(paths(&told), BTreeSet::from(["/pair/a", "/pair/b"]));

    // Any answer but 200 is none, and the batch comes again.
    receiver.say(r#"{"errors":false}"#);
    receiver.answer(429);
    assert_eq!(envoy.get("/single/a").await.status, 200);
    eventually(async || {
        anyhow::ensure!(logs.metric("chancery_logs_failures_total").await? > 1);
        Ok(())
    })
    .await;
    receiver.answer(200);
    logs.counted("sent_total", 2).await;
    assert_eq!(actions(&receiver.posts()[1])[1]["at"], "/single/a");
    assert!(logs.process.stop().await.success());
    let output = logs.process.output();
    assert!(output.contains("the server answers 429"), "{output}");
    for secret in ["planted", "written"] {
        assert!(!output.contains(secret), "{output}");
    }
}

#[tokio::test]
async fn clickhouse_gets_rows() {
    let stage = Stage::set().await;
    let (etcd, envoy) = (&stage.etcd, &stage.envoy);
    let blue = stage.instance("blue").await;
    let [open, shut] = [
        Receiver::start(stage.address).await,
        Receiver::start(stage.address).await,
    ];
    let file = stage.folder().join("authorizations");
    fs::write(&file, format!("{} Basic planted\n", shut.uri("/"))).unwrap();
    let mut logs = logs::logging(&stage, &["--authorization", file.to_str().unwrap()]).await;
    let to = |address: String, password: &str| {
        json!({
            "endpoint_addrs": [address], "user": "shop", "password": password, "database": "logs", "logtable": "test",
            "max_retry_count": 1_000_000, "retry_delay": 0,
        })
    };
    for (name, own, most) in [
        ("open", to(open.uri(""), ""), 2),
        ("shut", to(shut.uri("/"), "written"), 1),
    ] {
        let route = logged(&format!("/{name}/*"), &blue, "clickhouse-logger", own, most);
        etcd.put(&format!("routes/{name}"), &route).await;
    }
    settled(etcd, &stage.chancery).await;
    let dump = envoy.dump().await.unwrap();
    for secret in ["planted", "written"] {
        assert!(!dump.contains(secret), "the proxy knows a secret");
    }
    for path in ["/open/a", "/open/b", "/shut/a"] {
        assert_eq!(envoy.get(path).await.status, 200);
    }
    logs.counted("sent_total", 3).await;

    let rows = |post: &Post| -> Vec<Value> {
        assert_eq!((post.method.clone(), &*post.path), (Method::POST, "/"));
        assert_eq!(post.headers["content-type"], "application/json");
        assert_eq!(post.headers["x-clickhouse-database"], "logs");
        let rows = post
            .body
            .strip_prefix("INSERT INTO test FORMAT JSONEachRow ")
            .unwrap();
        let rows = serde_json::Deserializer::from_str(rows).into_iter();
        rows.collect::<Result<_, _>>().unwrap()
    };
    let posts = open.posts();
    assert_eq!(
        paths(&rows(&posts[0])),
        BTreeSet::from(["/open/a", "/open/b"])
    );
    assert_eq!(posts[0].headers["x-clickhouse-user"], "shop");
    assert_eq!(posts[0].headers["x-clickhouse-key"], "");
    assert!(posts[0].headers.get("authorization").is_none());
    let posts = shut.posts();
    assert_eq!(paths(&rows(&posts[0])), BTreeSet::from(["/shut/a"]));
    assert_eq!(posts[0].headers["authorization"], "Basic planted");
    for name in ["x-clickhouse-user", "x-clickhouse-key"] {
        assert!(posts[0].headers.get(name).is_none(), "{posts:#?}");
    }

    open.answer(503);
    for path in ["/open/c", "/open/d"] {
        assert_eq!(envoy.get(path).await.status, 200);
    }
    eventually(async || {
        anyhow::ensure!(logs.metric("chancery_logs_failures_total").await? > 1);
        Ok(())
    })
    .await;
    open.answer(200);
    logs.counted("sent_total", 5).await;
    assert!(logs.process.stop().await.success());
    let output = logs.process.output();
    for secret in ["planted", "written"] {
        assert!(!output.contains(secret), "{output}");
    }
}
