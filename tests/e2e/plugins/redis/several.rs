//! Several limits of one request in Redis, and those of a workflow.

use reqwest::Method;
use serde_json::{Value, json};

use super::{counting, within};
use crate::support::eventually;
use crate::support::http::Answer;
use crate::support::stage::{route_to, settled};

/// All values of the header that tells of a limit.
fn told(answer: &Answer) -> Vec<&str> {
    let values = answer.headers.get_all("x-ratelimit-limit").iter();
    values.map(|value| value.to_str().unwrap()).collect()
}

#[tokio::test]
async fn the_last_of_several_limits_is_told_and_one_that_is_reached() {
    let (stage, redis, _limiter) = counting().await;
    let (etcd, envoy) = (&stage.etcd, &stage.envoy);
    let blue = stage.instance("blue").await;
    let limit = |count: u32, more: Value| {
        let mut own = json!({ "count": count, "time_window": 3600, "rejected_code": 429 });
        let fields = own.as_object_mut().unwrap();
        fields.extend(more.as_object().unwrap().clone());
        within(&redis, own)
    };
    let route = |uri: &str, plugins: Value| {
        let mut route = route_to(uri, &[&blue]);
        route["plugins"] = plugins;
        route
    };
    let of_route = limit(2, json!({}));
    let counted = json!({ "limit-count": of_route });
    etcd.put("routes/counted", &route("/counted", counted))
        .await;
    let open = json!({ "limit-count": limit(3, json!({ "allow_degradation": true })) });
    etcd.put("routes/open", &route("/open", open)).await;
    let flow = limit(9, json!({}));
    let both = json!({
        "workflow": { "rules": [{ "actions": [["limit-count", flow]] }] }, "limit-count": limit(4, json!({})),
    });
    etcd.put("routes/both", &route("/both", both)).await;
    let silent = json!({ "limit-count": limit(5, json!({ "show_limit_quota_header": false })) });
    etcd.put("routes/silent", &route("/silent", silent)).await;
    etcd.put("routes/plain", &route("/plain", json!({}))).await;
    let rule = json!({ "plugins": { "limit-count": limit(7, json!({})) } });
    etcd.put("global_rules/all", &rule).await;
    settled(etcd, &stage.chancery).await;

    let expected = [
        ("/counted", 200, "2"),
        ("/open", 200, "3"),
        ("/both", 200, "4"),
        ("/silent", 200, "7"),
        ("/plain", 200, "7"),
        ("/counted", 200, "2"),
        // The route's is reached, and then the rule's.
        ("/counted", 429, "2"),
        ("/counted", 429, "7"),
        ("/both", 429, "7"),
    ];
    for (path, status, limit) in expected {
        let answer = envoy.get(path).await;
        assert_eq!(
            (answer.status, told(&answer)),
            (status, vec![limit]),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_workflow_counts_requests_that_are_under_way() {
    let (stage, redis, _limiter) = counting().await;
    let blue = stage.instance("blue").await;
    let conn = within(
        &redis,
        json!({
            "conn": 1, "burst": 0, "default_conn_delay": 0.1, "key": "http_user", "rejected_code": 429, "rejected_msg": "later",
        }),
    );
    let mut slow = route_to("/slow", &[&blue]);
    slow["plugins"] = json!({ "workflow": { "rules": [
        { "case": [["http_user", "==", "root"]], "actions": [["return", { "code": 403 }]] },
        { "actions": [["limit-conn", conn]] },
    ] } });
    stage.etcd.put("routes/slow", &slow).await;
    let mut gone = route_to("/gone", &[&blue]);
    gone["plugins"] = json!({
        "workflow": slow["plugins"]["workflow"], "redirect": { "uri": "/slow", "ret_code": 302 },
    });
    stage.etcd.put("routes/gone", &gone).await;
    settled(&stage.etcd, &stage.chancery).await;
    let ask = async |path: &str, user: &str| {
        let headers = [("user", user)];
        stage.envoy.send(Method::GET, path, &headers).await.unwrap()
    };
    assert_eq!(ask("/slow", "root").await.status, 403);
    eventually(async || {
        let long = "/slow?chunks=1&every_ms=1500";
        let (one, other, of_bob) =
            tokio::join!(ask(long, "ann"), ask(long, "ann"), ask(long, "bob"));
        let mut found = [one.status, other.status];
        found.sort_unstable();
        anyhow::ensure!(
            (found, of_bob.status) == ([200, 429], 200),
            "{found:?} {of_bob:?}"
        );
        Ok(())
    })
    .await;
    // Envoy answers this one by itself, and is asked about it too.
    eventually(async || {
        let answer = ask("/gone", "cid").await;
        anyhow::ensure!(answer.status == 302, "{answer:?}");
        Ok(())
    })
    .await;
}
