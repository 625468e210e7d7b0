//! S4, instances that a deploy platform takes out before it kills them: the registry first, then every Envoy, and only then
//! the answer.

pub mod agents;
mod callers;
mod deploys;
mod orders;
mod outages;
mod places;

use std::net::SocketAddr;

use anyhow::ensure;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::chancery::Chancery;
use crate::support::instance::Instance;
use crate::support::stage::{Stage, route_to_service};
use crate::support::{PATIENTLY, eventually, own_address};

/// Calls the control API; an answer without a body is `null`.
pub async fn call(
    chancery: &Chancery,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> (u16, Value) {
    let url = format!("{}/{path}", chancery.url());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut request = client.request(method, url);
    if let Some(body) = body {
        request = request.json(&body);
    }
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    (status, response.json().await.unwrap_or_default())
}

pub async fn drain(chancery: &Chancery, wish: Value) -> (u16, Value) {
    call(chancery, Method::POST, "v1/drains", Some(wish)).await
}

pub async fn undrain(chancery: &Chancery, answer: &Value) -> (u16, Value) {
    let path = format!("v1/drains/{}", answer["drain"]["id"].as_str().unwrap());
    call(chancery, Method::DELETE, &path, None).await
}

/// What drains are in force, by instance.
pub async fn drains(chancery: &Chancery) -> Vec<String> {
    let (status, answer) = call(chancery, Method::GET, "v1/drains", None).await;
    assert_eq!(status, 200, "{answer}");
    let drains = answer["drains"].as_array().unwrap();
    let names = drains.iter().map(|drain| drain["instance"].as_str());
    names.map(|name| name.unwrap().to_owned()).collect()
}

pub fn wish(at: SocketAddr) -> Value {
    json!({ "address": at.ip(), "port": at.port(), "wait": PATIENTLY })
}

/// A stage on which Envoy serves two instances of the service `echo`.
pub async fn staged() -> (Stage, [Instance; 2]) {
    let stage = Stage::set().await;
    let instances = two(&stage).await;
    (stage, instances)
}

/// Another replica of the stage's Chancery, with settings of its own.
pub async fn beside(stage: &Stage, settings: &[&str]) -> Chancery {
    let (etcd, consul) = (stage.etcd.url(), stage.consul.url());
    let folder = stage.folder().join("beside");
    std::fs::create_dir(&folder).unwrap();
    let mut other = Chancery::serve_with(own_address(), &etcd, &consul, settings, &folder);
    other.ready().await;
    other
}

/// Takes an instance out, and tells of it.
pub async fn drained(chancery: &Chancery, at: SocketAddr) -> Value {
    let (status, answer) = drain(chancery, wish(at)).await;
    assert_eq!(status, 201, "{answer}");
    answer
}

/// Waits until these, and no others, pass in Consul.
pub async fn pass_in_consul(stage: &Stage, instances: &[&str]) {
    eventually(async || {
        let passing = stage.consul.passing("echo").await;
        ensure!(passing == instances, "{passing:?}");
        Ok(())
    })
    .await;
}

/// Two instances of the service `echo` that Envoy serves.
pub async fn two(stage: &Stage) -> [Instance; 2] {
    let two = [stage.instance("a").await, stage.instance("b").await];
    for instance in &two {
        let (name, at) = (&instance.name, instance.address);
        stage.consul.register("echo", name, at).await;
    }
    let route = route_to_service("/echo", "echo");
    stage.etcd.put("routes/echo", &route).await;
    stage.envoy.answers_by_all("/echo", &["a", "b"]).await;
    two
}

/// The instance gets no request, however many there are: a few may miss it by chance.
pub async fn is_left_out(stage: &Stage, instance: &str) {
    for _ in 0..40 {
        let answer = stage.envoy.get("/echo").await;
        assert_ne!(answer.instance().unwrap(), instance);
    }
}
