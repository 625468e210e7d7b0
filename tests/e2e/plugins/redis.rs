//! Limits whose counts lie in Redis: for all proxies together, by `chancery ratelimit`.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::envoy::{Envoy, Protocol};
use crate::support::eventually;
use crate::support::http::Answer;
use crate::support::load::Load;
use crate::support::redis::{self, RateLimit, Redis, names_who_counts};
use crate::support::stage::{Stage, gateway, route_to, settled};

mod several;

/// A stage with Redis, somebody who asks it, and a gateway that names these.
async fn counting() -> (Stage, Redis, RateLimit) {
    let stage = Stage::set().await;
    let (redis, limiter) = redis::counting(&stage).await;
    (stage, redis, limiter)
}

/// A plugin's configuration with counts in Redis.
fn within(redis: &Redis, own: Value) -> Value {
    let mut policy = redis.policy();
    let fields = policy.as_object_mut().unwrap();
    fields.extend(own.as_object().unwrap().clone());
    policy
}

async fn statuses(envoy: &Envoy, path: &str, count: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..count {
        statuses.push(envoy.get(path).await.status);
    }
    statuses
}

#[tokio::test]
async fn two_proxies_count_together_whatever_is_edited() {
    let (stage, redis, _limiter) = counting().await;
    let blue = stage.instance("blue").await;
    let other = SocketAddr::from((stage.address, 9081));
    let edge = names_who_counts(gateway(other));
    stage.etcd.put("gateways/edge", &edge).await;
    let mut route = route_to("/own", &[&blue]);
    route["gateways"] = json!(["default", "edge"]);
    route["plugins"] = json!({ "limit-count": within(&redis, json!({
        "count": 3, "time_window": 3600, "rejected_code": 429, "rejected_msg": "slower",
    })) });
    stage.etcd.put("routes/own", &route).await;
    let xds = stage.chancery.xds();
    let edge = Envoy::start("edge", Protocol::Delta, xds, other, stage.folder()).await;
    settled(&stage.etcd, &stage.chancery).await;
    let first = stage.envoy.get("/own").await;
    assert_eq!(first.status, 200, "{first:?}");
    let told = |name: &str| first.headers[name].to_str().unwrap().to_owned();
    assert_eq!(told("x-ratelimit-limit"), "3");
    assert_eq!(told("x-ratelimit-remaining"), "2");
    let reset: u64 = told("x-ratelimit-reset").parse().unwrap();
    assert!((3500..=3600).contains(&reset), "{reset}");
    let seen = first.seen().unwrap();
    let headers = seen["headers"].to_string();
    assert!(!headers.contains("x-chancery"), "{headers}");
    assert_eq!(statuses(&edge, "/own", 1).await, [200]);
    assert_eq!(statuses(&stage.envoy, "/own", 1).await, [200]);
    let over = edge.get("/own").await;
    assert_eq!(
        (over.status, &*over.body),
        (429, r#"{"error_msg":"slower"}"#)
    );
    assert_eq!(over.headers["x-ratelimit-remaining"], "0");

    let load = Load::on(&stage.envoy.url("/plain"), 100);
    stage
        .etcd
        .put("routes/plain", &route_to("/plain", &[&blue]))
        .await;
    for turn in 0..20 {
        route["desc"] = json!(format!("turn {turn}"));
        stage.etcd.put("routes/own", &route).await;
    }
    settled(&stage.etcd, &stage.chancery).await;
    assert_eq!(statuses(&stage.envoy, "/own", 2).await, [429; 2]);
    drop(load);

    // The password stays where it is written.
    let dump = stage.envoy.dump().await.unwrap();
    assert!(!dump.contains("planted"), "the proxy knows Redis' password");
}

#[tokio::test]
async fn requests_pass_without_redis_only_where_the_document_says_so() {
    let (stage, mut redis, mut limiter) = counting().await;
    let blue = stage.instance("blue").await;
    for (id, open) in [("strict", false), ("open", true)] {
        let mut route = route_to(&format!("/{id}"), &[&blue]);
        route["plugins"] = json!({ "limit-count": within(&redis, json!({
            "count": 1000, "time_window": 3600, "allow_degradation": open,
        })) });
        stage.etcd.put(&format!("routes/{id}"), &route).await;
    }
    settled(&stage.etcd, &stage.chancery).await;
    let both = async |strict: u16| {
        eventually(async || {
            let found = [
                stage.envoy.get("/strict").await.status,
                stage.envoy.get("/open").await.status,
            ];
            anyhow::ensure!(found == [strict, 200], "{found:?}");
            Ok(())
        })
        .await;
    };
    both(200).await;
    redis.process.kill();
    both(500).await;
    redis.process.start_again();
    both(200).await;
    limiter.process.kill();
    both(500).await;
    limiter.process.start_again();
    both(200).await;
}

#[tokio::test]
async fn rates_sliding_spans_and_rules_are_counted_in_redis() {
    let (stage, redis, _limiter) = counting().await;
    let blue = stage.instance("blue").await;
    let rate = json!({ "rate": 0.001, "burst": 2, "key": "remote_addr", "rejected_code": 429 });
    let sliding = json!({ "count": 2, "time_window": 3600, "window_type": "sliding" });
    let rules = json!({ "rules": [
        { "count": 1, "time_window": 3600, "key": "$http_user", "header_prefix": "user" },
        { "count": 3, "time_window": 3600, "key": "$remote_addr" },
    ] });
    for (id, plugins) in [
        ("rate", json!({ "limit-req": within(&redis, rate) })),
        ("sliding", json!({ "limit-count": within(&redis, sliding) })),
        ("rules", json!({ "limit-count": within(&redis, rules) })),
    ] {
        let mut route = route_to(&format!("/{id}"), &[&blue]);
        route["plugins"] = plugins;
        stage.etcd.put(&format!("routes/{id}"), &route).await;
    }
    settled(&stage.etcd, &stage.chancery).await;
    assert_eq!(
        statuses(&stage.envoy, "/rate", 4).await,
        [200, 200, 200, 429]
    );
    assert_eq!(statuses(&stage.envoy, "/sliding", 3).await, [200, 200, 503]);
    let ann = [("user", "ann")];
    let answer = stage.envoy.send(Method::GET, "/rules", &ann).await.unwrap();
    assert_eq!(answer.status, 200);
    let told = ["x-user-ratelimit-remaining", "x-2-ratelimit-remaining"];
    let told = told.map(|name| answer.headers[name].to_str().unwrap());
    assert_eq!(told, ["0", "2"]);
    let answer = stage.envoy.send(Method::GET, "/rules", &ann).await.unwrap();
    assert_eq!(answer.status, 503);
    // What the first limit refuses, the second has not counted.
    assert_eq!(statuses(&stage.envoy, "/rules", 3).await, [200, 200, 503]);
}

#[tokio::test]
async fn a_cluster_and_an_older_proxy_count_as_well() {
    let mut stage = Stage::set().await;
    let redis = Redis::start_cluster(stage.address, stage.folder()).await;
    let cluster = format!("limits={}", redis.url());
    let _limiter = redis::counts(&stage, &["--redis-cluster", &cluster]).await;
    let blue = stage.instance("blue").await;
    let rule = json!({ "plugins": { "limit-count": {
        "policy": "redis-cluster", "redis_cluster_name": "limits", "redis_cluster_nodes": ["10.0.0.1:6379"],
        "count": 2, "time_window": 3600, "key_type": "constant", "key": "all",
    } } });
    stage
        .etcd
        .put("routes/own", &route_to("/own", &[&blue]))
        .await;
    stage.etcd.put("global_rules/1", &rule).await;
    settled(&stage.etcd, &stage.chancery).await;
    assert_eq!(statuses(&stage.envoy, "/nope", 1).await, [404]);
    stage.envoy.process.stop().await;
    let (xds, listener) = (stage.chancery.xds(), stage.envoy.listener());
    let old = Envoy::start_release("1.36", xds, listener, stage.folder()).await;
    eventually(async || {
        let found = old.try_get("/own").await?.status;
        anyhow::ensure!([200, 503].contains(&found), "{found}");
        Ok(())
    })
    .await;
    let found = statuses(&old, "/own", 2).await;
    assert_eq!(found.last(), Some(&503), "{found:?}");
}

#[tokio::test]
async fn a_limit_that_nobody_would_count_is_refused() {
    let stage = Stage::set().await;
    let blue = stage.instance("blue").await;
    let mut route = route_to("/own", &[&blue]);
    stage.etcd.put("routes/own", &route).await;
    stage.envoy.answers_by("/own", "blue").await;
    route["plugins"] = json!({ "limit-count": {
        "policy": "redis", "redis_host": "redis.example", "count": 1, "time_window": 3600,
    } });
    let body = route.to_string();
    stage.etcd.put_text("routes/own", &body).await;
    eventually(async || {
        let problems = stage.chancery.admin("v1/problems").await?.body;
        let said = "counts in Redis, and `gateways/default` names nobody who asks it";
        anyhow::ensure!(problems.contains(said), "{problems}");
        Ok(())
    })
    .await;
    // The form before stays.
    stage.envoy.answers_by("/own", "blue").await;
    let _counting = redis::counting(&stage).await;
    // In force now, though of a Redis that the service does not know: strict.
    eventually(async || {
        let found = stage.envoy.get("/own").await.status;
        anyhow::ensure!(found == 500, "{found}");
        Ok(())
    })
    .await;
}

/// Envoy's filter asks nobody about a route that leads to no cluster.
#[tokio::test]
async fn requests_that_envoy_answers_by_itself_are_counted_too() {
    let (stage, redis, _limiter) = counting().await;
    let blue = stage.instance("blue").await;
    let limit = |count: u32, more: Value| {
        let mut own = json!({ "count": count, "time_window": 3600, "rejected_code": 429 });
        let fields = own.as_object_mut().unwrap();
        fields.extend(more.as_object().unwrap().clone());
        within(&redis, own)
    };
    let sent = |to: &str| json!({ "uri": to, "ret_code": 301 });
    let mut away = route_to("/away", &[&blue]);
    away["plugins"] = json!({
        "limit-count": limit(2, json!({ "rejected_msg": "slower" })), "redirect": sent("/$host"),
    });
    let mut secure = route_to("/secure", &[&blue]);
    secure["plugins"] = json!({
        "limit-count": limit(1, json!({})), "redirect": { "http_to_https": true },
    });
    stage.etcd.put("routes/away", &away).await;
    stage.etcd.put("routes/secure", &secure).await;
    settled(&stage.etcd, &stage.chancery).await;
    // What a client says of itself counts for nothing.
    let own = [("x-chancery-counted", "1")];
    for _ in 0..2 {
        let answer = stage.envoy.send(Method::GET, "/away", &own).await.unwrap();
        assert_eq!(answer.status, 301, "{answer:?}");
        let host = answer.headers["location"].to_str().unwrap();
        assert!(host.starts_with("/127."), "{host}");
    }
    let over = stage.envoy.send(Method::GET, "/away", &own).await.unwrap();
    let expected = (429, r#"{"error_msg":"slower"}"#);
    assert_eq!((over.status, &*over.body), expected);
    assert_eq!(statuses(&stage.envoy, "/secure", 2).await, [301, 429]);

    let rule = json!({ "plugins": { "limit-count": limit(2, json!({})) } });
    stage.etcd.put("global_rules/all", &rule).await;
    let mut both = route_to("/both", &[&blue]);
    both["plugins"] = json!({ "limit-count": limit(1, json!({})), "redirect": sent("/x") });
    stage.etcd.put("routes/both", &both).await;
    settled(&stage.etcd, &stage.chancery).await;
    assert_eq!(statuses(&stage.envoy, "/both", 2).await, [301, 429]);
    assert_eq!(statuses(&stage.envoy, "/none", 1).await, [429]);
    let rule = json!({ "plugins": { "limit-count": limit(3, json!({ "group": "others" })) } });
    stage.etcd.put("global_rules/all", &rule).await;
    settled(&stage.etcd, &stage.chancery).await;
    let not_found = stage.envoy.get("/none").await;
    let expected = (404, "{\"error_msg\":\"404 Route Not Found\"}");
    assert_eq!((not_found.status, not_found.body.trim()), expected);
    assert_eq!(statuses(&stage.envoy, "/none", 3).await, [404, 404, 429]);
}

/// A request that begins is counted until it ends, however it does.
#[tokio::test]
async fn so_many_requests_of_a_client_are_under_way_at_a_time() {
    let (stage, redis, mut limiter) = counting().await;
    let blue = stage.instance("blue").await;
    let mut slow = route_to("/slow", &[&blue]);
    slow["plugins"] = json!({ "limit-conn": within(&redis, json!({
        "conn": 2, "burst": 0, "default_conn_delay": 0.1, "key": "http_user", "rejected_code": 429, "rejected_msg": "later",
    })) });
    stage.etcd.put("routes/slow", &slow).await;
    settled(&stage.etcd, &stage.chancery).await;
    let envoy = &stage.envoy;
    let ask = async |user: &str, millis: u32| {
        let path = format!("/slow?chunks=1&every_ms={millis}");
        envoy
            .send(Method::GET, &path, &[("user", user)])
            .await
            .unwrap()
    };
    let several = async |count: usize, millis: u32| {
        let asked = (0..count).map(|_| ask("ann", millis));
        let mut answers = futures_util::future::join_all(asked).await;
        answers.sort_by_key(|one| one.status);
        answers
    };
    let statuses = |answers: &[Answer]| answers.iter().map(|one| one.status).collect::<Vec<_>>();
    // A client has its answer a moment before its request has ended.
    let free = async || {
        eventually(async || {
            let both = statuses(&several(2, 1500).await);
            anyhow::ensure!(both == [200, 200], "{both:?}");
            Ok(())
        })
        .await;
    };
    // One after the other they all pass.
    for _ in 0..4 {
        eventually(async || {
            let status = ask("ann", 0).await.status;
            anyhow::ensure!(status == 200, "{status}");
            Ok(())
        })
        .await;
    }
    // At a time so many, and of each user.
    eventually(async || {
        let (answers, other) = tokio::join!(several(4, 1500), ask("bob", 1500));
        let found = (statuses(&answers), other.status);
        anyhow::ensure!(found == (vec![200, 200, 429, 429], 200), "{found:?}");
        assert_eq!(answers[3].body, r#"{"error_msg":"later"}"#);
        Ok(())
    })
    .await;

    // Clients that hang up have ended theirs.
    for _ in 0..6 {
        let gone = tokio::time::timeout(Duration::from_millis(300), ask("ann", 5000)).await;
        assert!(gone.is_err() || gone.unwrap().status == 429);
    }
    // Who counts comes and goes, and what is under way stays. A busy machine may be late with one of the two.
    let mut turns = 0;
    loop {
        free().await;
        // Until these have ended, too.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let during = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let before = ask("ann", 0).await.status;
            limiter.process.kill();
            while ask("ann", 0).await.status != 500 {}
            limiter.process.start_again();
            let mut after = 500;
            while after == 500 {
                after = ask("ann", 0).await.status;
            }
            [before, after]
        };
        let (answers, denied) = tokio::join!(several(2, 10_000), during);
        if (statuses(&answers), denied) == (vec![200, 200], [429, 429]) {
            break;
        }
        turns += 1;
        assert!(turns < 10, "{denied:?}");
    }
    free().await;
}
