//! Retries: what may be repeated is repeated on another instance, what may not is not.

use reqwest::Method;
use serde_json::json;

use crate::support::instance::Instance;
use crate::support::own_address;
use crate::support::stage::{Stage, route_to};

const REQUESTS: usize = 20;

/// How many of [`REQUESTS`] were answered with 200.
async fn answered(stage: &Stage, method: Method) -> usize {
    let mut answered = 0;
    for _ in 0..REQUESTS {
        let answer = stage.envoy.send(method.clone(), "/hello", &[]).await;
        let answer = answer.unwrap();
        assert!([200, 503].contains(&answer.status), "{answer:?}");
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
