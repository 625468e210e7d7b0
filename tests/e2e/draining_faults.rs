//! S4 where something fails at the worst moment: claims that end, agents that are gone for good, drains that end while
//! somebody waits, and callers who would fill the audit trail.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::ensure;
use axum::Router;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::draining::agents::{in_turn, overtaken, serve};
use crate::draining::{beside, call, drain, drained, pass_in_consul, staged, undrain, wish};
use crate::support::chancery::Chancery;
use crate::support::stage::{Stage, gateway, route_to_service};
use crate::support::{eventually, http, own_address};

/// The audit trail as etcd has it.
async fn audit(chancery: &Chancery, limit: u32) -> Vec<Value> {
    let path = format!("v1/audit?limit={limit}");
    let (status, answer) = call(chancery, Method::GET, &path, None).await;
    assert_eq!(status, 200, "{answer}");
    answer["records"].as_array().cloned().unwrap_or_default()
}

#[tokio::test]
async fn a_drain_right_after_an_undrain_tells_the_registry() {
    let (stage, [a, _b]) = staged().await;
    for round in 0..8 {
        let (status, answer) = drain(&stage.chancery, wish(a.address)).await;
        assert_eq!(status, 201, "{answer}");
        let passing = stage.consul.passing("echo").await;
        assert_eq!(passing, ["b"], "in round {round}");
        let (status, answer) = undrain(&stage.chancery, &answer).await;
        assert_eq!(status, 200, "{answer}");
    }
    // What somebody else has set stays.
    stage.consul.maintenance("a", true).await;
    stage.envoy.answers_by_all("/echo", &["b"]).await;
    let answer = drained(&stage.chancery, a.address).await;
    assert_eq!(undrain(&stage.chancery, &answer).await.0, 200);
    assert_eq!(stage.consul.passing("echo").await, ["b"]);
}

#[tokio::test]
async fn an_agent_that_takes_its_time_holds_up_no_other_drain() {
    let (stage, [a, b]) = staged().await;
    // Whoever drains it has to ask who has set that.
    stage.consul.maintenance("a", true).await;
    let (agent, asked) = in_turn(stage.address, stage.consul.url()).await;
    let agent = format!("http://{agent}");
    let other = beside(&stage, &["--consul-agent", &agent]).await;
    let first = drain(&other, wish(a.address));
    let second = async {
        asked.notified().await;
        let mut last = wish(b.address);
        last["force"] = json!(true);
        drain(&other, last).await
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!((first.0, second.0), (201, 201), "{} {}", first.1, second.1);
    // What somebody else has set stays.
    for answer in [first.1, second.1] {
        assert_eq!(undrain(&other, &answer).await.0, 200);
    }
    assert_eq!(stage.consul.passing("echo").await, ["b"]);
}

#[tokio::test]
async fn a_drain_whose_claim_has_ended_leaves_the_registry_as_it_was() {
    let (stage, [a, _b]) = staged().await;
    let (consul, etcd) = (stage.consul.url(), stage.etcd.url());
    let agent = overtaken(stage.address, consul, etcd).await;
    let agent = format!("http://{agent}");
    let other = beside(&stage, &["--consul-agent", &agent]).await;
    let (status, answer) = drain(&other, wish(a.address)).await;
    assert_eq!(status, 503, "{answer}");
    pass_in_consul(&stage, &["a", "b"]).await;
    stage.envoy.answers_by_all("/echo", &["a", "b"]).await;
}

/// Registers an instance at a node whose agent is not Consul's own.
async fn register_at(stage: &Stage, node: &str, agent: Ipv4Addr, port: u16) {
    let registration = json!({
        "Node": node, "Address": agent,
        "Service": { "ID": node, "Service": "echo", "Address": agent, "Port": port },
    });
    catalog(stage, "register", &registration).await;
}

async fn catalog(stage: &Stage, what: &str, body: &Value) {
    let url = format!("{}/v1/catalog/{what}", stage.consul.url());
    let client = http::client();
    let answer = client.put(url).json(body).send().await.unwrap();
    assert!(answer.status().is_success(), "{answer:?}");
}

/// What lies below a part of Chancery's keys.
async fn keys(stage: &Stage, part: &str) -> Vec<String> {
    let url = stage.etcd.url();
    let mut etcd = etcd_client::Client::connect([url], None).await.unwrap();
    let all = etcd_client::GetOptions::new().with_prefix();
    let found = etcd.get(format!("/chancery/{part}"), Some(all)).await;
    let found = found.unwrap();
    let texts = found.kvs().iter().map(|found| found.value_str());
    texts.map(|text| text.unwrap().to_owned()).collect()
}

async fn journal(stage: &Stage) -> usize {
    keys(stage, "drain/journal/").await.len()
}

#[tokio::test]
async fn a_drain_that_etcd_forgot_is_undone() {
    let (mut stage, [a, _b]) = staged().await;
    drained(&stage.chancery, a.address).await;
    // What somebody else has set stays.
    let c = stage.instance("c").await;
    stage.consul.register("echo", "c", c.address).await;
    stage.consul.maintenance("c", true).await;
    stage.chancery.process.kill();
    stage.etcd.start_empty().await;
    let default = gateway(stage.envoy.listener());
    stage.etcd.put("gateways/default", &default).await;
    let route = route_to_service("/echo", "echo");
    stage.etcd.put("routes/echo", &route).await;
    assert_eq!(stage.consul.passing("echo").await, ["b"]);
    stage.chancery.process.start_again();
    stage.chancery.ready().await;
    pass_in_consul(&stage, &["a", "b"]).await;
    stage
        .chancery
        .logs(0, "an instance was in maintenance by a drain")
        .await;
    eventually(async || {
        let left = journal(&stage).await;
        ensure!(left == 0, "{left} entries");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn nodes_that_are_gone_keep_nobody_else_out() {
    let (stage, [a, _b]) = staged().await;
    // Their agents answer now, and never again.
    let agents = own_address();
    let listener = TcpListener::bind((agents, 8500)).await.unwrap();
    let app = Router::new().fallback(async || "null");
    let running = serve(listener, app).await;
    let nodes: Vec<_> = (0..6).map(|number| format!("gone-{number}")).collect();
    for (node, port) in nodes.iter().zip(7001..) {
        register_at(&stage, node, agents, port).await;
    }
    let mut ids = Vec::new();
    let places = (7001..).map(|port| SocketAddr::from((agents, port)));
    for at in places.take(nodes.len()).chain([a.address]) {
        let mut answer = Value::Null;
        eventually(async || {
            let found = drain(&stage.chancery, wish(at)).await;
            ensure!(found.0 == 201, "{found:?}");
            answer = found.1;
            Ok(())
        })
        .await;
        ids.push(answer["drain"]["id"].as_str().unwrap().to_owned());
    }
    running.abort();
    let _ = running.await;
    // They end all at once, as a lease that two share would have it.
    for id in ids {
        stage.etcd.delete(&format!("drains/{id}")).await;
    }
    eventually(async || {
        let passing = stage.consul.passing("echo").await;
        ensure!(passing.contains(&"a".to_owned()), "{passing:?}");
        Ok(())
    })
    .await;
    // The registry is told first, the journal then. The others stay: their agents may come back.
    eventually(async || {
        let left = journal(&stage).await;
        ensure!(left == nodes.len(), "{left} entries");
        Ok(())
    })
    .await;
    // What the registry has forgotten needs nobody to be told.
    for node in &nodes {
        catalog(&stage, "deregister", &json!({ "Node": node })).await;
    }
    eventually(async || {
        let left = journal(&stage).await;
        ensure!(left == 0, "{left} entries");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_drain_that_ends_while_it_is_waited_for_is_not_confirmed() {
    let (stage, [a, _b]) = staged().await;
    stage.envoy.process.pause();
    let waiting = drain(&stage.chancery, wish(a.address));
    let ending = async {
        let id = eventually(async || {
            let (_, answer) = call(&stage.chancery, Method::GET, "v1/drains", None).await;
            let id = answer["drains"][0]["id"].as_str().map(ToOwned::to_owned);
            id.ok_or_else(|| anyhow::anyhow!("{answer}"))
        })
        .await;
        let path = format!("v1/drains/{id}");
        assert_eq!(
            call(&stage.chancery, Method::DELETE, &path, None).await.0,
            200
        );
        stage.envoy.process.resume();
    };
    let ((status, answer), ()) = tokio::join!(waiting, ending);
    assert_eq!(status, 409, "{answer}");
    stage.envoy.answers_by_all("/echo", &["a", "b"]).await;
}

#[tokio::test]
async fn callers_who_are_refused_do_not_fill_the_audit_trail() {
    let stage = Stage::set().await;
    let far = beside(&stage, &["--drain-networks", "10.0.0.0/8"]).await;
    let long = format!("v1/drains/{}", "x".repeat(60_000));
    let calls = (0..400).map(|_| call(&far, Method::DELETE, &long, None));
    for (status, answer) in join_all(calls).await {
        assert_eq!(status, 403, "{answer}");
    }
    // What comes later is noted, the long ones were cut, and not all of them were kept.
    let (status, _) = call(&stage.chancery, Method::DELETE, "v1/drains/none", None).await;
    assert_eq!(status, 404);
    let said = json!({ "adress": "10.0.0.1" });
    assert_eq!(drain(&stage.chancery, said).await.0, 400);
    let refused = |record: &&Value| record["action"] == "call";
    let records = eventually(async || {
        let records = audit(&stage.chancery, 1000).await;
        let noted = |action: &str| records.iter().any(|record| record["action"] == action);
        ensure!(noted("undrain") && noted("drain"), "{records:?}");
        ensure!(records.iter().any(|it| refused(&it)), "no call");
        Ok(records)
    })
    .await;
    let kept: Vec<_> = records.iter().filter(refused).collect();
    assert!(kept.len() < 200, "{} of them", kept.len());
    for record in kept {
        assert!(record["what"].as_str().unwrap().len() < 400);
    }
}

#[tokio::test]
async fn what_is_noted_last_is_kept() {
    let mut stage = Stage::set().await;
    stage.etcd.process.pause();
    let said = json!({ "adress": "10.0.0.1" });
    assert_eq!(drain(&stage.chancery, said).await.0, 400);
    stage.chancery.process.terminate();
    stage.chancery.logs(0, "shutting down").await;
    stage.etcd.process.resume();
    stage.chancery.process.ended().await;
    let records = keys(&stage, "audit/").await;
    assert!(
        records.iter().any(|it| it.contains("adress")),
        "{records:?}"
    );
}

/// How many transactions etcd has done.
async fn transactions(stage: &Stage) -> u64 {
    let url = format!("{}/metrics", stage.etcd.url());
    let answer = http::send(&http::client(), Method::GET, &url, &[]).await;
    let metrics = answer.unwrap().body;
    let done = metrics.lines().filter(|line| {
        line.starts_with("grpc_server_handled_total") && line.contains("grpc_method=\"Txn\"")
    });
    let counts = done.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok());
    counts.sum()
}

#[tokio::test]
async fn a_journal_in_which_nothing_happens_is_not_read() {
    let (stage, [a, _b]) = staged().await;
    let answer = drained(&stage.chancery, a.address).await;
    // What the drain itself calls for comes soon after it. Then a look is due once a minute.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let before = transactions(&stage).await;
    assert!(before > 0, "nothing is counted");
    tokio::time::sleep(Duration::from_secs(8)).await;
    let looks = transactions(&stage).await - before;
    assert!(looks <= 1, "{looks} looks");
    // Its end is told by the watch.
    let id = answer["drain"]["id"].as_str().unwrap();
    stage.etcd.delete(&format!("drains/{id}")).await;
    eventually(async || {
        let left = journal(&stage).await;
        ensure!(left == 0, "{left} entries");
        Ok(())
    })
    .await;
    stage.envoy.answers_by_all("/echo", &["a", "b"]).await;
}
