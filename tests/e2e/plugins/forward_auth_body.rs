//! A service that is asked by POST, and sent the client's body.

use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tokio::net::TcpListener;

use crate::support::envoy::Envoy;
use crate::support::eventually;
use crate::support::stage::{Stage, settled};

/// Says no to bodies that begin with "no", and tells what it was sent; what passes is told the same in a header.
async fn judge(method: Method, headers: HeaderMap, body: Bytes) -> Response {
    let sum: u64 = body.iter().map(|byte| u64::from(*byte)).sum();
    let header = |name: &str| {
        headers
            .get(name)
            .map_or("-", |it| it.to_str().unwrap())
            .to_owned()
    };
    let told = format!(
        "{method} {} {sum} {} {}",
        body.len(),
        header("x-forwarded-method"),
        header("content-encoding")
    );
    let status = if body.starts_with(b"no") {
        StatusCode::UNAUTHORIZED
    } else {
        StatusCode::OK
    };
    (status, [("x-told", told.clone())], told).into_response()
}

/// Sends a body, and tells the status, what the service was sent, and how much of the body the instance had.
async fn sent(envoy: &Envoy, method: Method, body: Vec<u8>) -> (u16, String, usize) {
    let client = reqwest::Client::new();
    let request = client.request(method, envoy.url("/asked"));
    let request = request
        .header("content-encoding", "own")
        .header("x-told", "forged");
    let answer = request.body(body).send().await.unwrap();
    let status = answer.status().as_u16();
    let told = answer.headers().get("x-told");
    let told = told.map_or("-", |it| it.to_str().unwrap()).to_owned();
    (status, told, answer.bytes().await.unwrap().len())
}

async fn asks_by_post(stage: &Stage, envoy: &Envoy) {
    let serve = async |app: Router| {
        let listener = TcpListener::bind((stage.address, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = app.layer(DefaultBodyLimit::disable());
        (
            address,
            tokio::spawn(async { axum::serve(listener, app).await.unwrap() }),
        )
    };
    let (service, judging) = serve(Router::new().fallback(judge)).await;
    // Gives back the body, and what the service had it told.
    let echo =
        async |headers: HeaderMap, body: Bytes| ([("x-told", headers["x-told"].clone())], body);
    let (instance, echoing) = serve(Router::new().fallback(echo)).await;
    let route = json!({
        "uri": "/asked", "upstream": { "nodes": { instance.to_string(): 1 } },
        "plugins": { "forward-auth": {
            "uri": format!("http://{service}/check"), "request_method": "POST", "upstream_headers": ["X-Told"], "client_headers": ["X-Told"],
        } },
    });
    stage.etcd.put("routes/asked", &route).await;
    settled(&stage.etcd, &stage.chancery).await;
    envoy.answers_with("/asked", 200).await;

    let told = |status: u16, told: &str, length: usize| (status, told.to_owned(), length);
    assert_eq!(
        sent(envoy, Method::PUT, b"ab".into()).await,
        told(200, "POST 2 195 PUT own", 2)
    );
    let denied = "POST 3 254 POST own";
    assert_eq!(
        sent(envoy, Method::POST, b"no!".into()).await,
        told(401, denied, denied.len())
    );
    // No text.
    assert_eq!(
        sent(envoy, Method::POST, vec![0, 255, 254]).await,
        told(200, "POST 3 509 POST own", 3)
    );
    assert_eq!(
        sent(envoy, Method::GET, Vec::new()).await,
        told(200, "POST 0 0 GET own", 0)
    );
    let most = 1024 * 1024;
    let large = sent(envoy, Method::POST, vec![1; most]).await;
    assert_eq!(large, told(200, "POST 1048576 1048576 POST own", most));
    // Envoy may hang up while the rest is on its way.
    eventually(async || {
        let request = reqwest::Client::new().post(envoy.url("/asked"));
        let answer = request.body(vec![1; most + 1]).send().await?;
        anyhow::ensure!(answer.status() == 413, "{answer:?}");
        Ok(())
    })
    .await;
    judging.abort();
    echoing.abort();
}

#[tokio::test]
async fn a_service_is_sent_the_body_that_it_is_asked_about() {
    let stage = Stage::set().await;
    asks_by_post(&stage, &stage.envoy).await;
}

#[tokio::test]
async fn a_service_is_sent_the_body_by_the_oldest_envoy_that_asks() {
    let mut stage = Stage::set().await;
    stage.envoy.process.stop().await;
    let (xds, listener) = (stage.chancery.xds(), stage.envoy.listener());
    let old = Envoy::start_release("1.38", xds, listener, stage.folder()).await;
    asks_by_post(&stage, &old).await;
}
