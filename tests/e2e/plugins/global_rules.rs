//! Global rules: their plugins run before a route's own, and for what no route takes as well.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::envoy::Envoy;
use crate::support::eventually;
use crate::support::http::Answer;
use crate::support::load::Load;
use crate::support::stage::{Stage, route_to, settled};

async fn send(envoy: &Envoy, path: &str, agent: &str) -> Answer {
    let headers = [("user-agent", agent)];
    envoy
        .send(Method::GET, path, &headers)
        .await
        .expect("an answer")
}

/// Waits until a path is answered so.
async fn answers(envoy: &Envoy, path: &str, agent: &str, status: u16) -> Answer {
    eventually(async || {
        let answer = send(envoy, path, agent).await;
        anyhow::ensure!(answer.status == status, "{path} {agent}: {answer:?}");
        Ok(answer)
    })
    .await
}

fn denying(agent: &str, message: &str) -> Value {
    json!({ "denylist": [agent], "message": message, "bypass_missing": true })
}

#[tokio::test]
async fn a_global_rule_and_a_route_both_run_the_rule_first() {
    let mut stage = Stage::set().await;
    let blue = stage.instance("blue").await;
    let mut own = route_to("/own", &[&blue]);
    own["plugins"] = json!({
        "ua-restriction": denying("spider", "the route's"),
        "response-rewrite": { "headers": { "set": { "x-both": "route" } } },
        "proxy-rewrite": { "headers": { "remove": ["x-added"] } },
    });
    stage.etcd.put("routes/own", &own).await;
    let rule = json!({ "plugins": {
        "ua-restriction": denying("curl", "the rule's"),
        "response-rewrite": { "headers": { "set": { "x-both": "rule", "x-one": "1" } } },
        "proxy-rewrite": { "headers": { "set": { "x-added": "1", "x-kept": "1" } } },
    } });
    stage.etcd.put("global_rules/1", &rule).await;
    let more = json!({ "plugins": {
        "ua-restriction": denying("wget", "the rule's"),
        "response-rewrite": { "headers": { "set": { "x-two": "2" } } },
    } });
    stage.etcd.put("global_rules/2", &more).await;
    stage.envoy.answers_by("/own", "blue").await;
    both_run(&stage.envoy).await;
    stage.envoy.process.stop().await;
    let (xds, listener) = (stage.chancery.xds(), stage.envoy.listener());
    let old = Envoy::start_release("1.36", xds, listener, stage.folder()).await;
    old.answers_by("/own", "blue").await;
    both_run(&old).await;
}

async fn both_run(envoy: &Envoy) {
    answers(envoy, "/own", "wget", 403).await;
    for (path, agent, status, body) in [
        ("/own", "curl", 403, r#"{"message":"the rule's"}"#),
        ("/own", "wget", 403, r#"{"message":"the rule's"}"#),
        ("/own", "spider", 403, r#"{"message":"the route's"}"#),
        ("/own", "curl spider", 403, r#"{"message":"the rule's"}"#),
        ("/nope", "curl", 403, r#"{"message":"the rule's"}"#),
        (
            "/nope",
            "spider",
            404,
            r#"{"error_msg":"404 Route Not Found"}"#,
        ),
    ] {
        let answer = send(envoy, path, agent).await;
        assert_eq!(
            (answer.status, &*answer.body),
            (status, body),
            "{path} {agent}"
        );
    }
    let answer = send(envoy, "/own", "firefox").await;
    let headers = ["x-both", "x-one", "x-two"].map(|name| answer.headers[name].to_str().unwrap());
    assert_eq!(headers, ["route", "1", "2"], "the route's are changed last");
    let seen = answer.seen().unwrap();
    assert!(seen["headers"].get("x-added").is_none(), "{seen}");
    assert_eq!(seen["headers"]["x-kept"], "1");
    let answer = send(envoy, "/nope", "firefox").await;
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(answer.headers["x-two"], "2");
}

#[tokio::test]
async fn what_no_route_takes_is_limited_and_asked_for_a_key() {
    let stage = Stage::set().await;
    let blue = stage.instance("blue").await;
    let mut own = route_to("/own", &[&blue]);
    own["plugins"] = json!({ "key-auth": { "header": "own" } });
    stage.etcd.put("routes/own", &own).await;
    stage
        .etcd
        .put("routes/plain", &route_to("/plain", &[&blue]))
        .await;
    let jack = json!({ "username": "jack", "plugins": { "key-auth": { "key": "jack-key" } } });
    stage.etcd.put("consumers/jack", &jack).await;
    let limit = json!({ "plugins": { "limit-count": {
        "count": 2, "time_window": 3600, "key_type": "constant", "key": "all", "rejected_code": 429,
    } } });
    stage.etcd.put("global_rules/1", &limit).await;
    settled(&stage.etcd, &stage.chancery).await;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(stage.envoy.get("/nope").await.status);
    }
    assert_eq!(statuses, [404, 404, 429]);

    let keys = json!({ "plugins": { "key-auth": {} } });
    stage.etcd.put("global_rules/1", &keys).await;
    settled(&stage.etcd, &stage.chancery).await;
    for (path, headers, status) in [
        ("/nope", &[][..], 401),
        ("/nope", &[("apikey", "jack-key")], 404),
        ("/plain", &[], 401),
        ("/plain", &[("apikey", "jack-key")], 200),
        ("/own", &[("apikey", "jack-key")], 401),
        ("/own", &[("own", "jack-key")], 401),
        ("/own", &[("own", "jack-key"), ("apikey", "jack-key")], 200),
    ] {
        let answer = stage.envoy.send(Method::GET, path, headers).await.unwrap();
        assert_eq!(answer.status, status, "{path} {headers:?}: {answer:?}");
    }
}

#[tokio::test]
async fn global_rules_come_change_and_go_without_a_failed_request() {
    let stage = Stage::set().await;
    let blue = stage.instance("blue").await;
    stage
        .etcd
        .put("routes/plain", &route_to("/plain", &[&blue]))
        .await;
    let jack = json!({ "username": "jack", "plugins": { "key-auth": { "key": "jack-key" } } });
    stage.etcd.put("consumers/jack", &jack).await;
    stage.envoy.answers_by("/plain", "blue").await;
    settled(&stage.etcd, &stage.chancery).await;
    let before = stage.envoy.configured().await;
    let load = Load::on(&stage.envoy.url("/plain?apikey=jack-key"), 300);
    for turn in 0..10 {
        let rule = json!({ "plugins": {
            "key-auth": {},
            "ua-restriction": denying(&format!("agent-{turn}"), "no"),
        } });
        stage.etcd.put("global_rules/1", &rule).await;
        settled(&stage.etcd, &stage.chancery).await;
        assert_eq!(stage.envoy.get("/plain").await.status, 401);
        let other = json!({ "plugins": { "request-id": {} } });
        stage.etcd.put("global_rules/2", &other).await;
        stage.etcd.delete("global_rules/1").await;
        settled(&stage.etcd, &stage.chancery).await;
        assert_eq!(stage.envoy.get("/plain").await.status, 200);
        stage.etcd.delete("global_rules/2").await;
    }
    load.stop().await.assert_flawless();
    let after = stage.envoy.configured().await;
    assert_eq!(before.listeners, after.listeners, "no listener is touched");
}
