//! What became of requests, handed on by `chancery logs` to servers of other kinds than `http-logger` has. What all loggers have in common is in
//! `http_logger`.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, SystemTime};

use reqwest::Method;
use serde_json::{Value, json};

use super::with_plugins;
use crate::support::certificates::Authority;
use crate::support::eventually;
use crate::support::instance::Instance;
use crate::support::logs::{self, Post, Receiver};
use crate::support::sockets::{Datagrams, Listener, entries};
use crate::support::stage::{Stage, settled};

/// A route from `uri` with a logger, whose entries say where they are from.
pub(super) fn logged(uri: &str, node: &Instance, plugin: &str, own: Value, most: u32) -> Value {
    let mut logger = logs::logger(&own, most);
    logger["log_format"] = json!({ "at": "$uri", "host": "$http_host" });
    with_plugins(uri, node, json!({ plugin: logger }))
}

/// The paths of entries.
pub(super) fn paths(entries: &[Value]) -> BTreeSet<&str> {
    let paths = entries.iter().map(|entry| entry["at"].as_str().unwrap());
    paths.collect()
}

#[tokio::test]
async fn a_batch_has_a_connection_of_its_own() {
    let stage = Stage::set().await;
    let (etcd, envoy) = (&stage.etcd, &stage.envoy);
    let blue = stage.instance("blue").await;
    let plain = Listener::start(stage.address).await;
    // Nobody vouches for it, and it is for another name.
    let identity = Authority::new().identity(&["other.example.com"]);
    let secure = Listener::secure(stage.address, &identity).await;
    let logs = logs::logging(&stage, &[]).await;
    let to =
        |listener: &Listener| json!({ "host": stage.address, "port": listener.address.port() });
    let tls = |name: Option<&str>| {
        let mut own = to(&secure);
        own["tls"] = json!(true);
        if let Some(name) = name {
            own["tls_options"] = json!(name);
        }
        own
    };
    let routes = [
        ("single", to(&plain), 1),
        ("pair", to(&plain), 2),
        ("named", tls(Some("logs.example.com")), 1),
        ("nameless", tls(None), 1),
    ];
    for (name, own, most) in routes {
        let route = logged(&format!("/{name}/*"), &blue, "tcp-logger", own, most);
        etcd.put(&format!("routes/{name}"), &route).await;
    }
    let metadata = json!({
        "log_format": { "by": "metadata", "request": { "at": "$uri", "none": "$http_x_nothing" } },
        "max_pending_entries": 100,
    });
    etcd.put("plugin_metadata/tcp-logger", &metadata).await;
    let mut told = logged("/told/*", &blue, "tcp-logger", to(&plain), 1);
    let own = told["plugins"]["tcp-logger"].as_object_mut().unwrap();
    own.remove("log_format");
    etcd.put("routes/told", &told).await;
    settled(etcd, &stage.chancery).await;

    assert_eq!(envoy.get("/single/a").await.status, 200);
    let came = plain.has(1).await;
    let host = envoy.listener();
    let entry = format!(r#"{{"at":"/single/a","host":"{host}","route_id":"single"}}"#);
    assert_eq!(came, [entry]);

    for path in ["/pair/a", "/pair/b"] {
        assert_eq!(envoy.get(path).await.status, 200);
    }
    let came = plain.has(2).await;
    let both: Vec<Value> = serde_json::from_str(&came[1]).unwrap();
    assert_eq!(paths(&both), BTreeSet::from(["/pair/a", "/pair/b"]));

    assert_eq!(envoy.get("/told/a").await.status, 200);
    let came = plain.has(3).await;
    let entry = r#"{"by":"metadata","request":{"at":"/told/a"},"route_id":"told"}"#;
    assert_eq!(came[2], entry);

    for (count, path) in [(1, "/named/a"), (2, "/nameless/a")] {
        assert_eq!(envoy.get(path).await.status, 200);
        secure.has(count).await;
    }
    let came = entries(&secure.has(2).await);
    assert_eq!(paths(&came), BTreeSet::from(["/named/a", "/nameless/a"]));
    assert_eq!(secure.names(), ["logs.example.com", "-"]);
    logs.counted("sent_total", 6).await;
    logs.counted("failures_total", 0).await;
}

#[tokio::test]
async fn nothing_is_lost_in_silence_while_a_listener_is_away() {
    let stage = Stage::set().await;
    let (etcd, envoy) = (&stage.etcd, &stage.envoy);
    let blue = stage.instance("blue").await;
    let mut logs = logs::logging(&stage, &[]).await;
    let listener = Listener::start(stage.address).await;
    let address = listener.address;
    drop(listener);
    let to = |retries: u32| json!({ "host": stage.address, "port": address.port(), "max_retry_count": retries, "retry_delay": 0 });
    let patient = logged("/patient/*", &blue, "tcp-logger", to(1_000_000), 1);
    etcd.put("routes/patient", &patient).await;
    let hasty = logged("/hasty/*", &blue, "tcp-logger", to(0), 1);
    etcd.put("routes/hasty", &hasty).await;
    settled(etcd, &stage.chancery).await;

    assert_eq!(envoy.get("/hasty/a").await.status, 200);
    logs.counted(r#"lost_total{reason="refused"}"#, 1).await;
    for path in ["/patient/a", "/patient/b"] {
        assert_eq!(envoy.get(path).await.status, 200);
    }
    logs.counted("waiting", 2).await;
    assert!(logs.metric("chancery_logs_failures_total").await.unwrap() > 1);

    let listener = Listener::at(address, None).await;
    let came = entries(&listener.has(2).await);
    assert_eq!(paths(&came), BTreeSet::from(["/patient/a", "/patient/b"]));
    logs.counted("sent_total", 2).await;
    assert!(logs.process.stop().await.success());
    let output = logs.process.output();
    let to = format!(r#"to="tcp://{address}""#);
    for said in [
        "a target does not take entries",
        r#"entries are lost reason="refused""#,
    ] {
        let line = output.lines().find(|line| line.contains(said));
        let line = line.unwrap_or_else(|| panic!("{said}: {output}"));
        assert!(line.contains(&to), "{line}");
    }
}

#[tokio::test]
async fn a_batch_is_a_datagram_and_one_that_is_too_large_is_counted() {
    let stage = Stage::set().await;
    let (etcd, envoy) = (&stage.etcd, &stage.envoy);
    let blue = stage.instance("blue").await;
    let mut logs = logs::logging(&stage, &[]).await;
    let server = Datagrams::at((stage.address, 0).into()).await;
    let address = server.address;
    let own = json!({ "host": stage.address, "port": address.port() });
    for (name, most) in [("single", 1), ("pair", 2)] {
        let route = logged(
            &format!("/{name}/*"),
            &blue,
            "udp-logger",
            own.clone(),
            most,
        );
        etcd.put(&format!("routes/{name}"), &route).await;
    }
    let mut large = logged("/large/*", &blue, "udp-logger", own.clone(), 6);
    let long = "a".repeat(7000);
    let fields = (0..2).map(|number| (format!("f{number}"), json!(long)));
    large["plugins"]["udp-logger"]["log_format"] = Value::Object(fields.collect());
    etcd.put("routes/large", &large).await;
    let mut patient = own.clone();
    patient["max_retry_count"] = json!(1_000_000);
    patient["retry_delay"] = json!(0);
    let patient = logged("/patient/*", &blue, "udp-logger", patient, 1);
    etcd.put("routes/patient", &patient).await;
    settled(etcd, &stage.chancery).await;

    assert_eq!(envoy.get("/single/a").await.status, 200);
    let came = server.has(1).await;
    let host = envoy.listener();
    let entry = format!(r#"{{"at":"/single/a","host":"{host}","route_id":"single"}}"#);
    assert_eq!(came, [entry]);
    for path in ["/pair/a", "/pair/b"] {
        assert_eq!(envoy.get(path).await.status, 200);
    }
    let came = server.has(2).await;
    let both: Vec<Value> = serde_json::from_str(&came[1]).unwrap();
    assert_eq!(paths(&both), BTreeSet::from(["/pair/a", "/pair/b"]));
    logs.counted("sent_total", 3).await;

    // 14,000 bytes are a datagram, and six times as many are none.
    for _ in 0..6 {
        assert_eq!(envoy.get("/large/a").await.status, 200);
    }
    logs.counted(r#"lost_total{reason="large"}"#, 6).await;
    logs.counted("waiting", 0).await;
    assert_eq!(server.came().len(), 2);

    // What is sent where nobody listens may be known to be lost, and then is sent again.
    drop(server);
    eventually(async || {
        assert_eq!(envoy.get("/patient/a").await.status, 200);
        anyhow::ensure!(logs.metric("chancery_logs_failures_total").await? > 0);
        Ok(())
    })
    .await;
    let server = Datagrams::at(address).await;
    eventually(async || {
        anyhow::ensure!(!server.came().is_empty(), "nothing came");
        Ok(())
    })
    .await;
    logs.counted("waiting", 0).await;
    assert!(logs.process.stop().await.success());
    let output = logs.process.output();
    let to = format!(r#"to="udp://{address}""#);
    let line = output
        .lines()
        .find(|line| line.contains(r#"entries are lost reason="large""#));
    let line = line.unwrap_or_else(|| panic!("{output}"));
    assert!(line.contains(&to) && line.contains("entries=6"), "{line}");
}

/// What stands behind the head of a message, which is as it must be.
fn message(line: &str, process: u32) -> Value {
    let rest = line
        .strip_prefix("<46>1 ")
        .unwrap_or_else(|| panic!("{line}"));
    let (time, rest) = rest.split_once(' ').unwrap();
    let time = humantime::parse_rfc3339(time).unwrap();
    assert!(time.elapsed().unwrap() < Duration::from_secs(600), "{line}");
    let head = format!("logs.example.com apisix {process} - - ");
    let json = rest.strip_prefix(&head).unwrap_or_else(|| panic!("{line}"));
    serde_json::from_str(json).unwrap()
}

#[tokio::test]
async fn syslog_gets_a_line_for_each_request() {
    let stage = Stage::set().await;
    let (etcd, envoy) = (&stage.etcd, &stage.envoy);
    let blue = stage.instance("blue").await;
    let listener = Listener::start(stage.address).await;
    let identity = Authority::new().identity(&["logs.example.com"]);
    let secure = Listener::secure(stage.address, &identity).await;
    let datagrams = Datagrams::at((stage.address, 0).into()).await;
    let logs = logs::logging(&stage, &[]).await;
    let process = logs.process.id();
    let address = stage.address;
    for (name, own) in [
        (
            "lines",
            json!({ "host": address, "port": listener.address.port() }),
        ),
        (
            "secure",
            json!({ "host": address, "port": secure.address.port(), "tls": true }),
        ),
        (
            "datagrams",
            json!({ "host": address, "port": datagrams.address.port(), "sock_type": "udp" }),
        ),
    ] {
        let route = logged(&format!("/{name}/*"), &blue, "syslog", own, 2);
        etcd.put(&format!("routes/{name}"), &route).await;
    }
    settled(etcd, &stage.chancery).await;
    let host = [("host", "logs.example.com")];
    for name in ["lines", "secure", "datagrams"] {
        for last in ["a", "b"] {
            let answer = envoy
                .send(Method::GET, &format!("/{name}/{last}"), &host)
                .await;
            assert_eq!(answer.unwrap().status, 200);
        }
    }
    for (listener, name) in [(&listener, "lines"), (&secure, "secure")] {
        let came = listener.has(1).await;
        assert!(came[0].ends_with('\n'), "{came:?}");
        let messages: Vec<_> = came[0].lines().map(|line| message(line, process)).collect();
        let both = ["a", "b"].map(|last| format!("/{name}/{last}"));
        assert_eq!(paths(&messages), both.iter().map(String::as_str).collect());
    }
    let came = datagrams.has(2).await;
    let messages: Vec<_> = came
        .iter()
        .map(|line| message(line.trim_end(), process))
        .collect();
    assert_eq!(
        paths(&messages),
        BTreeSet::from(["/datagrams/a", "/datagrams/b"])
    );
    logs.counted("sent_total", 6).await;
}

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
