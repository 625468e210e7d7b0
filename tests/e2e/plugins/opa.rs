//! An agent that is asked whether a request may pass.

use reqwest::Method;
use serde_json::{Value, json};

use super::with_plugins;
use crate::support::agent::Agent;
use crate::support::envoy::Envoy;
use crate::support::eventually;
use crate::support::http::Answer;
use crate::support::stage::{Stage, route_to};

/// Something that the script says, and nothing else.
const SCRIPT: &str = "Asks an Open Policy Agent";

async fn send(envoy: &Envoy, method: Method, path: &str) -> Answer {
    let headers = [("x-who", "ann"), ("x-who", "bob"), ("cookie", "a=b")];
    envoy.send(method, path, &headers).await.unwrap()
}

/// Waits until a request is answered so.
async fn becomes(envoy: &Envoy, method: Method, path: &str, expected: u16) {
    eventually(async || {
        let found = send(envoy, method.clone(), path).await;
        anyhow::ensure!(found.status == expected, "{path}: {found:?}");
        Ok(())
    })
    .await;
}

/// All that an agent is told, and what becomes of its decisions.
async fn is_asked(stage: &Stage, envoy: &Envoy) {
    let blue = stage.instance("blue").await;
    let agent = Agent::start(stage.address).await;
    let ask = |policy: &str| json!({ "opa": { "host": format!("http://{}", agent.address), "policy": policy } });
    for policy in ["echo", "odd", "unsure", "large", "example1"] {
        let uri = format!("/{policy}/*");
        let route = with_plugins(&uri, &blue, ask(policy));
        stage.etcd.put(&format!("routes/{policy}"), &route).await;
    }
    let plain = route_to("/plain", &[&blue]);
    stage.etcd.put("routes/plain", &plain).await;
    envoy.answers_by("/plain", "blue").await;
    becomes(envoy, Method::GET, "/example1/a", 200).await;

    let answer = send(envoy, Method::DELETE, "/echo/%7ea?q=1").await;
    assert_eq!(answer.status, 403, "{answer:?}");
    assert_eq!(answer.headers["content-type"], "text/plain");
    let told: Value = serde_json::from_str(&answer.body).unwrap();
    let listener = envoy.listener();
    let authority = listener.to_string();
    assert_eq!(told["type"], "http");
    let request = &told["request"];
    assert_eq!(request["scheme"], "http");
    assert_eq!(request["method"], "DELETE");
    assert_eq!(request["path"], "/echo/~a");
    assert_eq!(request["query"], json!({"q": "1"}));
    assert_eq!(request["host"], listener.ip().to_string());
    assert_eq!(request["port"], listener.port());
    let headers = &request["headers"];
    assert_eq!(headers["host"], authority);
    assert_eq!(headers["x-who"], json!(["ann", "bob"]));
    assert_eq!(headers["cookie"], "a=b");
    let names = headers.as_object().unwrap().keys();
    let own = names.filter(|name| name.starts_with("x-chancery-") || name.starts_with(':'));
    assert_eq!(own.count(), 0, "{headers}");
    let var = &told["var"];
    assert_eq!(var["server_addr"], listener.ip().to_string());
    assert_eq!(var["server_port"], listener.port().to_string());
    assert_eq!(var["remote_addr"], "127.0.0.1");
    assert!(
        var["remote_port"]
            .as_str()
            .unwrap()
            .parse::<u16>()
            .is_ok_and(|port| port > 0)
    );
    let now = std::time::SystemTime::now();
    let now = now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!(var["timestamp"].as_u64().unwrap().abs_diff(now) < 60);

    // What no answer can have is left out, and nobody passes by it.
    let answer = send(envoy, Method::GET, "/odd/a").await;
    assert_eq!((answer.status, answer.body.as_str()), (403, "5"));
    let all = |name: &str| {
        let values = answer.headers.get_all(name).iter();
        values
            .map(|value| value.to_str().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(all("x-list"), ["a", "2"]);
    assert_eq!(all("x-number"), ["1"]);
    for name in ["x-lines", "x-more", "x-object", "transfer-encoding"] {
        assert!(all(name).is_empty(), "{name}: {answer:?}");
    }
    assert_eq!(send(envoy, Method::GET, "/unsure/a").await.status, 403);
    assert_eq!(send(envoy, Method::GET, "/large/a").await.status, 503);

    agent.stop().await;
    becomes(envoy, Method::GET, "/example1/a", 403).await;
    assert_eq!(send(envoy, Method::GET, "/plain").await.status, 200);
}

#[tokio::test]
async fn an_agent_is_asked_whether_a_request_may_pass() {
    let stage = Stage::set().await;
    is_asked(&stage, &stage.envoy).await;
}

#[tokio::test]
async fn an_older_envoy_asks_the_agent_alike() {
    let mut stage = Stage::set().await;
    stage.envoy.process.stop().await;
    let (xds, listener) = (stage.chancery.xds(), stage.envoy.listener());
    let old = Envoy::start_release("1.36", xds, listener, stage.folder()).await;
    is_asked(&stage, &old).await;
}

#[tokio::test]
async fn a_rule_and_a_route_both_ask_and_the_script_is_there_while_they_do() {
    let stage = Stage::set().await;
    let (etcd, envoy) = (&stage.etcd, &stage.envoy);
    let blue = stage.instance("blue").await;
    let agent = Agent::start(stage.address).await;
    let ask = |policy: &str, told: &str| {
        json!({ "opa": {
            "host": format!("http://{}", agent.address), "policy": policy, "send_headers_upstream": [told],
        } })
    };
    let scripts = async || envoy.dump().await.unwrap().matches(SCRIPT).count();
    etcd.put("routes/a", &route_to("/a", &[&blue])).await;
    envoy.answers_by("/a", "blue").await;
    assert_eq!(scripts().await, 0);

    let rule = json!({ "plugins": ask("told", "x-rule") });
    etcd.put("global_rules/1", &rule).await;
    let asking = with_plugins("/a", &blue, ask("told", "x-own"));
    etcd.put("routes/a", &asking).await;
    eventually(async || {
        let seen = send(envoy, Method::GET, "/a?x-rule=1&x-own=2")
            .await
            .seen()?;
        let told = (&seen["headers"]["x-rule"], &seen["headers"]["x-own"]);
        anyhow::ensure!(told == (&json!("1"), &json!("2")), "{seen}");
        Ok(())
    })
    .await;
    assert_eq!(scripts().await, 2);
    let rule = json!({ "plugins": ask("example1", "x-rule") });
    etcd.put("global_rules/1", &rule).await;
    becomes(envoy, Method::POST, "/a", 403).await;
    becomes(envoy, Method::POST, "/nowhere", 403).await;

    // A second rule with another policy would not be asked.
    etcd.put(
        "global_rules/2",
        &json!({ "plugins": ask("echo", "x-rule") }),
    )
    .await;
    eventually(async || {
        let answer = stage.chancery.admin("v1/documents").await?;
        anyhow::ensure!(
            answer.body.contains("is not in force, as `global_rules/1`"),
            "{answer:?}"
        );
        Ok(())
    })
    .await;

    etcd.delete("global_rules/2").await;
    etcd.delete("global_rules/1").await;
    etcd.put("routes/a", &route_to("/a", &[&blue])).await;
    becomes(envoy, Method::POST, "/a", 200).await;
    becomes(envoy, Method::POST, "/nowhere", 404).await;
    eventually(async || {
        let found = scripts().await;
        anyhow::ensure!(found == 0, "{found} scripts");
        Ok(())
    })
    .await;
}
