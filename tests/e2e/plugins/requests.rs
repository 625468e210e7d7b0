//! Plugins whose effect an instance sees in the request, or that say where it goes.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::with_plugins;
use crate::support::eventually;
use crate::support::stage::Stage;

/// The status of a POST with a body of that many bytes, in chunks or with its length in front.
async fn post(to: SocketAddr, path: &str, bytes: usize, chunked: bool) -> String {
    let mut connection = TcpStream::connect(to).await.unwrap();
    let body = "a".repeat(bytes);
    let rest = if chunked {
        format!("transfer-encoding: chunked\r\n\r\n{bytes:x}\r\n{body}\r\n0\r\n\r\n")
    } else {
        format!("content-length: {bytes}\r\n\r\n{body}")
    };
    let request = format!("POST {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{rest}");
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut line = String::new();
    BufReader::new(connection)
        .read_line(&mut line)
        .await
        .unwrap();
    line.split(' ').nth(1).unwrap_or_default().to_owned()
}

#[tokio::test]
async fn plugins_bound_and_mark_requests() {
    let stage = Stage::set().await;
    let (etcd, envoy) = (&stage.etcd, &stage.envoy);
    let blue = stage.instance("blue").await;

    let limit = json!({ "client-control": { "max_body_size": 100 } });
    etcd.put("routes/limit", &with_plugins("/limit", &blue, limit))
        .await;
    let id = json!({ "request-id": { "header_name": "X-Trace" } });
    etcd.put("routes/id", &with_plugins("/id", &blue, id)).await;
    envoy.answers_by("/limit", "blue").await;
    envoy.answers_by("/id", "blue").await;

    for (bytes, status) in [(100, "200"), (101, "413"), (10_000, "413")] {
        for chunked in [true, false] {
            let found = post(envoy.listener(), "/limit", bytes, chunked).await;
            assert_eq!(found, status, "{bytes} bytes, chunked: {chunked}");
        }
    }

    let answer = envoy.get("/id").await;
    let seen = answer.seen().unwrap()["headers"]["x-trace"].clone();
    assert_eq!(answer.headers["x-trace"].to_str().unwrap(), seen);
    assert_ne!(
        envoy.get("/id").await.headers["x-trace"],
        answer.headers["x-trace"]
    );
    let own = [("x-trace", "mine")];
    let answer = envoy.send(Method::GET, "/id", &own).await.unwrap();
    assert_eq!(answer.seen().unwrap()["headers"]["x-trace"], "mine");
    assert_eq!(answer.headers["x-trace"], "mine");
}

#[tokio::test]
async fn plugins_split_and_mirror_traffic() {
    let stage = Stage::set().await;
    let (etcd, envoy) = (&stage.etcd, &stage.envoy);
    let blue = stage.instance("blue").await;
    let green = stage.instance("green").await;
    let canary = stage.instance("canary").await;

    let upstream = json!({ "nodes": { green.node(): 1 }, "pass_host": "rewrite", "upstream_host": "green.example.com" });
    etcd.put("upstreams/green", &upstream).await;
    let split = json!({
        "proxy-rewrite": { "headers": { "set": { "x-via": "split" } } },
        "traffic-split": { "rules": [{ "weighted_upstreams": [
            { "upstream_id": "green", "weight": 3 },
            { "upstream": { "nodes": { canary.node(): 1 } }, "weight": 3 },
            { "weight": 4 },
        ] }] },
    });
    etcd.put("routes/split", &with_plugins("/split", &blue, split))
        .await;
    let by_header = json!({
        "traffic-split": { "rules": [{
            "match": [{ "vars": [["http_x_beta", "==", "yes"]] }],
            "weighted_upstreams": [{ "upstream_id": "green" }],
        }] },
        "fault-injection": { "abort": { "http_status": 418, "vars": [[["arg_tea", "==", "1"]]] } },
    });
    etcd.put("routes/beta", &with_plugins("/beta", &blue, by_header))
        .await;
    let whole = json!({ "uri": "/whole", "plugins": { "traffic-split": { "rules": [{
        "weighted_upstreams": [{ "upstream_id": "green" }],
    }] } } });
    etcd.put("routes/whole", &whole).await;
    let mirror = json!({ "proxy-mirror": { "host": format!("http://{}", canary.node()) } });
    etcd.put("routes/mirror", &with_plugins("/mirror", &blue, mirror))
        .await;
    envoy.answers_with("/split", 200).await;
    envoy.answers_by("/mirror", "blue").await;
    envoy.answers_by("/beta", "blue").await;
    envoy.answers_by("/whole", "green").await;

    for (beta, path, status) in [
        ("yes", "/beta", 200),
        ("no", "/beta", 200),
        ("yes", "/beta?tea=1", 418),
    ] {
        let answer = envoy
            .send(Method::GET, path, &[("x-beta", beta)])
            .await
            .unwrap();
        assert_eq!(answer.status, status, "{path}");
        if status == 200 {
            let expected = if beta == "yes" { "green" } else { "blue" };
            assert_eq!(answer.instance().unwrap(), expected, "{beta}");
        }
    }

    let mut answered = BTreeMap::new();
    for _ in 0..200 {
        let seen = envoy.get("/split").await.seen().unwrap();
        assert_eq!(seen["headers"]["x-via"], "split");
        let instance = seen["instance"].as_str().unwrap().to_owned();
        let host = seen["headers"]["host"] == "green.example.com";
        assert_eq!(host, instance == "green", "each upstream has its own Host");
        *answered.entry(instance).or_insert(0) += 1;
    }
    // Six standard deviations from what is meant.
    assert!(
        answered["green"] > 20 && answered["canary"] > 20,
        "{answered:?}"
    );
    assert!(answered["blue"] > 38, "{answered:?}");

    eventually(async || {
        envoy.get("/mirror").await;
        let mirrored = envoy
            .stat("cluster.route/mirror/proxy-mirror/0.upstream_rq_total")
            .await;
        anyhow::ensure!(mirrored > 0, "nothing is mirrored yet");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_breaker_breaks() {
    let stage = Stage::set().await;
    let (etcd, envoy) = (&stage.etcd, &stage.envoy);
    let broken = json!({ "uri": "/broken", "plugins": { "mocking": { "response_status": 502 } } });
    etcd.put("routes/broken", &broken).await;
    let breaks = |statuses| {
        json!({ "uri": "/breaks", "plugins": {
        "proxy-rewrite": { "uri": "/broken" },
        "api-breaker": { "break_response_code": 503, "unhealthy": { "http_statuses": statuses, "failures": 2 } },
    }, "upstream": { "nodes": { envoy.listener().to_string(): 1 } } })
    };
    etcd.put("routes/breaks", &breaks(json!([500]))).await;
    for _ in 0..4 {
        envoy.answers_with("/breaks", 502).await;
    }
    etcd.put("routes/breaks", &breaks(json!([500, 502]))).await;
    envoy.answers_with("/breaks", 503).await;
    envoy.answers_with("/breaks", 502).await;

    let mut told = breaks(json!([502]));
    told["uri"] = json!("/told");
    let breaker = &mut told["plugins"]["api-breaker"];
    breaker["break_response_code"] = json!(599);
    breaker["break_response_body"] = json!("{\"later\":true}");
    breaker["break_response_headers"] = json!([{ "key": "X-Why", "value": "100%" }]);
    etcd.put("routes/told", &told).await;
    let answer = envoy.answers_with("/told", 599).await;
    assert_eq!(answer.body, "{\"later\":true}");
    assert_eq!(answer.headers["x-why"], "100%");
    assert!(answer.headers.get("x-chancery-broken").is_none());
}

#[tokio::test]
async fn patterns_tell_requests_apart() {
    let stage = Stage::set().await;
    let (etcd, envoy) = (&stage.etcd, &stage.envoy);
    let blue = stage.instance("blue").await;

    let rewrite = json!({ "proxy-rewrite": { "regex_uri": [
        "^/re/([0-9]+)$", "/number/$1", "^/re/([a-z]+)", "/word/$1", "^/re/(.*)$", "/other/$1",
    ] } });
    etcd.put("routes/rewrite", &with_plugins("/re/*", &blue, rewrite))
        .await;
    let redirect = json!({ "redirect": { "regex_uri": ["^/old/(a.*)$", "/new/$1"] } });
    etcd.put("routes/redirect", &with_plugins("/old/*", &blue, redirect))
        .await;
    let grpc = json!({ "grpc-web": {} });
    etcd.put("routes/grpc", &with_plugins("/grpc/*", &blue, grpc))
        .await;
    envoy.answers_by("/re/1", "blue").await;
    envoy.answers_by("/old/b", "blue").await;
    envoy.answers_with("/grpc/a", 400).await;

    for (path, seen) in [
        ("/re/12?a=/re/b", "/number/12?a=/re/b"),
        ("/re/a1", "/word/a1"),
        ("/re/A", "/other/A"),
    ] {
        assert_eq!(
            envoy.get(path).await.seen().unwrap()["path"],
            seen,
            "of {path}"
        );
    }
    assert_eq!(
        envoy.get("/old/b?x=/old/a").await.seen().unwrap()["path"],
        "/old/b?x=/old/a"
    );
    let answer = envoy.get("/old/ab").await;
    let location = answer.headers["location"].to_str().unwrap();
    assert!(
        answer.status == 302 && location.ends_with("/new/ab"),
        "{answer:?}"
    );

    let preflight = envoy.send(Method::OPTIONS, "/grpc/a", &[]).await.unwrap();
    assert_eq!(preflight.status, 204);
    assert_eq!(preflight.headers["access-control-allow-origin"], "*");
    let web = [("content-type", "application/grpc-web+proto")];
    let answer = envoy
        .send(Method::POST, "/grpc/pkg.Echo/Say", &web)
        .await
        .unwrap();
    assert_eq!(answer.headers["content-type"], "application/grpc-web+proto");
    // The instance speaks no gRPC: what it says becomes the message of a failed call.
    let said = answer.headers["grpc-message"].to_str().unwrap();
    assert!(
        said.contains("/pkg.Echo/Say") && said.contains("application/grpc"),
        "{said}"
    );
}
