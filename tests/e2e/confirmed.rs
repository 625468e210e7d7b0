//! Two replicas on one etcd, three Envoys: a change is confirmed when every Envoy of every live replica has it.

use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::chancery::Chancery;
use crate::support::envoy::{Envoy, Protocol};
use crate::support::etcd::Etcd;
use crate::support::relay::Relay;
use crate::support::stage::{Stage, gateway};
use crate::support::{PATIENTLY, eventually, http, own_address};

struct Replicas {
    // In the order in which they are ended.
    envoys: Vec<Envoy>,
    a: Chancery,
    b: Chancery,
    etcd: Etcd,
    listener: SocketAddr,
    folders: [TempDir; 2],
}

impl Replicas {
    /// Two replicas, called `a` and `b`, without Envoys.
    async fn set() -> Self {
        Self::called(["a", "b"]).await
    }

    async fn called(ids: [&str; 2]) -> Self {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let etcd = Etcd::start(own_address(), folders[0].path()).await;
        let listener = SocketAddr::from((own_address(), 9080));
        etcd.put("gateways/default", &gateway(listener)).await;
        etcd.put("routes/first", &route("/first", "1")).await;
        let [mut a, mut b] = [0, 1]
            .map(|i| Chancery::replica(ids[i], own_address(), &etcd.url(), folders[i].path()));
        a.ready().await;
        b.ready().await;
        let replicas = Self {
            envoys: Vec::new(),
            a,
            b,
            etcd,
            listener,
            folders,
        };
        for replica in [&replicas.a, &replicas.b] {
            eventually(async || {
                let nodes = nodes(replica).await?;
                ensure!(nodes["replicas"].as_array().unwrap().len() == 1, "{nodes}");
                Ok(())
            })
            .await;
        }
        replicas
    }

    /// An Envoy of its own name.
    async fn envoy(&mut self, name: &str, protocol: Protocol, xds: SocketAddr) {
        let folder = self.folders[0].path();
        let envoy = Envoy::start_as(name, protocol, xds, self.listener, folder).await;
        self.envoys.push(envoy);
    }

    /// Two Envoys at `a`, one of them SotW, and one at `b`, all up to date.
    async fn three_envoys(&mut self) {
        let (a, b) = (self.a.xds(), self.b.xds());
        self.envoy("envoy-1", Protocol::Delta, a).await;
        self.envoy("envoy-2", Protocol::Sotw, a).await;
        self.envoy("envoy-3", Protocol::Delta, b).await;
        for (replica, expected) in [(&self.a, 2), (&self.b, 1)] {
            eventually(async || {
                let nodes = nodes(replica).await?;
                let nodes = nodes["nodes"].as_array().unwrap();
                let synced = nodes.iter().filter(|node| node["synced"] == true).count();
                ensure!(synced == expected, "{nodes:?}");
                Ok(())
            })
            .await;
        }
    }
}

fn route(uri: &str, body: &str) -> Value {
    json!({ "uri": uri, "plugins": { "mocking": { "response_example": body } } })
}

async fn nodes(replica: &Chancery) -> anyhow::Result<Value> {
    let answer = replica.admin("v1/nodes").await?;
    serde_json::from_str(&answer.body).context(answer.body)
}

/// What `chancery wait` says, once it has ended with that exit status.
async fn wait(replica: &Chancery, revision: i64, timeout: &str, status: i32) -> Value {
    let (ended, answer) = ask_to_wait(replica, revision, timeout).await;
    assert_eq!(ended, Some(status), "{answer}");
    answer
}

/// The exit status of `chancery wait`, and what it says.
async fn ask_to_wait(replica: &Chancery, revision: i64, timeout: &str) -> (Option<i32>, Value) {
    let revision = revision.to_string();
    let arguments = [
        "wait",
        "--revision",
        &revision,
        "--timeout",
        timeout,
        "-o",
        "json",
    ];
    let output = replica.ask(&arguments).await;
    let answer = serde_json::from_slice(&output.stdout);
    let answer = answer.unwrap_or_else(|error| panic!("{error}: {output:?}"));
    (output.status.code(), answer)
}

fn names(answer: &Value) -> Vec<&str> {
    let behind = answer["behind"].as_array().unwrap();
    behind
        .iter()
        .map(|behind| behind["node"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn a_change_is_confirmed_by_every_envoy_of_every_replica() {
    let mut replicas = Replicas::set().await;
    replicas.three_envoys().await;
    let revision = replicas
        .etcd
        .write("routes/second", &route("/second", "2"))
        .await;
    for replica in [&replicas.a, &replicas.b] {
        let answer = wait(replica, revision, PATIENTLY, 0).await;
        assert_eq!(
            (&answer["nodes"], &answer["replicas"]),
            (&json!(3), &json!(2))
        );
    }
    // The listener is all Envoys': whoever answers has it.
    for envoy in &replicas.envoys {
        assert_eq!(envoy.get("/second").await.body, "2");
    }
    // Nothing changes for Envoys: the same document once more, and one that no gateway uses.
    for (key, document) in [
        ("routes/second", route("/second", "2")),
        (
            "upstreams/unused",
            json!({ "nodes": { "127.0.0.1:1": 1 }, "type": "roundrobin" }),
        ),
    ] {
        let revision = replicas.etcd.write(key, &document).await;
        assert_eq!(
            wait(&replicas.b, revision, PATIENTLY, 0).await["confirmed"],
            true
        );
    }
}

#[tokio::test]
async fn what_is_not_in_force_is_not_confirmed() {
    let mut replicas = Replicas::set().await;
    replicas.three_envoys().await;
    let bad = json!({ "uri": "/bad", "plugins": { "mockery": {} } });
    let revision = replicas.etcd.write("routes/bad", &bad).await;
    let answer = wait(&replicas.b, revision, PATIENTLY, 1).await;
    assert_eq!(answer["rejected"][0]["document"], "routes/bad", "{answer}");
    let reason = answer["rejected"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("mockery"), "{answer}");
    let mended = replicas
        .etcd
        .write("routes/bad", &route("/bad", "good"))
        .await;
    wait(&replicas.b, mended, PATIENTLY, 0).await;
}

#[tokio::test]
async fn an_envoy_that_stopped_is_named_and_holds_up_the_others_confirmation() {
    let mut replicas = Replicas::set().await;
    replicas.three_envoys().await;
    replicas.envoys[2].process.pause();
    let revision = replicas
        .etcd
        .write("routes/second", &route("/second", "2"))
        .await;
    // Named by its own replica, and by the other one, once all others have it.
    for replica in [&replicas.b, &replicas.a] {
        let answer = eventually(async || {
            let answer = wait(replica, revision, "1s", 1).await;
            ensure!(names(&answer) == ["envoy-3"], "{answer}");
            Ok(answer)
        })
        .await;
        assert_eq!(answer["behind"][0]["replica"], "b");
        let reason = answer["behind"][0]["reason"].as_str().unwrap();
        assert!(reason.contains("not acknowledged"), "{answer}");
    }
    assert_eq!(replicas.b.ask(&["nodes"]).await.status.code(), Some(1));
    let late = replicas
        .a
        .admin("v1/wait?timeout=0s&revision=99999")
        .await
        .unwrap();
    assert_eq!(late.status, 504, "{late:?}");

    // A wait that tells how far it is begins with that one behind, and ends without.
    let url = format!(
        "{}/v1/wait/stream?revision={revision}&timeout=300s",
        replicas.a.url()
    );
    let mut stream = http::client().get(url).send().await.unwrap();
    let first = stream.chunk().await.unwrap().unwrap();
    let first: Value = serde_json::from_slice(&first).unwrap();
    assert_eq!(
        (&first["accepted"], &first["expected"], &first["confirmed"]),
        (&json!(2), &json!(3), &json!(false)),
        "{first}"
    );
    assert_eq!(names(&first), ["envoy-3"]);
    replicas.envoys[2].process.resume();
    wait(&replicas.a, revision, PATIENTLY, 0).await;
    let mut rest = String::new();
    while let Some(chunk) = stream.chunk().await.unwrap() {
        rest.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    let last: Value = serde_json::from_str(rest.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&last["accepted"], &last["confirmed"]),
        (&json!(3), &json!(true))
    );
    eventually(async || {
        let output = replicas.b.ask(&["nodes"]).await;
        ensure!(output.status.code() == Some(0), "{output:?}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_replica_that_dies_counts_no_longer_and_one_that_ends_is_gone_at_once() {
    let mut replicas = Replicas::set().await;
    replicas.three_envoys().await;
    replicas.b.process.kill();
    let revision = replicas
        .etcd
        .write("routes/second", &route("/second", "2"))
        .await;
    // Nobody knows what its Envoys have until its lease ends: seven seconds, or more, after it died.
    let dead = Instant::now();
    let (status, answer) = ask_to_wait(&replicas.a, revision, "1s").await;
    if dead.elapsed() < Duration::from_secs(7) {
        assert_eq!(status, Some(1), "{answer}");
        let behind = answer["behind"].as_array().unwrap();
        assert!(behind.iter().any(|it| it["replica"] == "b"), "{answer}");
    }
    let answer = wait(&replicas.a, revision, PATIENTLY, 0).await;
    assert_eq!(
        (&answer["nodes"], &answer["replicas"]),
        (&json!(2), &json!(1))
    );

    replicas.b.process.start_again();
    replicas.b.ready().await;
    wait(&replicas.b, revision, PATIENTLY, 0).await;
    eventually(async || {
        ensure!(replicas.etcd.has("replicas/b").await, "no record of it");
        Ok(())
    })
    .await;
    assert!(replicas.b.process.stop().await.success());
    assert!(!replicas.etcd.has("replicas/b").await);
    let answer = wait(&replicas.a, revision, PATIENTLY, 0).await;
    assert_eq!(answer["replicas"], 1);
}

#[tokio::test]
async fn what_replicas_write_is_little_and_publishes_nothing() {
    let mut replicas = Replicas::set().await;
    replicas.three_envoys().await;
    let revision = replicas
        .etcd
        .write("routes/second", &route("/second", "2"))
        .await;
    wait(&replicas.a, revision, PATIENTLY, 0).await;
    // What has been confirmed may still be told; then nobody changes anything.
    eventually(async || {
        let before = replicas.etcd.write("elsewhere", &json!({})).await;
        let published = replicas.a.published().len();
        tokio::time::sleep(Duration::from_secs(4)).await;
        let after = replicas.etcd.write("elsewhere", &json!({})).await;
        // The write of `elsewhere` itself is refused as a stray key, and one change may be told of it.
        ensure!(after - before <= 3, "{} writes", after - before);
        let more = replicas.a.published().len() - published;
        ensure!(more == 0, "{more} snapshots");
        Ok(())
    })
    .await;
    for replica in [&replicas.a, &replicas.b] {
        let said = replica.process.output();
        assert!(!said.contains("replicas/"), "{said}");
    }
}

#[tokio::test]
async fn two_replicas_of_one_name_part() {
    let replicas = Replicas::called(["same", "same"]).await;
    let said = |replica: &Chancery| replica.log_of("another process goes by").len();
    eventually(async || {
        let renamed = said(&replicas.a) + said(&replicas.b);
        ensure!(renamed == 1, "{renamed} go by another name");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_envoy_that_moves_to_another_replica_is_sent_nothing() {
    for protocol in [Protocol::Delta, Protocol::Sotw] {
        let mut replicas = Replicas::set().await;
        let relay = Relay::to(own_address(), replicas.a.xds()).await;
        replicas.envoy("envoy-1", protocol, relay.address).await;
        let revision = replicas
            .etcd
            .write("routes/second", &route("/second", "2"))
            .await;
        wait(&replicas.b, revision, PATIENTLY, 0).await;
        relay.turn(replicas.b.xds());
        replicas.b.logs(0, "node connected").await;
        let revision = replicas
            .etcd
            .write("upstreams/unused", &json!({ "nodes": [] }))
            .await;
        eventually(async || {
            let nodes = nodes(&replicas.b).await?;
            ensure!(nodes["nodes"][0]["synced"] == true, "{nodes}");
            Ok(())
        })
        .await;
        wait(&replicas.b, revision, PATIENTLY, 0).await;
        let all = replicas.a.log_of("response sent");
        assert!(all.iter().any(|sent| sent.field("resources") != "0"));
        for sent in replicas.b.log_of("response sent") {
            let resources = (sent.field("resources"), sent.field("removed"));
            assert_eq!(
                resources,
                ("0".into(), "0".into()),
                "{protocol:?}: {sent:?}"
            );
        }
        assert_eq!(replicas.envoys[0].get("/second").await.body, "2");
    }
}

#[tokio::test]
async fn nothing_is_confirmed_where_there_is_no_proxy_unless_that_is_asked_for() {
    let replicas = Replicas::set().await;
    let revision = replicas
        .etcd
        .write("routes/second", &route("/second", "2"))
        .await;
    let answer = wait(&replicas.a, revision, "2s", 1).await;
    assert_eq!(
        (&answer["confirmed"], &answer["expected"]),
        (&json!(false), &json!(0)),
        "{answer}"
    );
    let revision = revision.to_string();
    let arguments = ["wait", "--revision", &revision, "--allow-none"];
    let output = replicas.a.ask(&arguments).await;
    assert!(output.status.success(), "{output:?}");
}

#[tokio::test]
async fn the_proxies_of_a_replica_that_died_are_expected_until_they_are_back_or_gone() {
    let mut replicas = Replicas::set().await;
    replicas.three_envoys().await;
    eventually(async || {
        let nodes = nodes(&replicas.a).await?;
        let connected = &nodes["replicas"][0]["connected"]["default"]["ids"];
        ensure!(*connected == json!(["envoy-3"]), "{nodes}");
        Ok(())
    })
    .await;
    // Envoy still serves what it has.
    replicas.b.process.kill();
    eventually(async || {
        let nodes = nodes(&replicas.a).await?;
        ensure!(nodes["replicas"] == json!([]), "{nodes}");
        Ok(())
    })
    .await;
    let revision = replicas
        .etcd
        .write("routes/second", &route("/second", "2"))
        .await;
    let answer = wait(&replicas.a, revision, "1s", 1).await;
    assert_eq!(names(&answer), ["envoy-3"], "{answer}");
    let reason = answer["behind"][0]["reason"].as_str().unwrap();
    assert!(reason.starts_with("away since"), "{answer}");
    assert_eq!(
        (&answer["expected"], &answer["accepted"]),
        (&json!(3), &json!(2)),
        "{answer}"
    );
    let answer = wait(&replicas.a, revision, PATIENTLY, 0).await;
    assert_eq!(
        (&answer["expected"], &answer["left"]),
        (&json!(2), &json!(1)),
        "{answer}"
    );
}

#[tokio::test]
async fn who_was_connected_before_a_restart_is_expected_until_it_is_back_or_gone() {
    let mut stage = Stage::set().await;
    stage.keep_state().await;
    let revision = stage
        .etcd
        .write("routes/first", &route("/first", "1"))
        .await;
    let confirmed = wait(&stage.chancery, revision, PATIENTLY, 0).await;
    assert_eq!(confirmed["expected"], 1, "{confirmed}");
    eventually(async || {
        let text = fs::read_to_string(stage.folder().join("state/inputs"))?;
        ensure!(text.contains(r#""nodes":["#), "{text}");
        Ok(())
    })
    .await;
    // It cannot speak, and serves what it has.
    stage.envoy.process.pause();
    stage.chancery.process.kill();
    stage.chancery.process.start_again();
    stage.chancery.ready().await;
    let revision = stage
        .etcd
        .write("routes/first", &route("/first", "2"))
        .await;
    let answer = wait(&stage.chancery, revision, "1s", 1).await;
    assert_eq!(answer["confirmed"], false, "{answer}");
    assert_eq!(names(&answer).len(), 1, "{answer}");
    stage.envoy.process.resume();
    let confirmed = wait(&stage.chancery, revision, PATIENTLY, 0).await;
    assert_eq!(confirmed["confirmed"], true, "{confirmed}");
}

#[tokio::test]
async fn replicas_know_each_other_again_after_etcd_hung_for_longer_than_their_leases() {
    let replicas = Replicas::set().await;
    let since = nodes(&replicas.a).await.unwrap()["revision"].clone();
    replicas.etcd.process.pause();
    tokio::time::sleep(Duration::from_secs(15)).await;
    replicas.etcd.process.resume();
    // Records that ended with their leases, and those that came after them: both move the revision on.
    for replica in [&replicas.a, &replicas.b] {
        replica.logs(0, "source answers again").await;
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    for replica in [&replicas.a, &replicas.b] {
        eventually(async || {
            let nodes = nodes(replica).await?;
            let others = nodes["replicas"].as_array().context("no replicas")?;
            ensure!(nodes["revision"] != since && others.len() == 1, "{nodes}");
            Ok(())
        })
        .await;
    }
}
