//! What became of requests, handed on by `chancery logs` to servers of other kinds than `http-logger` has. What all loggers have in common is in
//! `http_logger`.

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::with_plugins;
use crate::support::certificates::Authority;
use crate::support::eventually;
use crate::support::instance::Instance;
use crate::support::logs::{self, Logs};
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

/// Ends a `chancery logs` that has said of this target that it takes no entries, and that some are lost.
pub(super) async fn says_what_is_lost(logs: &mut Logs, to: &str) {
    assert!(logs.process.stop().await.success());
    let output = logs.process.output();
    let to = format!(r#"to="{to}""#);
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
    says_what_is_lost(&mut logs, &format!("tcp://{address}")).await;
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
