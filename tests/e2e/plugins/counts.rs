//! Where counts of requests lie: with a limit, and not with the routes, hosts and paths that have it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::envoy::Envoy;
use crate::support::stage::{Stage, route_to, settled};

/// The statuses of requests, one after the other: of a path, for a host, with a key.
async fn statuses(envoy: &Envoy, requests: &[(&str, &str, &str)]) -> Vec<u16> {
    let mut statuses = Vec::new();
    for (path, host, key) in requests {
        let headers = [("host", *host), ("apikey", *key)];
        let answer = envoy.send(Method::GET, path, &headers).await;
        statuses.push(answer.unwrap().status);
    }
    statuses
}

fn limit(count: u32, more: Value) -> Value {
    let mut limit = json!({ "count": count, "time_window": 3600, "rejected_code": 429 });
    let fields = limit.as_object_mut().unwrap();
    fields.extend(more.as_object().unwrap().clone());
    json!({ "limit-count": limit })
}

#[tokio::test]
async fn two_hosts_and_two_paths_are_counted_together_through_a_thousand_edits() {
    let mut stage = Stage::set().await;
    let blue = stage.instance("blue").await;
    let mut shop = route_to("/a", &[&blue]);
    shop.as_object_mut().unwrap().remove("uri");
    shop["uris"] = json!(["/a", "/b"]);
    shop["hosts"] = json!(["one.example", "two.example"]);
    shop["plugins"] = limit(2, json!({}));
    shop["plugins"]["limit-req"] =
        json!({ "rate": 0.001, "burst": 4, "key": "remote_addr", "nodelay": true });
    stage.etcd.put("routes/shop", &shop).await;
    settled(&stage.etcd, &stage.chancery).await;
    let all = [
        ("/a", "one.example", ""),
        ("/b", "two.example", ""),
        ("/b", "one.example", ""),
        ("/a", "two.example", ""),
    ];
    assert_eq!(statuses(&stage.envoy, &all).await, [200, 200, 429, 429]);

    // Other routes come, change and go, with the same limit as well.
    for turn in 0..1000 {
        let mut other = route_to(&format!("/other-{turn}"), &[&blue]);
        if turn % 2 == 0 {
            other["plugins"] = limit(2, json!({}));
        }
        stage
            .etcd
            .put(&format!("routes/other-{}", turn % 7), &other)
            .await;
    }
    settled(&stage.etcd, &stage.chancery).await;
    assert_eq!(statuses(&stage.envoy, &all).await, [429; 4]);

    // So does the route itself, its limit being the same.
    shop["desc"] = json!("edited");
    shop["plugins"]["response-rewrite"] = json!({ "headers": { "set": { "x-edited": "1" } } });
    stage.etcd.put("routes/shop", &shop).await;
    settled(&stage.etcd, &stage.chancery).await;
    let answer = stage
        .envoy
        .send(Method::GET, "/a", &[("host", "one.example")])
        .await
        .unwrap();
    assert_eq!(answer.status, 429);
    assert_eq!(answer.headers["x-edited"], "1");

    // What tells Envoy what to count is for nobody else.
    let mut free = route_to("/free", &[&blue]);
    free["plugins"] = limit(9, json!({}));
    stage.etcd.put("routes/free", &free).await;
    settled(&stage.etcd, &stage.chancery).await;
    let seen = stage.envoy.get("/free").await.seen().unwrap();
    assert!(
        !seen["headers"].to_string().contains("x-chancery"),
        "{seen}"
    );

    // Every Envoy that is served can do it.
    stage.envoy.process.stop().await;
    let (xds, listener) = (stage.chancery.xds(), stage.envoy.listener());
    let old = Envoy::start_release("1.36", xds, listener, stage.folder()).await;
    old.answers_by("/free", "blue").await;
    assert_eq!(statuses(&old, &all).await, [200, 200, 429, 429]);
}

#[tokio::test]
async fn groups_consumers_and_rules_are_counted_as_they_say() {
    let stage = Stage::set().await;
    let blue = stage.instance("blue").await;
    for name in ["jack", "rose"] {
        let key = json!({ "username": name, "plugins": { "key-auth": { "key": name } } });
        stage.etcd.put(&format!("consumers/{name}"), &key).await;
    }
    let group = json!({ "group": "shops", "key_type": "constant", "key": "all" });
    let mut by_consumer = limit(1, json!({ "group": "consumers", "key": "consumer_name" }));
    by_consumer["key-auth"] = json!({});
    let rules = json!({ "limit-count": {
        "rejected_code": 429,
        "rules": [
            { "count": 1, "time_window": 3600, "key": "$http_a" },
            { "count": 2, "time_window": 3600, "key": "$http_host" },
        ],
    } });
    let both = json!({
        "limit-count": { "count": 1, "time_window": 3600, "key": "remote_addr", "rejected_code": 429 },
        "limit-req": { "rate": 0.001, "burst": 0, "key": "http_a", "rejected_code": 503 },
    });
    for (id, plugins) in [
        ("group-1", limit(2, group.clone())),
        ("group-2", limit(2, group)),
        ("consumer-1", by_consumer.clone()),
        ("consumer-2", by_consumer),
        ("rules", rules),
        ("both", both),
    ] {
        let mut route = route_to(&format!("/{id}"), &[&blue]);
        route["plugins"] = plugins;
        stage.etcd.put(&format!("routes/{id}"), &route).await;
    }
    settled(&stage.etcd, &stage.chancery).await;
    let of = async |requests: &[(&str, &str, &str)]| statuses(&stage.envoy, requests).await;
    let grouped = [
        ("/group-1", "h", ""),
        ("/group-2", "h", ""),
        ("/group-1", "h", ""),
    ];
    assert_eq!(of(&grouped).await, [200, 200, 429]);
    let consumers = [
        ("/consumer-1", "h", "jack"),
        ("/consumer-2", "h", "jack"),
        ("/consumer-2", "h", "rose"),
        ("/consumer-1", "h", "rose"),
    ];
    assert_eq!(of(&consumers).await, [200, 429, 200, 429]);
    // The first rule has nothing to count here, the second counts by host.
    let rules = [
        ("/rules", "h", ""),
        ("/rules", "h", ""),
        ("/rules", "h", ""),
        ("/rules", "i", ""),
    ];
    assert_eq!(of(&rules).await, [200, 200, 429, 200]);
    let headers = [("host", "j"), ("a", "1")];
    for status in [200, 429] {
        let answer = stage
            .envoy
            .send(Method::GET, "/rules", &headers)
            .await
            .unwrap();
        assert_eq!(answer.status, status);
    }
    // Each plugin has a status of its own.
    let headers = [("a", "1")];
    let mut seen = Vec::new();
    for (path, headers) in [("/both", &headers[..]), ("/both", &headers)] {
        seen.push(
            stage
                .envoy
                .send(Method::GET, path, headers)
                .await
                .unwrap()
                .status,
        );
    }
    assert_eq!(seen, [200, 429]);
}
