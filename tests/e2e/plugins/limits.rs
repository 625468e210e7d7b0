//! Plugins that bound how many requests pass.

use reqwest::Method;
use serde_json::json;

use crate::support::stage::{Stage, route_to};

/// The statuses of requests, one after the other.
async fn statuses(stage: &Stage, requests: &[(&str, &str)]) -> Vec<u16> {
    let mut statuses = Vec::new();
    for (path, user) in requests {
        let headers: &[(&str, &str)] = match *user {
            "" => &[],
            user => &[("x-user", user)],
        };
        let answer = stage.envoy.send(Method::GET, path, headers).await;
        statuses.push(answer.unwrap().status);
    }
    statuses
}

#[tokio::test]
async fn who_sends_too_many_requests_is_told_so() {
    let stage = Stage::set().await;
    let blue = stage.instance("blue").await;
    let by_user = json!({
        "count": 2, "time_window": 3600, "key": "http_x_user", "rejected_code": 429,
        "rejected_msg": "slower",
    });
    let by_both = json!({
        "count": 1, "time_window": 3600, "key_type": "var_combination",
        "key": "$remote_addr $http_x_user",
    });
    let together = json!({
        "count": 1, "time_window": 3600, "key_type": "constant", "key": "a",
        "show_limit_quota_header": false,
    });
    let rate = json!({ "rate": 0.01, "burst": 1, "key": "remote_addr", "nodelay": true });
    for (id, plugins) in [
        ("user", json!({ "limit-count": by_user })),
        ("both", json!({ "limit-count": by_both })),
        ("together", json!({ "limit-count": together })),
        ("rate", json!({ "limit-req": rate })),
        ("marker", json!({})),
    ] {
        let mut route = route_to(&format!("/{id}"), &[&blue]);
        route["plugins"] = plugins;
        stage.etcd.put(&format!("routes/{id}"), &route).await;
    }
    stage.envoy.answers_by("/marker", "blue").await;

    // Each user has a bucket, and whoever is none has that of the address.
    let users = ["ann", "ann", "ann", "bob", "", "", ""];
    let requests = users.map(|user| ("/user", user));
    assert_eq!(
        statuses(&stage, &requests).await,
        [200, 200, 429, 200, 200, 200, 429]
    );
    let ann = [("x-user", "ann")];
    let answer = stage.envoy.send(Method::GET, "/user", &ann).await.unwrap();
    assert_eq!(answer.body, r#"{"error_msg":"slower"}"#);
    assert_eq!(answer.headers["x-ratelimit-limit"], "2");
    assert_eq!(answer.headers["x-ratelimit-remaining"], "0");

    let requests = ["ann", "ann", "bob", "", ""].map(|user| ("/both", user));
    assert_eq!(statuses(&stage, &requests).await, [200, 503, 200, 200, 503]);

    let requests = ["ann", "bob"].map(|user| ("/together", user));
    assert_eq!(statuses(&stage, &requests).await, [200, 503]);
    let answer = stage.envoy.get("/together").await;
    assert!(answer.body.is_empty(), "{answer:?}");
    assert!(answer.headers.get("x-ratelimit-limit").is_none());

    assert_eq!(statuses(&stage, &[("/rate", ""); 3]).await, [200, 200, 503]);
}
