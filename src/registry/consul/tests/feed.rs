//! More services than there may be connections: three lists are followed, and only what changed is read.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use super::Watch;
use super::scripted::{DEADLINE, Query, Scripted};

const MANY: usize = 400;
const CRITICAL: &str = "/v1/health/state/critical";
const WARNING: &str = "/v1/health/state/warning";
const SERVICES: &str = "/v1/catalog/services";

/// A scripted Consul with many services on one node, each with one instance, and a watch of them all.
struct Scene {
    consul: Scripted,
    watch: Watch,
    /// When each service was last written.
    written: BTreeMap<String, u64>,
    /// Lists that block.
    lists: BTreeMap<String, Query>,
    /// What was read since.
    read: Vec<String>,
    /// How reads of a service are refused: the status, and headers.
    refused: BTreeMap<String, (u16, &'static str)>,
    /// How often all nodes were looked at.
    sweeps: usize,
    /// What is said of the only node; all that is registered there, unless something else is.
    node: Option<&'static str>,
}

fn name(number: usize) -> String {
    format!("service-{number:03}")
}

impl Scene {
    async fn start() -> Self {
        let names: Vec<_> = (0..MANY).map(name).collect();
        let consul = Scripted::start().await;
        let watch = Watch::start(&consul.address, names.iter().map(String::as_str));
        let mut scene = Self {
            consul,
            watch,
            written: names.into_iter().map(|name| (name, 3)).collect(),
            lists: BTreeMap::new(),
            read: Vec::new(),
            refused: BTreeMap::new(),
            sweeps: 0,
            node: None,
        };
        let mut answered = BTreeSet::new();
        while answered.len() < MANY || scene.lists.len() < 3 {
            if let Some(answer) = scene.step(DEADLINE).await {
                assert!(answered.insert(answer), "told twice");
            }
        }
        scene.read.sort();
        assert!(
            scene.read.iter().eq(scene.written.keys()),
            "each is read once"
        );
        scene.read.clear();
        assert_eq!(scene.sweeps, 0, "a start reads services only");
        scene
    }

    /// Answers one query, or tells whose answer came out.
    async fn step(&mut self, patience: Duration) -> Option<String> {
        tokio::select! {
            answer = self.watch.answers.recv() => return Some(answer.unwrap().service.name.to_string()),
            query = timeout(patience, self.consul.query()) => self.handle(query.ok()?),
        }
        None
    }

    fn handle(&mut self, query: Query) {
        let path = query.service.clone();
        let is_list = [CRITICAL, WARNING, SERVICES].contains(&&*path);
        if is_list && query.index().is_some() {
            assert_eq!(query.parameters["wait"], "10000ms");
            let before = self.lists.insert(path, query);
            assert!(before.is_none(), "one query per list");
            return;
        }
        assert!(query.parameters.contains_key("consistent"));
        let body = match &*path {
            CRITICAL | WARNING => json!([]),
            SERVICES => json!({}),
            "/v1/catalog/nodes" => {
                self.sweeps += 1;
                json!([{"Node": "node-1", "ModifyIndex": 2}])
            }
            "/v1/catalog/node/node-1" if self.node.is_some() => {
                let headers = "X-Consul-Index: 7\r\n";
                return query.reply(200, headers, self.node.unwrap_or_default());
            }
            "/v1/catalog/node/node-1" => {
                let service = |(name, index): (&String, &u64)| {
                    (
                        format!("{name}-1"),
                        json!({"Service": name, "ModifyIndex": index}),
                    )
                };
                let services: BTreeMap<_, _> = self.written.iter().map(service).collect();
                json!({"Node": {"Node": "node-1"}, "Services": services})
            }
            service => {
                self.read.push(service.to_owned());
                if let Some((status, headers)) = self.refused.get(service) {
                    return query.reply(*status, headers, "refused");
                }
                let written = self.written.get(service).into_iter();
                let entry = |index: &u64| {
                    json!({
                        "Node": {"Node": "node-1", "Address": "10.0.0.1", "ModifyIndex": 2},
                        "Service": {"ID": format!("{service}-1"), "Port": 1, "ModifyIndex": index},
                    })
                };
                written.map(entry).collect()
            }
        };
        reply(query, 7, &body);
    }

    /// What a list says now.
    fn wake(&mut self, list: &str, index: u64, body: &Value) {
        reply(self.lists.remove(list).expect("it blocks"), index, body);
    }

    /// What is read: as much as is expected, and what comes within a moment after that.
    async fn reads(&mut self, expected: usize) -> Vec<String> {
        let deadline = Instant::now() + DEADLINE;
        while self.read.len() < expected && Instant::now() < deadline {
            self.serve().await;
        }
        let until = Instant::now() + Duration::from_millis(1500);
        while Instant::now() < until {
            self.serve().await;
        }
        std::mem::take(&mut self.read)
    }

    async fn serve(&mut self) {
        let told = self.step(Duration::from_millis(100)).await;
        assert_eq!(told, None, "equal answers are told again");
    }
}

fn reply(query: Query, index: u64, body: &Value) {
    query.reply(
        200,
        &format!("X-Consul-Index: {index}\r\n"),
        &body.to_string(),
    );
}

fn check(service: &str) -> Value {
    json!({"Node": "node-1", "CheckID": format!("alive:{service}"), "ServiceName": service, "Status": "critical"})
}

#[tokio::test]
async fn only_what_changed_is_read() {
    let mut scene = Scene::start().await;
    let (one, other) = (name(7), name(8));
    scene.wake(CRITICAL, 8, &json!([check(&one)]));
    assert_eq!(scene.reads(1).await, std::slice::from_ref(&one));
    scene.wake(CRITICAL, 9, &json!([check(&other)]));
    assert_eq!(scene.reads(2).await, [one.clone(), other.clone()]);
    scene.wake(
        WARNING,
        10,
        &json!([check(&one), check("nobody-wants-this"), {"Node": 7}]),
    );
    assert_eq!(scene.reads(1).await, std::slice::from_ref(&one));

    // Somebody re-registered with another port: no check says so.
    scene.written.insert(other.clone(), 11);
    scene.wake(SERVICES, 11, &json!({}));
    assert_eq!(scene.reads(1).await, [other]);
    // A registration elsewhere, or one that came again as it was.
    scene.wake(SERVICES, 12, &json!({}));
    assert_eq!(scene.reads(0).await, [] as [&str; 0]);
    scene.written.remove(&one);
    scene.wake(SERVICES, 13, &json!({}));
    let mut told = None;
    while told.is_none() {
        told = scene.step(DEADLINE).await;
    }
    assert_eq!(told.as_ref(), Some(&one), "it is gone");
    assert_eq!(scene.reads(1).await, [one]);
}

#[tokio::test]
async fn what_is_said_of_a_node_holds_for_all_on_it() {
    let mut scene = Scene::start().await;
    let node = json!({"Node": "node-1", "CheckID": "serfHealth", "ServiceName": ""});
    scene.wake(CRITICAL, 8, &json!([node]));
    assert_eq!(scene.reads(MANY).await.len(), MANY);
}

#[tokio::test]
async fn after_a_failure_or_another_state_everything_is_read_again_and_nothing_is_told() {
    let mut scene = Scene::start().await;
    let broken = scene.lists.remove(SERVICES).unwrap();
    broken.reply(500, "", "No cluster leader");
    scene
        .watch
        .assert_fails(&["the list of services", "No cluster leader"])
        .await;
    assert_eq!(scene.reads(MANY).await.len(), MANY);
    scene.watch.assert_well().await;
    // An index that went back is asked again before it is believed.
    scene.wake(SERVICES, 2, &json!({}));
    assert_eq!(scene.reads(MANY).await.len(), MANY);
}

#[tokio::test]
async fn a_service_that_is_wanted_later_is_read_alone() {
    let mut scene = Scene::start().await;
    let mut names: Vec<_> = (0..MANY).map(name).collect();
    names.push("late".to_owned());
    let wanted = super::services(names.iter().map(String::as_str));
    scene.watch.wanted.send_replace(wanted);
    let mut told = None;
    while told.is_none() {
        told = scene.step(DEADLINE).await;
    }
    assert_eq!(told.as_deref(), Some("late"));
    assert_eq!(scene.reads(1).await, ["late"]);
}

#[tokio::test]
async fn a_pause_that_consul_asks_for_holds_all_reads() {
    let mut scene = Scene::start().await;
    let (one, other) = (name(7), name(8));
    scene
        .refused
        .insert(one.clone(), (429, "Retry-After: 3\r\n"));
    scene.wake(CRITICAL, 8, &json!([check(&one)]));
    while scene.read.is_empty() {
        scene.step(DEADLINE).await;
    }
    let refused = Instant::now();
    scene.refused.clear();
    scene.watch.assert_fails(&["429"]).await;
    while !scene.lists.contains_key(CRITICAL) {
        scene.step(DEADLINE).await;
    }
    scene.wake(CRITICAL, 9, &json!([check(&one), check(&other)]));
    while scene.read.len() < 3 {
        scene.step(DEADLINE).await;
    }
    assert!(refused.elapsed() >= Duration::from_millis(2900));
    scene.read.sort();
    assert_eq!(scene.read, [one.clone(), one, other]);
    scene.watch.assert_well().await;
}

#[tokio::test]
async fn a_service_whose_read_fails_keeps_the_source_at_fault_and_holds_no_other() {
    let mut scene = Scene::start().await;
    let (one, other) = (name(7), name(8));
    scene.refused.insert(one.clone(), (500, ""));
    scene.wake(CRITICAL, 8, &json!([check(&one), check(&other)]));
    let until = Instant::now() + Duration::from_secs(3);
    while scene.read.iter().filter(|read| **read == one).count() < 3 {
        assert!(Instant::now() < until + DEADLINE, "{:?}", scene.read);
        scene.step(Duration::from_millis(20)).await;
        if scene.read.len() > 2 {
            scene.watch.assert_fails(&[&one, "500"]).await;
        }
    }
    assert!(scene.read.contains(&other));
    scene.refused.clear();
    scene.reads(1).await;
    scene.watch.assert_well().await;
}

#[tokio::test]
async fn a_node_that_cannot_be_read_empties_nothing() {
    let mut scene = Scene::start().await;
    scene.node = Some("<html>");
    scene.wake(SERVICES, 8, &json!({}));
    assert_eq!(
        scene.reads(MANY).await.len(),
        MANY,
        "whatever was there is read"
    );
    scene.watch.assert_well().await;
    // Neither again while it cannot be read, nor once it can be.
    for (index, node) in [(9, scene.node), (10, None)] {
        scene.node = node;
        while !scene.lists.contains_key(SERVICES) {
            scene.step(DEADLINE).await;
        }
        let sweeps = scene.sweeps;
        scene.wake(SERVICES, index, &json!({}));
        while scene.sweeps == sweeps {
            scene.step(DEADLINE).await;
        }
        assert_eq!(scene.reads(0).await.len(), 0);
    }
}

#[tokio::test]
async fn what_changes_while_services_are_read_is_read_again() {
    let mut scene = Scene::start().await;
    let (one, other) = (name(7), name(8));
    scene.written.insert(one.clone(), 8);
    scene.wake(SERVICES, 8, &json!({}));
    assert_eq!(scene.reads(1).await, std::slice::from_ref(&one));
    // It is read for its check after it was written, and before the list says so: that is known already.
    scene.written.insert(other.clone(), 9);
    scene.wake(CRITICAL, 9, &json!([check(&other)]));
    assert_eq!(scene.reads(1).await, std::slice::from_ref(&other));
    scene.wake(SERVICES, 9, &json!({}));
    assert_eq!(scene.reads(0).await, [] as [&str; 0]);
    scene.written.insert(other.clone(), 10);
    scene.wake(SERVICES, 10, &json!({}));
    assert_eq!(scene.reads(1).await, [other]);
}
