//! Plugins whose effect a client sees in the answer.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use super::with_plugins;
use crate::support::envoy::Envoy;
use crate::support::http::Answer;
use crate::support::stage::Stage;

async fn send(envoy: &Envoy, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    envoy.send(method, path, headers).await.unwrap()
}

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    let value = answer.headers.get(name);
    value.map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn plugins_say_who_may_ask() {
    let stage = Stage::set().await;
    let (etcd, envoy) = (&stage.etcd, &stage.envoy);
    let blue = stage.instance("blue").await;

    let cors = json!({ "cors": {
        "allow_origins": "https://a.example.com", "allow_methods": "GET,PUT", "allow_headers": "**",
        "expose_headers": "x-count", "allow_credential": true,
    } });
    etcd.put("routes/cors", &with_plugins("/cors", &blue, cors))
        .await;
    let csrf = json!({ "csrf": { "key": "edd1c9f034335f136f87ad84b625c8f1" } });
    etcd.put("routes/csrf", &with_plugins("/csrf", &blue, csrf))
        .await;
    envoy.answers_by("/cors", "blue").await;
    envoy.answers_by("/csrf", "blue").await;

    let preflight = [
        ("origin", "https://a.example.com"),
        ("access-control-request-method", "PUT"),
        ("access-control-request-headers", "x-anything"),
    ];
    let answer = send(envoy, Method::OPTIONS, "/cors", &preflight).await;
    assert_eq!(answer.status, 200);
    for (name, value) in [
        ("access-control-allow-origin", "https://a.example.com"),
        ("access-control-allow-methods", "GET,PUT"),
        ("access-control-allow-headers", "x-anything"),
        ("access-control-allow-credentials", "true"),
        ("access-control-max-age", "5"),
    ] {
        assert_eq!(header(&answer, name), value, "{name}");
    }
    let answer = send(envoy, Method::GET, "/cors", &preflight[..1]).await;
    assert_eq!(answer.instance().unwrap(), "blue");
    assert_eq!(header(&answer, "access-control-expose-headers"), "x-count");
    assert_eq!(header(&answer, "vary"), "Origin");
    let other = [("origin", "https://b.example.com")];
    let answer = send(envoy, Method::GET, "/cors", &other).await;
    assert_eq!(header(&answer, "access-control-allow-origin"), "");

    let own = envoy.url("");
    for (origin, status) in [(own.as_str(), 200), ("https://b.example.com", 403)] {
        let answer = send(envoy, Method::POST, "/csrf", &[("origin", origin)]).await;
        assert_eq!(answer.status, status, "from {origin}");
    }
}

#[tokio::test]
async fn plugins_compress_and_rewrite_answers() {
    let stage = Stage::set().await;
    let (etcd, envoy) = (&stage.etcd, &stage.envoy);
    let blue = stage.instance("blue").await;

    let types = json!(["text/plain"]);
    let both = json!({ "gzip": { "types": types }, "brotli": { "types": types } });
    etcd.put("routes/both", &with_plugins("/both", &blue, both))
        .await;
    let gzip = json!({ "gzip": { "types": types, "min_length": 100_000 } });
    etcd.put("routes/long", &with_plugins("/long", &blue, gzip))
        .await;
    let headers = json!({ "response-rewrite": { "headers": {
        "add": ["X-Via: gateway"], "set": { "x-client": "$remote_addr" }, "remove": ["content-type"],
    } } });
    etcd.put("routes/headers", &with_plugins("/headers", &blue, headers))
        .await;
    let answer = json!({ "response-rewrite": {
        "status_code": 202, "body": "c29vbg==", "body_base64": true, "headers": { "x-why": "busy", "content-type": "text/x-soon" },
    } });
    etcd.put("routes/answer", &with_plugins("/answer", &blue, answer))
        .await;
    let in_part = json!({ "response-rewrite": { "headers": { "x-beta": "yes" }, "vars": [["http_x_beta", "==", "1"]] } });
    etcd.put("routes/in-part", &with_plugins("/in-part", &blue, in_part))
        .await;
    for path in ["/both", "/long", "/headers", "/in-part"] {
        envoy.answers_by(path, "blue").await;
    }

    for (accepted, encoding) in [("gzip", "gzip"), ("gzip, br", "br"), ("zstd", "")] {
        let answer = send(
            envoy,
            Method::GET,
            "/both",
            &[("accept-encoding", accepted)],
        )
        .await;
        assert_eq!(
            header(&answer, "content-encoding"),
            encoding,
            "of {accepted}"
        );
    }
    let answer = send(envoy, Method::GET, "/long", &[("accept-encoding", "gzip")]).await;
    assert_eq!(header(&answer, "content-encoding"), "", "it is short");

    let answer = send(envoy, Method::GET, "/headers", &[]).await;
    assert_eq!(header(&answer, "x-via"), "gateway");
    assert!(!header(&answer, "x-client").is_empty());
    assert_eq!(header(&answer, "content-type"), "");
    let answer = envoy.answers_with("/answer", 202).await;
    assert_eq!(
        (answer.body.as_str(), header(&answer, "x-why")),
        ("soon", "busy")
    );
    assert_eq!(header(&answer, "content-type"), "text/x-soon");
    for (beta, marked) in [("1", "yes"), ("2", "")] {
        let answer = send(envoy, Method::GET, "/in-part", &[("x-beta", beta)]).await;
        assert_eq!(header(&answer, "x-beta"), marked, "of {beta}");
    }
}

#[tokio::test]
async fn plugins_delay_and_break_off() {
    let stage = Stage::set().await;
    let (etcd, envoy) = (&stage.etcd, &stage.envoy);
    let blue = stage.instance("blue").await;

    let faults = |percentage| {
        json!({ "fault-injection": {
        "abort": { "http_status": 418, "body": "tea", "headers": { "x-why": "100%" }, "percentage": percentage },
    } })
    };
    etcd.put("routes/never", &with_plugins("/never", &blue, faults(0)))
        .await;
    etcd.put(
        "routes/always",
        &with_plugins("/always", &blue, faults(100)),
    )
    .await;
    let late = json!({ "fault-injection": { "delay": { "duration": 0.5 } } });
    etcd.put("routes/late", &with_plugins("/late", &blue, late))
        .await;
    let mocked = json!({ "uri": "/mocked", "plugins": { "mocking": { "delay": 1 } } });
    etcd.put("routes/mocked", &mocked).await;

    envoy.answers_by("/never", "blue").await;
    let answer = envoy.answers_with("/always", 418).await;
    assert_eq!(
        (answer.body.as_str(), header(&answer, "x-why")),
        ("tea", "100%")
    );
    let answer = envoy.get("/never").await;
    assert_eq!(header(&answer, "x-why"), "", "it was not broken off");
    for (path, least) in [("/late", 400), ("/mocked", 900)] {
        envoy.answers_with(path, 200).await;
        // Envoy's clock may be some milliseconds behind.
        let start = Instant::now();
        envoy.get(path).await;
        assert!(start.elapsed() >= Duration::from_millis(least), "{path}");
    }
}
