//! Retries: what may be repeated is repeated on another instance, what may not is not.

use reqwest::Method;
use serde_json::json;

use crate::support::instance::Instance;
use crate::support::own_address;
use crate::support::stage::{Stage, route_to};

const REQUESTS: usize = 20;

/// How many of [`REQUESTS`] were answered with 200.
async fn answered(stage: &Stage, method: Method) -> usize {
    answered_at(stage, method, "/hello").await
}

async fn answered_at(stage: &Stage, method: Method, path: &str) -> usize {
    let mut answered = 0;
    for _ in 0..REQUESTS {
        let answer = stage.envoy.send(method.clone(), path, &[]).await;
        let answer = answer.unwrap();
        assert!([200, 502].contains(&answer.status), "{answer:?}");
        answered += usize::from(answer.status == 200);
    }
    answered
}

#[tokio::test]
async fn a_reset_is_retried_for_get_and_not_for_post() {
    let stage = Stage::set().await;
    let good = stage.instance("good").await;
    let bad = Instance::resetting("bad", stage.address).await;
    let mut route = route_to("/hello", &[&good, &bad]);
    stage.etcd.put("routes/hello", &route).await;
    stage.envoy.answers_by("/hello", "good").await;
    assert_eq!(answered(&stage, Method::GET).await, REQUESTS);
    assert_eq!(answered(&stage, Method::POST).await, REQUESTS / 2);

    // Without retries half of the requests meet the bad instance.
    route["upstream"]["retries"] = json!(0);
    stage.etcd.put("routes/hello", &route).await;
    let retries_are_off = async || {
        let answered = answered(&stage, Method::GET).await;
        anyhow::ensure!(answered == REQUESTS / 2, "{answered} answered");
        Ok(())
    };
    crate::support::eventually(retries_are_off).await;
}

#[tokio::test]
async fn what_most_routes_do_about_failures_is_not_what_a_route_does_that_says_otherwise() {
    let stage = Stage::set().await;
    let good = stage.instance("good").await;
    let bad = Instance::resetting("bad", stage.address).await;
    let paths = ["/hello", "/again", "/never"];
    for path in paths {
        let mut route = route_to(path, &[&good, &bad]);
        if path == "/never" {
            route["upstream"]["retries"] = json!(0);
        }
        stage.etcd.put(&format!("routes{path}"), &route).await;
    }
    for path in paths {
        stage.envoy.answers_by(path, "good").await;
    }
    for (path, method, expected) in [
        ("/hello", Method::GET, REQUESTS),
        ("/again", Method::GET, REQUESTS),
        ("/again", Method::POST, REQUESTS / 2),
        ("/never", Method::GET, REQUESTS / 2),
    ] {
        let answered = answered_at(&stage, method.clone(), path).await;
        assert_eq!(answered, expected, "{method} {path}");
    }
}

#[tokio::test]
async fn a_refused_connection_is_retried_for_any_method() {
    let stage = Stage::set().await;
    let good = stage.instance("good").await;
    let nobody = format!("{}:9", own_address());
    let route = json!({ "uri": "/hello", "upstream": {
        "type": "roundrobin", "nodes": { good.node(): 1, nobody: 1 },
    } });
    stage.etcd.put("routes/hello", &route).await;
    stage.envoy.answers_by("/hello", "good").await;
    assert_eq!(answered(&stage, Method::GET).await, REQUESTS);
    assert_eq!(answered(&stage, Method::POST).await, REQUESTS);
}

#[tokio::test]
async fn the_healthy_node_is_found_however_light_it_is() {
    let stage = Stage::set().await;
    let good = stage.instance("good").await;
    let nobody = format!("{}:9", own_address());
    for (path, balancer) in [
        ("/hello", json!({ "type": "roundrobin" })),
        (
            "/ring",
            json!({ "type": "chash", "hash_on": "vars", "key": "remote_addr" }),
        ),
    ] {
        let mut upstream = balancer;
        upstream["nodes"] = json!({ good.node(): 1, nobody.clone(): 100 });
        let route = json!({ "uri": path, "upstream": upstream });
        stage.etcd.put(&format!("routes{path}"), &route).await;
        stage.envoy.answers_by(path, "good").await;
        assert_eq!(
            answered_at(&stage, Method::GET, path).await,
            REQUESTS,
            "{path}"
        );
    }
}
