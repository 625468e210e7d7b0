//! What a body lacks, and a schema has a default for.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::envoy::Envoy;
use crate::support::stage::{Stage, settled};

/// Sends a body, and tells the status and what comes back.
async fn sent(envoy: &Envoy, kind: &str, body: String) -> (u16, String) {
    let client = reqwest::Client::new();
    let request = client.post(envoy.url("/checked"));
    let answer = request.header("content-type", kind).body(body).send().await;
    let answer = answer.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn adds_defaults(stage: &Stage, envoy: &Envoy) {
    let listener = TcpListener::bind((stage.address, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = Router::new()
        .fallback(async |body: String| body)
        .layer(DefaultBodyLimit::disable());
    let echo = tokio::spawn(async { axum::serve(listener, app).await.unwrap() });
    let schema = json!({
        "type": "object", "required": ["name"], "properties": {
            "name": { "type": "string" },
            "size": { "type": "integer", "default": 12345678901234567_u64 },
            "tags": { "default": ["a\"b", { "c": null }] },
            "off": { "default": false },
            "parts": { "type": "array", "items": { "properties": { "kind": { "default": "x".repeat(1000) } } } },
            "place": { "properties": { "at": { "default": "here" } } },
        },
    });
    let headers = json!({ "properties": { "x-one": { "default": "1" } } });
    let route = json!({
        "uri": "/checked", "upstream": { "nodes": { address.to_string(): 1 } },
        "plugins": { "request-validation": { "body_schema": schema, "header_schema": headers } },
    });
    stage.etcd.put("routes/checked", &route).await;
    settled(&stage.etcd, &stage.chancery).await;
    envoy.answers_with("/checked", 400).await;

    let json = async |body: &str| sent(envoy, "application/json", body.to_owned()).await;
    let (status, whole) = json(r#" { "name": "é}{", "big": 12345678901234567890.10 } "#).await;
    let expected = r#" {"size":12345678901234567,"tags":["a\"b",{"c":null}], "name": "é}{", "big": 12345678901234567890.10 } "#;
    assert_eq!((status, &*whole), (200, expected));
    // What is there stays as it came, in any depth.
    let complete = r#"{"name":"a","size":1,"tags":null,"place":{"at":""},"parts":[{"kind":1}]}"#;
    assert_eq!(json(complete).await, (200, complete.to_owned()));
    let (status, whole) =
        json(r#"{"name":"a","size":1,"tags":1,"place":{},"parts":[{},{"kind":1},{"k":{}}]}"#).await;
    let kind = format!("\"kind\":\"{}\"", "x".repeat(1000));
    let expected = format!(
        r#"{{"name":"a","size":1,"tags":1,"place":{{"at":"here"}},"parts":[{{{kind}}},{{"kind":1}},{{{kind},"k":{{}}}}]}}"#
    );
    assert_eq!((status, whole), (200, expected));
    assert_eq!(json(r#"{"size":1}"#).await.0, 400);
    // A form goes on as it came.
    let form = sent(
        envoy,
        "application/x-www-form-urlencoded",
        "name=a".to_owned(),
    )
    .await;
    assert_eq!(form, (200, "name=a".to_owned()));
    // A small body does not become a large one.
    let many = |count: usize| {
        let parts = vec!["{}"; count].join(",");
        format!(r#"{{"name":"a","size":1,"tags":1,"parts":[{parts}]}}"#)
    };
    let (status, whole) = json(&many(20)).await;
    let value: Value = serde_json::from_str(&whole).unwrap();
    let count = value["parts"].as_array().unwrap().len();
    assert_eq!((status, count), (200, 20));
    // Beyond what the gateway holds of a body, as one that came so.
    assert_eq!(json(&many(1000)).await.0, 413);
    let (status, said) = json(&many(2000)).await;
    assert_eq!((status, &*said), (400, "lacks more than can be added"));
    echo.abort();
}

#[tokio::test]
async fn what_a_body_lacks_goes_on_with_its_default() {
    let stage = Stage::set().await;
    adds_defaults(&stage, &stage.envoy).await;
}

#[tokio::test]
async fn what_a_body_lacks_goes_on_with_its_default_through_the_oldest_envoy() {
    let mut stage = Stage::set().await;
    stage.envoy.process.stop().await;
    let (xds, listener) = (stage.chancery.xds(), stage.envoy.listener());
    let old = Envoy::start_release("1.36", xds, listener, stage.folder()).await;
    adds_defaults(&stage, &old).await;
}
