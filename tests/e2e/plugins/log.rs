//! What Envoy writes into its log when routes change: nothing of the plugins that other routes have.

use serde_json::json;

use crate::support::stage::{Stage, route_to, settled};

/// Lines that Envoy writes whenever it is told something that its makers call unfinished.
fn warnings(stage: &Stage) -> usize {
    let log = stage.envoy.process.output();
    log.lines()
        .filter(|line| line.contains("work-in-progress"))
        .count()
}

#[tokio::test]
async fn no_plugin_of_a_route_costs_a_line_of_the_log_at_each_change() {
    let stage = Stage::set().await;
    let blue = stage.instance("blue").await;
    let jack = json!({ "username": "jack", "plugins": {
        "key-auth": { "key": "k" },
        "basic-auth": { "username": "jack", "password": "p" },
    } });
    stage.etcd.put("consumers/jack", &jack).await;
    for (id, plugins) in [
        ("key", json!({ "key-auth": {} })),
        (
            "hidden",
            json!({ "key-auth": { "hide_credentials": true } }),
        ),
        ("basic", json!({ "basic-auth": {} })),
        ("jwt", json!({ "jwt-auth": {} })),
        (
            "restricted",
            json!({
                "key-auth": {}, "consumer-restriction": { "type": "consumer_group_id", "whitelist": ["a"] },
            }),
        ),
        (
            "mocking",
            json!({ "mocking": { "response_example": "a", "delay": 1 } }),
        ),
        (
            "answer",
            json!({ "response-rewrite": { "body": "a", "status_code": 201 } }),
        ),
        (
            "headers",
            json!({ "response-rewrite": { "headers": { "set": { "x-a": "b" } } } }),
        ),
        (
            "limits",
            json!({
                "limit-count": { "count": 2, "time_window": 60 },
                "limit-req": { "rate": 1, "burst": 1, "key": "remote_addr" },
            }),
        ),
        (
            "fault",
            json!({ "fault-injection": { "abort": { "http_status": 418, "body": "a" } } }),
        ),
        (
            "denied",
            json!({
                "ip-restriction": { "blacklist": ["10.0.0.0/8"] },
                "ua-restriction": { "denylist": ["curl"] },
                "referer-restriction": { "blacklist": ["example.com"], "bypass_missing": true },
                "uri-blocker": { "block_rules": ["root"] },
            }),
        ),
        (
            "browser",
            json!({ "cors": {}, "csrf": { "key": "k" }, "request-id": {} }),
        ),
        (
            "small",
            json!({ "client-control": { "max_body_size": 10 } }),
        ),
        ("packed", json!({ "gzip": {}, "brotli": {} })),
        (
            "asked",
            json!({ "forward-auth": { "uri": "http://127.0.0.1:9/check" } }),
        ),
        ("moved", json!({ "redirect": { "http_to_https": true } })),
        (
            "rewritten",
            json!({ "proxy-rewrite": { "uri": "/a", "headers": { "set": { "x-a": "b" } } } }),
        ),
        (
            "copied",
            json!({ "proxy-mirror": { "host": "http://127.0.0.1:9" } }),
        ),
        (
            "split",
            json!({ "traffic-split": { "rules": [{ "weighted_upstreams": [{ "weight": 1 }] }] } }),
        ),
        ("traced", json!({ "opentelemetry": {}, "prometheus": {} })),
        ("logged", json!({ "file-logger": { "path": "/dev/null" } })),
        (
            "broken",
            json!({ "api-breaker": { "break_response_code": 503 } }),
        ),
    ] {
        let mut route = route_to(&format!("/{id}"), &[&blue]);
        route["plugins"] = plugins;
        stage.etcd.put(&format!("routes/{id}"), &route).await;
    }
    let web = json!({ "uri": "/web/*", "plugins": { "grpc-web": {} },
        "upstream": { "scheme": "grpc", "nodes": { "127.0.0.1:9": 1 } } });
    stage.etcd.put("routes/web", &web).await;
    let rule = json!({ "plugins": { "key-auth": {}, "response-rewrite": { "body": "a" } } });
    stage.etcd.put("global_rules/1", &rule).await;
    settled(&stage.etcd, &stage.chancery).await;
    let accepted = stage.chancery.log_of("document rejected");
    assert!(accepted.is_empty(), "every plugin above is in force");
    let before = warnings(&stage);
    for turn in 0..20 {
        let other = route_to(&format!("/other-{turn}"), &[&blue]);
        stage.etcd.put("routes/other", &other).await;
        settled(&stage.etcd, &stage.chancery).await;
    }
    let log = stage.envoy.process.output();
    let last = log.lines().rfind(|line| line.contains("work-in-progress"));
    assert_eq!(warnings(&stage), before, "such as {last:?}");
}
