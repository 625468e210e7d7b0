//! What clients are told when no instance answers, and what old clients are told at all.

use std::time::Duration;

use anyhow::ensure;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::support::instance::Instance;
use crate::support::stage::{Stage, route_to};
use crate::support::{eventually, http, own_address};

/// Takes connections and does with each what is asked, once a request has come.
fn instance(listener: TcpListener, answer: &'static [u8], lasts: Duration) {
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 1024];
                let _ = connection.read(&mut request).await;
                let _ = connection.write_all(answer).await;
                tokio::time::sleep(lasts).await;
            });
        }
    });
}

#[tokio::test]
async fn who_does_not_answer_is_a_bad_gateway_and_who_is_late_a_timeout() {
    let stage = Stage::set().await;
    let address = own_address();
    let listen = async |port: u16| TcpListener::bind((address, port)).await.unwrap();
    let day = Duration::from_secs(86_400);
    instance(listen(7001).await, b"", Duration::ZERO);
    instance(listen(7002).await, b"this is no HTTP\r\n\r\n", day);
    instance(listen(7003).await, b"", day);
    let resetting = Instance::resetting("resetting", stage.address).await;
    // Nobody takes connections here, and there is no room for more to wait.
    let full = TcpSocket::new_v4().unwrap();
    full.bind((address, 7004).into()).unwrap();
    let full = full.listen(1).unwrap();
    let mut waiting = Vec::new();
    for _ in 0..8 {
        let connect = TcpStream::connect(full.local_addr().unwrap());
        waiting.push(tokio::time::timeout(Duration::from_millis(100), connect).await);
    }
    let node = |port: u16| format!("{address}:{port}");
    for (path, node, status) in [
        ("/refused", node(9), 502),
        ("/empty", node(7001), 502),
        ("/other", node(7002), 502),
        ("/late", node(7003), 504),
        ("/full", node(7004), 504),
        ("/reset", resetting.node(), 502),
        ("/none", String::new(), 503),
    ] {
        let nodes = if node.is_empty() {
            json!({})
        } else {
            json!({ node: 1 })
        };
        let timeout = json!({ "connect": 0.5, "send": 1, "read": 1 });
        let upstream =
            json!({ "type": "roundrobin", "nodes": nodes, "retries": 0, "timeout": timeout });
        stage
            .etcd
            .put(
                &format!("routes{path}"),
                &json!({ "uri": path, "upstream": upstream }),
            )
            .await;
        let answer = stage.envoy.answers_with(path, status).await;
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        let said = body["error_msg"].as_str().unwrap_or_default();
        assert!(said.starts_with(&status.to_string()), "{path}: {answer:?}");
        let told = answer.headers.get("x-apisix-upstream-status");
        let told = told.map(|value| value.to_str().unwrap());
        let expected = (status != 503).then(|| status.to_string());
        assert_eq!(told, expected.as_deref(), "{path}: {answer:?}");
    }
    drop(waiting);

    // What an instance says itself is left as it is.
    let status = std::sync::Arc::new(502.into());
    let failing = Instance::answering("failing", stage.address, status).await;
    stage
        .etcd
        .put("routes/own", &route_to("/own", &[&failing]))
        .await;
    let own = stage.envoy.answers_with("/own", 502).await;
    assert!(!own.body.contains("error_msg"), "{own:?}");
}

#[tokio::test]
async fn old_clients_are_answered_with_a_host_and_without() {
    let stage = Stage::set().await;
    let good = stage.instance("good").await;
    stage
        .etcd
        .put("routes/hello", &route_to("/hello", &[&good]))
        .await;
    let mut of_host = route_to("/hello", &[&good]);
    of_host["host"] = json!("old.example.com");
    of_host["plugins"] =
        json!({ "mocking": { "response_status": 200, "response_example": "by host" } });
    stage.etcd.put("routes/host", &of_host).await;
    stage.envoy.answers_by("/hello", "good").await;
    let said = async |head: &str| {
        let text = format!("GET /hello HTTP/1.0\r\n{head}\r\n");
        http::raw(own_address(), stage.envoy.listener(), &text).await
    };
    eventually(async || {
        let answer = said("Host: old.example.com\r\n").await?;
        ensure!(
            answer.contains(" 200 OK") && answer.contains("by host"),
            "{answer}"
        );
        Ok(())
    })
    .await;
    let answer = said("").await.unwrap();
    assert!(
        answer.contains(" 200 OK") && answer.contains("good"),
        "{answer}"
    );
    let modern = stage.envoy.send(Method::GET, "/hello", &[]).await.unwrap();
    assert_eq!(modern.status, 200);
}
