//! Who may send requests: consumers come, change and go, and nobody passes for another.

mod changes;
mod credentials;
mod others;
mod plugins;
mod restrictions;
mod strangers;
mod tokens;

use anyhow::ensure;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Method;
use ring::hmac;
use serde_json::{Value, json};

use crate::support::consul::Memory;
use crate::support::envoy::{Envoy, Protocol};
use crate::support::eventually;
use crate::support::http::Answer;
use crate::support::stage::{Stage, route_to};

/// A stage whose `/PATH` is a route with these plugins.
pub async fn stage_with(protocol: Protocol, routes: &[(&str, Value)]) -> Stage {
    let stage = Stage::set_with(protocol, Memory::Forgets).await;
    // Answers for as long as the test runs.
    let instance = Box::leak(Box::new(stage.instance("shop").await));
    for (name, plugins) in routes {
        let mut route = route_to(&format!("/{name}"), &[instance]);
        route["plugins"] = plugins.clone();
        stage.etcd.put(&format!("routes/{name}"), &route).await;
    }
    stage
}

pub fn consumer(name: &str, plugins: Value) -> Value {
    json!({ "username": name, "plugins": plugins })
}

pub async fn send(envoy: &Envoy, path: &str, headers: &[(&str, &str)]) -> Answer {
    let answer = envoy.send(Method::GET, path, headers).await;
    answer.expect("an answer")
}

/// Waits until a request passes, and tells what the instance saw.
pub async fn passes(envoy: &Envoy, path: &str, headers: &[(&str, &str)]) -> Value {
    eventually(async || {
        let answer = envoy.send(Method::GET, path, headers).await?;
        ensure!(answer.status == 200, "{path}: {answer:?}");
        answer.seen()
    })
    .await
}

pub async fn is_told(envoy: &Envoy, path: &str, headers: &[(&str, &str)], status: u16, said: &str) {
    let answer = send(envoy, path, headers).await;
    assert_eq!(
        (answer.status, &*answer.body),
        (status, said),
        "{path} {headers:?}"
    );
}

/// What is signed of a token.
pub fn unsigned(algorithm: &str, claims: &str) -> String {
    let head = json!({ "alg": algorithm, "typ": "JWT" }).to_string();
    let [head, claims] = [&*head, claims].map(|part| URL_SAFE_NO_PAD.encode(part));
    format!("{head}.{claims}")
}

pub fn token(secret: &str, claims: &str) -> String {
    let unsigned = unsigned("HS256", claims);
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key, unsigned.as_bytes()));
    format!("{unsigned}.{signature}")
}
