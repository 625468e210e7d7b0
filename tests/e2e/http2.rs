//! HTTP/2 in the clear, by prior knowledge, and gRPC through it.

use anyhow::{Context, ensure};
use bytes::Bytes;
use h2::client::SendRequest;
use serde_json::json;

use crate::support::eventually;
use crate::support::http::ANSWER;
use crate::support::instance::Instance;
use crate::support::stage::{Stage, route_to};

/// A connection to the stage's gateway.
async fn connect(stage: &Stage) -> anyhow::Result<SendRequest<Bytes>> {
    let stream = tokio::net::TcpStream::connect(stage.envoy.listener()).await?;
    let (client, connection) = h2::client::handshake(stream).await?;
    tokio::spawn(connection);
    Ok(client.ready().await?)
}

#[tokio::test]
async fn clients_may_speak_http2_without_tls() {
    let stage = Stage::set().await;
    let blue = stage.instance("blue").await;
    stage.etcd.put("routes/a", &route_to("/a", &[&blue])).await;
    stage.envoy.answers_by("/a", "blue").await;
    let client = reqwest::Client::builder()
        .no_proxy()
        .http2_prior_knowledge()
        .timeout(ANSWER)
        .build()
        .unwrap();
    let answer = client.get(stage.envoy.url("/a")).send().await.unwrap();
    assert_eq!(answer.version(), reqwest::Version::HTTP_2);
    assert_eq!(answer.status(), 200);
    assert!(answer.text().await.unwrap().contains("blue"));
}

#[tokio::test]
async fn a_grpc_call_goes_both_ways_at_once_and_ends_with_its_status() {
    let stage = Stage::set().await;
    let echo = Instance::grpc("echo", stage.address).await;
    let mut route = route_to("/test.Echo/*", &[&echo]);
    route["upstream"]["scheme"] = json!("grpc");
    stage.etcd.put("routes/echo", &route).await;
    let (mut sender, mut body) = eventually(async || {
        let mut client = connect(&stage).await?;
        let request = http::Request::post("http://a/test.Echo/Say")
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        let (answer, sender) = client.send_request(request.body(())?, false)?;
        let answer = tokio::time::timeout(ANSWER, answer).await??;
        ensure!(answer.status() == 200, "{answer:?}");
        ensure!(
            answer.headers()["content-type"] == "application/grpc",
            "{answer:?}"
        );
        ensure!(!answer.headers().contains_key("grpc-status"), "{answer:?}");
        Ok((sender, answer.into_body()))
    })
    .await;
    for word in ["one", "two"] {
        let message = [&[0, 0, 0, 0, 3], word.as_bytes()].concat();
        sender.send_data(message.clone().into(), false).unwrap();
        let heard = tokio::time::timeout(ANSWER, body.data()).await;
        let heard = heard
            .context("no answer to a message")
            .unwrap()
            .unwrap()
            .unwrap();
        assert_eq!(heard, message);
        body.flow_control().release_capacity(heard.len()).unwrap();
    }
    sender.send_data(Bytes::new(), true).unwrap();
    while let Some(more) = body.data().await {
        assert_eq!(more.unwrap(), Bytes::new());
    }
    let trailers = body.trailers().await.unwrap().unwrap();
    assert_eq!(trailers["grpc-status"], "0");
}
