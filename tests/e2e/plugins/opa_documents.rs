//! The documents that an agent is told of, and what of them is for nobody.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::agent::Agent;
use crate::support::envoy::Envoy;
use crate::support::eventually;
use crate::support::stage::{Stage, settled};

/// What the agent was told of a request, as its denial repeats it.
async fn told(envoy: &Envoy, path: &str, headers: &[(&str, &str)]) -> Value {
    let answer = envoy.send(Method::GET, path, headers).await.unwrap();
    assert_eq!(answer.status, 403, "{path}: {answer:?}");
    assert!(!answer.body.contains("not-to-tell"), "{answer:?}");
    serde_json::from_str(&answer.body).unwrap()
}

/// `vars` are those of a route: Envoys before 1.39 are not served one that asks a header for another value.
async fn is_told(stage: &Stage, envoy: &Envoy, vars: Option<Value>) {
    let blue = stage.instance("blue").await;
    let etcd = &stage.etcd;
    let agent = Agent::start(stage.address).await;
    let upstream = json!({ "nodes": { blue.node(): 1 } });
    let all = json!({ "opa": {
        "host": format!("http://{}", agent.address), "policy": "echo",
        "with_route": true, "with_service": true, "with_consumer": true,
    } });
    let service = json!({
        "name": "shop", "desc": "of the \"shop\"", "labels": { "team": "red" }, "hosts": ["shop.test"],
        "plugins": { "csrf": { "key": "not-to-tell" } }, "upstream": upstream,
    });
    etcd.put("services/shop", &service).await;
    let mut plugins = all.clone();
    plugins["key-auth"] = json!({});
    let mut route = json!({
        "uri": "/buy/*", "service_id": "shop", "methods": ["GET"], "labels": { "team": "blue", "a": "b\n" }, "priority": 3,
        "plugins": plugins,
    });
    if let Some(vars) = vars {
        route["vars"] = vars;
    }
    etcd.put("routes/buy", &route).await;
    let alone = json!({ "uri": "/alone", "name": "alone", "plugins": all, "upstream": upstream });
    etcd.put("routes/alone", &alone).await;
    let jack = json!({
        "username": "jack", "group_id": "staff", "desc": "Jack, é/&=", "labels": { "level": "a/b&c=d", "custom_id": "7" },
        "plugins": { "key-auth": { "key": "jack-not-to-tell" } },
    });
    etcd.put("consumer_groups/staff", &json!({ "plugins": {} }))
        .await;
    etcd.put("consumers/jack", &jack).await;
    let jill = json!({ "username": "jill" });
    etcd.put("consumers/jill", &jill).await;
    let one = json!({ "plugins": { "key-auth": { "key": "jill-not-to-tell" } } });
    etcd.put("consumers/jill/credentials/one", &one).await;
    settled(etcd, &stage.chancery).await;
    let of = |key| [("host", "shop.test"), ("apikey", key)];
    for key in ["jack-not-to-tell", "jill-not-to-tell"] {
        eventually(async || {
            let answer = envoy.send(Method::GET, "/buy/1", &of(key)).await?;
            anyhow::ensure!(answer.status == 403, "{answer:?}");
            Ok(())
        })
        .await;
    }

    let shop = of("jack-not-to-tell");
    let answer = envoy.send(Method::GET, "/buy/1", &shop).await.unwrap();
    let input: Value = serde_json::from_str(&answer.body).unwrap();
    let of_service = json!({
        "id": "shop", "name": "shop", "desc": "of the \"shop\"", "labels": { "team": "red" }, "hosts": ["shop.test"],
    });
    assert_eq!(input["service"], of_service);
    let of_route = json!({
        "id": "buy", "uri": "/buy/*", "service_id": "shop", "methods": ["GET"], "labels": { "team": "blue", "a": "b\n" }, "priority": 3,
        "desc": "of the \"shop\"", "hosts": ["shop.test"],
    });
    assert_eq!(input["route"], of_route);
    let of_jack = json!({
        "username": "jack", "consumer_name": "jack", "group_id": "staff", "desc": "Jack, é/&=",
        "labels": { "level": "a/b&c=d", "custom_id": "7" },
    });
    assert_eq!(input["consumer"], of_jack);
    // The key stands in the request alone, which the agent is told as it came.
    assert_eq!(answer.body.matches("not-to-tell").count(), 1, "{answer:?}");

    let shop = of("jill-not-to-tell");
    let answer = envoy.send(Method::GET, "/buy/1", &shop).await.unwrap();
    let input: Value = serde_json::from_str(&answer.body).unwrap();
    let of_jill = json!({ "username": "jill", "consumer_name": "jill", "credential_id": "one" });
    assert_eq!(input["consumer"], of_jill);

    // Nobody asked who it is, and there is no service.
    let forged = [("x-consumer-username", "jack")];
    let input = told(envoy, "/alone", &forged).await;
    let of_route = json!({ "id": "alone", "uri": "/alone", "name": "alone" });
    assert_eq!(input["route"], of_route);
    let names = input.as_object().unwrap();
    assert!(!names.contains_key("service") && !names.contains_key("consumer"));

    // What a document says now.
    let mut service = service;
    service["labels"] = json!({ "team": "green" });
    etcd.put("services/shop", &service).await;
    eventually(async || {
        let answer = envoy.send(Method::GET, "/buy/1", &shop).await?;
        let input: Value = serde_json::from_str(&answer.body)?;
        anyhow::ensure!(input["service"]["labels"]["team"] == "green", "{input}");
        Ok(())
    })
    .await;

    // A rule's agent is told of the route, where there is one.
    let rule = json!({ "plugins": { "opa": {
        "host": format!("http://{}", agent.address), "policy": "echo", "with_route": true, "with_consumer": true,
    } } });
    etcd.put("global_rules/1", &rule).await;
    let seen = async |path: &str| {
        let answer = envoy.send(Method::GET, path, &shop).await?;
        anyhow::ensure!(answer.status == 403, "{answer:?}");
        anyhow::Ok(serde_json::from_str::<Value>(&answer.body)?)
    };
    eventually(async || {
        let input = seen("/nowhere").await?;
        anyhow::ensure!(input["type"] == "http", "{input}");
        anyhow::ensure!(input.get("route").is_none(), "{input}");
        let input = seen("/buy/1").await?;
        anyhow::ensure!(input["route"]["id"] == "buy", "{input}");
        anyhow::ensure!(input.get("service").is_none(), "{input}");
        anyhow::ensure!(input.get("consumer").is_none(), "{input}");
        Ok(())
    })
    .await;

    // A second rule that would tell less is another.
    let mut other = rule;
    other["plugins"]["opa"]["with_route"] = json!(false);
    etcd.put("global_rules/2", &other).await;
    eventually(async || {
        let answer = stage.chancery.admin("v1/documents").await?;
        let said = answer
            .body
            .contains("is not in force, as `global_rules/1` has it with other settings");
        anyhow::ensure!(said, "{answer:?}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_agent_is_told_of_documents_without_their_secrets() {
    let stage = Stage::set().await;
    let vars = json!([["http_x_token", "~=", "not-to-tell"]]);
    is_told(&stage, &stage.envoy, Some(vars)).await;
}

#[tokio::test]
async fn an_agent_of_an_older_envoy_is_told_of_documents_alike() {
    let mut stage = Stage::set().await;
    stage.envoy.process.stop().await;
    let (xds, listener) = (stage.chancery.xds(), stage.envoy.listener());
    let old = Envoy::start_release("1.36", xds, listener, stage.folder()).await;
    is_told(&stage, &old, None).await;
}
