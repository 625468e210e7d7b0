//! What stands between a gateway and its clients: limits, paths, who a client is, and what is written down.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::ensure;
use serde_json::{Value, json};

use crate::support::http::raw;
use crate::support::instance::Instance;
use crate::support::stage::{Stage, gateway, route_to};
use crate::support::{eventually, own_address};

/// A stage whose gateway has these fields, with a route `/*` to `blue` that tells it who the client is.
async fn stage_with(fields: Value) -> (Stage, Instance) {
    let stage = Stage::set().await;
    let blue = stage.instance("blue").await;
    let mut route = route_to("/*", &[&blue]);
    let headers = json!({ "set": { "X-Client": "$remote_addr" } });
    route["plugins"] = json!({ "proxy-rewrite": { "headers": headers } });
    stage.etcd.put("routes/all", &route).await;
    stage.envoy.answers_by("/", "blue").await;
    let before = stage.envoy.configured().await.listeners;
    change(&stage, before, fields).await;
    (stage, blue)
}

/// Gives the gateway these fields, and waits until Envoy has taken them.
async fn change(stage: &Stage, before: u64, fields: Value) {
    let mut document = gateway(stage.envoy.listener());
    for (name, value) in fields.as_object().unwrap() {
        match name.as_str() {
            "listener" => {
                let listener = document["listeners"][0].as_object_mut().unwrap();
                listener.extend(value.as_object().unwrap().clone());
            }
            name => document[name] = value.clone(),
        }
    }
    stage.etcd.put("gateways/default", &document).await;
    eventually(async || {
        let now = stage.envoy.configured().await.listeners;
        ensure!(now > before, "the listener is as it was");
        Ok(())
    })
    .await;
}

/// A request as text, on a connection of its own.
fn request(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{headers}\r\n")
}

/// The status of an answer as text.
fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("none")
}

/// What the instance saw.
fn seen(answer: &str) -> Value {
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let body = &body[body.find('{').unwrap_or(0)..=body.rfind('}').unwrap_or(0)];
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
}

#[tokio::test]
async fn limits_hold() {
    let (stage, _blue) = stage_with(json!({
        "listener": { "max_connections": 2 },
        "http": { "max_request_headers_kb": 8, "max_headers_count": 20, "request_headers_timeout": 0.5 },
    }))
    .await;
    let to = stage.envoy.listener();
    let send = async |headers: &str| {
        let answer = raw(stage.address, to, &request("/", headers)).await;
        status(&answer.unwrap()).to_owned()
    };
    assert_eq!(send("X-A: 1\r\n").await, "200");
    let large = format!("X-A: {}\r\n", "a".repeat(9 * 1024));
    assert_eq!(send(&large).await, "431");
    assert_eq!(send(&"X-A: 1\r\n".repeat(30)).await, "431");
    assert_eq!(send("X_A: 1\r\n").await, "400");
    let unfinished = "GET / HTTP/1.1\r\nHost: a\r\n";
    let answer = raw(stage.address, to, unfinished).await.unwrap();
    assert_eq!(status(&answer), "408");

    let held = [
        tokio::net::TcpStream::connect(to).await.unwrap(),
        tokio::net::TcpStream::connect(to).await.unwrap(),
    ];
    eventually(async || {
        let answer = raw(stage.address, to, &request("/", "")).await;
        ensure!(answer.is_err() || answer.is_ok_and(|answer| answer.is_empty()));
        Ok(())
    })
    .await;
    drop(held);
    eventually(async || {
        let answer = raw(stage.address, to, &request("/", "")).await?;
        ensure!(status(&answer) == "200", "{answer}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_header_with_an_underscore_is_refused_or_dropped_or_passed_on() {
    let (stage, _blue) = stage_with(json!({ "http": { "max_headers_count": 50 } })).await;
    let to = stage.envoy.listener();
    let send = async || raw(stage.address, to, &request("/", "X_A: 1\r\n")).await;
    assert_eq!(status(&send().await.unwrap()), "400");
    for (setting, arrives) in [("drop", Value::Null), ("allow", json!("1"))] {
        let before = stage.envoy.configured().await.listeners;
        let http = json!({ "headers_with_underscores": setting });
        change(&stage, before, json!({ "http": http })).await;
        eventually(async || {
            let answer = send().await?;
            ensure!(status(&answer) == "200", "{answer}");
            ensure!(seen(&answer)["headers"]["x_a"] == arrives, "{answer}");
            Ok(())
        })
        .await;
    }
}

#[tokio::test]
async fn routes_and_instances_see_the_same_path() {
    let (stage, _blue) = stage_with(json!({ "http": { "max_headers_count": 50 } })).await;
    let to = stage.envoy.listener();
    let send = async |path: &str| raw(stage.address, to, &request(path, "")).await.unwrap();
    for (sent, arrived) in [
        ("//a///b", "/a/b"),
        ("/a/../b/./c?x=//", "/b/c?x=//"),
        ("/%61", "/a"),
    ] {
        assert_eq!(seen(&send(sent).await)["path"], arrived, "of {sent}");
    }
    let answer = send("/files/a%2Fb").await;
    assert_eq!(status(&answer), "307");
    assert!(answer.contains("location: /files/a/b"), "{answer}");

    for (setting, arrived) in [("keep", "/files/a%2Fb"), ("unescape", "/files/a/b")] {
        let before = stage.envoy.configured().await.listeners;
        let http = json!({ "path_with_escaped_slashes": setting, "merge_slashes": false });
        change(&stage, before, json!({ "http": http })).await;
        eventually(async || {
            let answer = raw(stage.address, to, &request("/files/a%2Fb", "")).await?;
            ensure!(
                status(&answer) == "200" && seen(&answer)["path"] == arrived,
                "{answer}"
            );
            Ok(())
        })
        .await;
    }
    assert_eq!(seen(&send("/a//b").await)["path"], "/a//b");
}

#[tokio::test]
async fn only_a_trusted_proxy_says_who_the_client_is() {
    let proxy = own_address();
    let trusted = json!([proxy, "10.0.0.0/8"]);
    let (stage, _blue) = stage_with(json!({ "real_ip": { "trusted_addresses": trusted } })).await;
    let to = stage.envoy.listener();
    let client = async |from: Ipv4Addr, headers: &str| {
        let answer = raw(from, to, &request("/", headers)).await.unwrap();
        let headers = seen(&answer)["headers"].clone();
        let text = |name: &str| headers[name].as_str().unwrap_or("none").to_owned();
        (
            text("x-client"),
            text("x-forwarded-for"),
            text("x-forwarded-proto"),
        )
    };
    let said = "X-Forwarded-For: 8.8.8.8, 9.9.9.9, 10.1.1.1\r\nX-Forwarded-Proto: https\r\n";
    let (who, path, scheme) = client(proxy, said).await;
    assert_eq!((who.as_str(), scheme.as_str()), ("9.9.9.9", "https"));
    assert!(path.ends_with(&format!("10.1.1.1,{proxy}")), "{path}");
    let (who, _, scheme) = client(stage.address, said).await;
    assert_eq!(
        (who, scheme),
        (stage.address.to_string(), "http".to_owned())
    );

    let before = stage.envoy.configured().await.listeners;
    let header = json!({ "header": "X-Real-IP", "trusted_addresses": [proxy] });
    change(&stage, before, json!({ "real_ip": header })).await;
    eventually(async || {
        let (who, ..) = client(proxy, "X-Real-IP: 8.8.8.8\r\n").await;
        ensure!(who == "8.8.8.8", "{who}");
        Ok(())
    })
    .await;
    let (who, path, _) = client(proxy, "X-Real-IP: 8.8.8.8\r\nX-Forwarded-For: 9.9.9.9\r\n").await;
    assert_eq!((&*who, path), ("8.8.8.8", format!("9.9.9.9,{proxy}")));
    let (who, path, _) = client(stage.address, "X-Real-IP: 8.8.8.8\r\n").await;
    assert_eq!(
        (who, path),
        (stage.address.to_string(), stage.address.to_string())
    );
    let (who, ..) = client(proxy, "").await;
    assert_eq!(who, proxy.to_string(), "a proxy that says nothing");

    let before = stage.envoy.configured().await.listeners;
    change(&stage, before, json!({ "real_ip": { "trusted_hops": 1 } })).await;
    eventually(async || {
        let (who, ..) = client(stage.address, "X-Forwarded-For: 8.8.8.8, 9.9.9.9\r\n").await;
        ensure!(who == "9.9.9.9", "{who}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn backends_are_told_of_the_client_what_it_cannot_say_itself() {
    let stage = Stage::set().await;
    let blue = stage.instance("blue").await;
    let mut route = route_to("/told", &[&blue]);
    let set = json!({ "proxy-rewrite": { "host": "inner.example.com", "headers": { "set": { "X-Forwarded-Port": "1" } } } });
    stage.etcd.put("routes/told", &route).await;
    route["uri"] = json!("/set");
    route["plugins"] = set;
    stage.etcd.put("routes/set", &route).await;
    let (from, to) = (own_address(), stage.envoy.listener());
    let said = "X-Real-IP: 8.8.8.8\r\nX-Forwarded-Host: forged\r\nX-Forwarded-Port: 9\r\n";
    let told = async |path: &str| {
        let answer = raw(from, to, &request(path, said)).await?;
        ensure!(status(&answer) == "200", "{answer}");
        let headers = seen(&answer)["headers"].clone();
        let names = ["x-real-ip", "x-forwarded-host", "x-forwarded-port", "host"];
        anyhow::Ok(names.map(|name| headers[name].as_str().unwrap_or("none").to_owned()))
    };
    let (client, port) = (from.to_string(), to.port().to_string());
    let host = eventually(async || {
        let [address, forwarded, of_port, host] = told("/told").await?;
        ensure!(
            address == client && of_port == port && forwarded == host,
            "{address} {of_port} {forwarded} {host}"
        );
        Ok(host)
    })
    .await;
    // What a route sets itself counts, and its host is not the client's.
    eventually(async || {
        let told = told("/set").await?;
        ensure!(
            told == [&*client, &*host, "1", "inner.example.com"],
            "{told:?}"
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_load_balancer_names_the_client_by_the_proxy_protocol() {
    let (stage, _blue) = stage_with(json!({ "listener": { "proxy_protocol": true } })).await;
    let to = stage.envoy.listener();
    let plain = request("/", "");
    let announced = format!("PROXY TCP4 8.8.8.8 {} 5000 80\r\n{plain}", stage.address);
    eventually(async || {
        let answer = raw(stage.address, to, &announced).await?;
        ensure!(status(&answer) == "200", "{answer}");
        ensure!(
            seen(&answer)["headers"]["x-client"] == "8.8.8.8",
            "{answer}"
        );
        Ok(())
    })
    .await;
    let answer = raw(stage.address, to, &plain).await;
    let refused = answer.as_ref().map_or(true, String::is_empty);
    assert!(refused, "without it: {answer:?}");
}

#[tokio::test]
async fn requests_are_written_down() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    let log = json!({ "path": path, "format": "json", "min_status": 404 });
    let (stage, _blue) = stage_with(json!({ "access_log": log })).await;
    let to = SocketAddr::from((stage.address, 9080));
    stage.etcd.delete("routes/all").await;
    stage.envoy.answers_with("/lost?apikey=secret", 404).await;
    raw(stage.address, to, &request("/lost?apikey=secret", ""))
        .await
        .unwrap();
    let line = eventually(async || {
        let text = std::fs::read_to_string(&path)?;
        let line = text.lines().next().unwrap_or_default();
        Ok(serde_json::from_str::<Value>(line)?)
    })
    .await;
    assert_eq!(
        (&line["path"], &line["status"]),
        (&json!("/lost"), &json!(404))
    );
    assert_eq!(
        (&line["flags"], &line["method"]),
        (&json!("NR"), &json!("GET"))
    );
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(!text.contains("secret") && !text.contains(":200"), "{text}");
}

#[tokio::test]
async fn spans_go_to_a_collector_that_no_route_uses() {
    let stage = Stage::set().await;
    let blue = stage.instance("blue").await;
    let collector = stage.instance("collector").await;
    stage
        .etcd
        .put("routes/all", &route_to("/*", &[&blue]))
        .await;
    stage.envoy.answers_by("/", "blue").await;
    let nodes = json!({ "nodes": { collector.node(): 1 } });
    stage.etcd.put("upstreams/zipkin", &nodes).await;
    let before = stage.envoy.configured().await.listeners;
    let tracing = json!({ "provider": "zipkin", "upstream_id": "zipkin" });
    change(&stage, before, json!({ "tracing": tracing })).await;
    eventually(async || {
        let traced = stage.envoy.try_get("/").await?.seen()?;
        ensure!(traced["headers"]["x-b3-traceid"].is_string(), "{traced}");
        Ok(())
    })
    .await;
    eventually(async || {
        let answered = "cluster.upstream/zipkin.upstream_rq_200";
        ensure!(stage.envoy.stat(answered).await > 0, "no spans arrived");
        Ok(())
    })
    .await;
}
