//! S3, a route as APISIX has it, literally: `examples/etcd/echo.json`.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::consul::Memory;
use crate::support::envoy::Protocol;
use crate::support::stage::Stage;

fn route() -> Value {
    serde_json::from_str(include_str!("../../examples/etcd/echo.json")).unwrap()
}

#[tokio::test]
async fn the_route_of_apisix_works_as_it_stands_over_delta() {
    the_route_of_apisix_works_as_it_stands(Protocol::Delta).await;
}

#[tokio::test]
async fn the_route_of_apisix_works_as_it_stands_over_sotw() {
    the_route_of_apisix_works_as_it_stands(Protocol::Sotw).await;
}

async fn the_route_of_apisix_works_as_it_stands(protocol: Protocol) {
    let stage = Stage::set_with(protocol, Memory::Forgets).await;
    let (etcd, envoy) = (&stage.etcd, &stage.envoy);
    let versions = [stage.instance("v1").await, stage.instance("v2").await];
    for version in &versions {
        let (name, at) = (&version.name, version.address);
        stage.consul.register("echo", name, at).await;
    }
    etcd.put("routes/echo", &route()).await;
    envoy.answers_by_all("/testecho/", &["v1", "v2"]).await;
    let mut answers = Vec::new();
    for _ in 0..10 {
        answers.push(envoy.get("/testecho/").await.instance().unwrap());
    }
    assert!(
        answers.windows(2).all(|pair| pair[0] != pair[1]),
        "{answers:?}"
    );

    let host = [("host", "shop.example.com")];
    let path = "/testecho/cart/7?page=2&of=3";
    let answer = envoy.send(Method::GET, path, &host).await.unwrap();
    let seen = answer.seen().unwrap();
    assert_eq!(seen["path"], "/cart/7?page=2&of=3");
    assert_eq!(seen["headers"]["host"], "shop.example.com");

    for method in [
        "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "PURGE",
    ] {
        let request = method.parse().unwrap();
        let answer = envoy.send(request, "/testecho/x", &[]).await.unwrap();
        assert_eq!(answer.status, 200, "{method}: {answer:?}");
    }
    let answer = envoy
        .send("LOCK".parse().unwrap(), "/testecho/x", &[])
        .await;
    assert_ne!(answer.unwrap().status, 200);

    let mut off = route();
    off["status"] = json!(0);
    etcd.put("routes/echo", &off).await;
    let answer = envoy.answers_with("/testecho/", 404).await;
    assert!(answer.body.contains("404 Route Not Found"), "{answer:?}");
    etcd.put("routes/echo", &route()).await;
    envoy.answers_by_all("/testecho/", &["v1", "v2"]).await;
}
