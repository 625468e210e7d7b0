//! Documents that change: those that no request needs, and edits of those that requests need, none of which may fail one.

use std::collections::BTreeSet;

use fastrand::Rng;
use reqwest::Method;
use serde_json::{Value, json};

use super::fleet::{self, Fleet};
use super::journal::Journal;
use super::load::Question;
use super::support::certificates::Authority;
use super::support::stage::route_to_service;

/// How many services there are.
pub const SERVICES: usize = 4;
/// How many there are at most of each kind of document that no request needs.
const EXTRA: usize = 20;
/// How many routes there are that only make tables large enough to be divided.
const CROWD: usize = 200;
/// The key of the consumer that requests show.
const KEY: &str = "the-key-of-the-load";

/// What was written and is to be cleaned up.
pub struct Documents {
    authority: Authority,
    /// Instances that always run, as `nodes` wants them.
    nodes: Vec<String>,
    extra: BTreeSet<String>,
    /// A text that nobody can use stands in the place of `routes/edited`.
    spoilt: bool,
    /// The route tables are divided.
    divided: bool,
    /// There are routes for hosts of their own, more than of any host: tables are divided by hosts.
    hosts: bool,
    writes: u64,
}

/// The service of this number.
pub fn service(number: usize) -> String {
    format!("shop-{number}")
}

/// What the load asks for.
pub fn questions() -> Vec<Question> {
    let question = |path: &str, answer: &str| Question {
        path: path.to_owned(),
        key: None,
        answer: answer.to_owned(),
    };
    let services = (0..SERVICES).map(|number| {
        let service = service(number);
        question(&format!("/{service}/cart"), &service)
    });
    let mut questions = vec![
        question("/base", "base"),
        question("/edited/page", ""),
        question("/shared", "base"),
        question("/crowd-7/page", "base"),
    ];
    questions.extend(services);
    questions.push(Question {
        key: Some(KEY.to_owned()),
        ..question("/keyed", "base")
    });
    questions
}

impl Documents {
    /// Writes what the load needs.
    pub async fn write(fleet: &Fleet, nodes: Vec<String>) -> Self {
        let documents = Self {
            authority: Authority::new(),
            nodes,
            extra: BTreeSet::new(),
            spoilt: false,
            divided: false,
            hosts: false,
            writes: 0,
        };
        let etcd = &fleet.etcd;
        for number in 0..SERVICES {
            let service = service(number);
            let route = route_to_service(&format!("/{service}/*"), &service);
            etcd.put(&format!("routes/{service}"), &route).await;
        }
        let keyed = json!({ "uri": "/keyed", "plugins": { "key-auth": {} }, "upstream": documents.upstream() });
        let consumer = json!({ "username": "load", "plugins": { "key-auth": { "key": KEY } } });
        let shared = json!({ "uri": "/shared", "upstream_id": "shared" });
        for (key, document) in [
            ("upstreams/shared", documents.upstream()),
            ("consumers/load", consumer),
            ("routes/keyed", keyed),
            ("routes/shared", shared),
            ("routes/base", documents.route("/base")),
            ("routes/edited", documents.route("/edited/*")),
        ] {
            etcd.put(key, &document).await;
        }
        for number in 0..CROWD {
            let route = documents.route(&format!("/crowd-{number}/*"));
            etcd.put(&format!("routes/crowd-{number}"), &route).await;
        }
        documents
    }

    fn upstream(&self) -> Value {
        let nodes: serde_json::Map<_, _> = self
            .nodes
            .iter()
            .map(|node| (node.clone(), json!(1)))
            .collect();
        json!({ "type": "roundrobin", "nodes": nodes })
    }

    fn route(&self, uri: &str) -> Value {
        json!({ "uri": uri, "upstream": self.upstream() })
    }

    /// One change.
    pub async fn change(&mut self, fleet: &Fleet, random: &mut Rng, journal: &Journal) {
        self.writes += 1;
        let number = random.usize(..EXTRA);
        match random.u32(..100) {
            0..25 => {
                let (key, text) = (
                    format!("routes/extra-{number}"),
                    self.extra_route(number, random),
                );
                self.put(fleet, journal, key, &text).await;
            }
            25..35 => self.delete_one(fleet, random, journal).await,
            35..55 => self.edit(fleet, random, journal).await,
            55..62 => {
                let text = self.edited_upstream(random);
                journal.tell(format_args!(
                    "put upstreams/shared, which requests use: {text}"
                ));
                fleet.etcd.put("upstreams/shared", &text).await;
            }
            62..70 => self.put_bad(fleet, random, journal).await,
            70..76 => {
                let mut text = self.route("/teapot");
                let body = format!("short and stout {}", self.writes);
                text["plugins"] =
                    json!({ "fault-injection": { "abort": { "http_status": 418, "body": body } } });
                self.put(fleet, journal, "routes/teapot".to_owned(), &text)
                    .await;
            }
            76..82 => {
                let number = number % 3;
                let name = format!("extra-{number}.example");
                let identity = self.authority.identity(&[&name]);
                let text = json!({ "snis": [name], "cert": identity.cert, "key": identity.key });
                self.put(fleet, journal, format!("ssls/extra-{number}"), &text)
                    .await;
            }
            82..90 => {
                let name = format!("extra{number}");
                let text = json!({ "username": name, "plugins": {
                    "key-auth": { "key": format!("key-{number}-{}", self.writes) },
                    "basic-auth": { "username": name, "password": "no-secret" },
                } });
                self.put(fleet, journal, format!("consumers/{name}"), &text)
                    .await;
            }
            90..94 => {
                let text = json!({ "plugins": { "cors": { "max_age": random.u32(1..600) } } });
                self.put(fleet, journal, "global_rules/extra".to_owned(), &text)
                    .await;
            }
            94..97 => {
                journal.tell("put 20 routes at once");
                for number in 0..EXTRA {
                    let key = format!("routes/extra-{number}");
                    fleet
                        .etcd
                        .put(&key, &self.extra_route(number, random))
                        .await;
                    self.extra.insert(key);
                }
            }
            97 => self.crowd_of_hosts(fleet, journal).await,
            _ => self.turn(fleet, random, journal).await,
        }
    }

    /// Listeners change, and find routes in one table or in several, now and then as before.
    pub async fn turn(&mut self, fleet: &Fleet, random: &mut Rng, journal: &Journal) {
        self.divided ^= random.u32(..5) > 0;
        self.put_gateway(fleet, random.u32(1800..3600), journal)
            .await;
    }

    async fn put_gateway(&self, fleet: &Fleet, idle: u32, journal: &Journal) {
        let tables = if self.divided { "divided" } else { "one" };
        journal.tell(format_args!(
            "put gateways/default, idle_timeout {idle}, route tables {tables}: listeners change"
        ));
        let gateway = fleet::gateway(fleet.listener, idle, tables);
        fleet.etcd.put("gateways/default", &gateway).await;
    }

    /// So many routes come or go that tables are divided by other bits than before, if they are divided.
    pub async fn crowd_of_hosts(&mut self, fleet: &Fleet, journal: &Journal) {
        self.hosts = !self.hosts;
        let what = if self.hosts { "put" } else { "delete" };
        let count = 2 * CROWD;
        journal.tell(format_args!("{what} {count} routes for hosts"));
        for number in 0..count {
            let key = format!("routes/host-{number}");
            if self.hosts {
                let mut route = self.route("/*");
                route["host"] = json!(format!("host-{number}.example.com"));
                fleet.etcd.put(&key, &route).await;
            } else {
                fleet.etcd.delete(&key).await;
            }
        }
    }

    async fn put(&mut self, fleet: &Fleet, journal: &Journal, key: String, text: &Value) {
        journal.tell(format_args!("put {key}"));
        fleet.etcd.put(&key, text).await;
        self.extra.insert(key);
    }

    async fn delete_one(&mut self, fleet: &Fleet, random: &mut Rng, journal: &Journal) {
        if let Some(key) = random.choice(self.extra.iter().cloned().collect::<Vec<_>>()) {
            journal.tell(format_args!("delete {key}"));
            fleet.etcd.delete(&key).await;
            self.extra.remove(&key);
        }
    }

    fn extra_route(&self, number: usize, random: &mut Rng) -> Value {
        let uri = format!("/extra/{number}/{}/*", self.writes);
        let mut route = if random.bool() {
            self.route(&uri)
        } else {
            let service = random.usize(..SERVICES);
            route_to_service(&uri, &self::service(service))
        };
        let plugins = [
            json!({}),
            json!({ "proxy-rewrite": { "headers": { "set": { "x-extra": "yes" } } } }),
            json!({ "limit-count": { "count": 100, "time_window": 60 } }),
            json!({ "ip-restriction": { "blacklist": ["192.0.2.0/24"] } }),
            json!({ "key-auth": {} }),
        ];
        route["plugins"] = random.choice(plugins).unwrap_or_default();
        route
    }

    /// Another form of a route that requests need, at which all of them are still answered.
    async fn edit(&mut self, fleet: &Fleet, random: &mut Rng, journal: &Journal) {
        let mut text = if random.bool() {
            self.route("/edited/*")
        } else {
            let service = service(random.usize(..SERVICES));
            route_to_service("/edited/*", &service)
        };
        text["timeout"] = json!({ "connect": random.u32(2..6), "send": 30, "read": 30 });
        if random.bool() {
            text["plugins"] = json!({ "proxy-rewrite": {
                "uri": "/rewritten", "headers": { "set": { "x-edit": self.writes.to_string() } },
            } });
        }
        journal.tell(format_args!(
            "put routes/edited, which requests use: {text}"
        ));
        fleet.etcd.put("routes/edited", &text).await;
        self.spoilt = false;
    }

    fn edited_upstream(&self, random: &mut Rng) -> Value {
        let mut upstream = self.upstream();
        match random.u32(..4) {
            0 => upstream["type"] = json!("least_conn"),
            1 => {
                upstream["type"] = json!("chash");
                upstream["key"] = json!("remote_addr");
            }
            2 => upstream["retries"] = json!(random.u32(1..4)),
            _ => {}
        }
        for weight in upstream["nodes"].as_object_mut().unwrap().values_mut() {
            *weight = json!(random.u32(1..100));
        }
        upstream
    }

    /// A text that is refused: a new document, or in the place of one that requests need.
    async fn put_bad(&mut self, fleet: &Fleet, random: &mut Rng, journal: &Journal) {
        let texts = [
            "{ \"uri\": \"/bad\"".to_owned(),
            json!({ "uri": "/bad", "upsteam": {} }).to_string(),
            json!({ "uri": "/bad", "upstream_id": "nobody" }).to_string(),
            json!({ "uri": "/bad", "plugins": { "no-such": {} }, "upstream": self.upstream() })
                .to_string(),
            json!({ "uri": "/bad", "upstream": { "nodes": { "127.0.0.1:0": 1 } } }).to_string(),
        ];
        let text = random.choice(texts).unwrap_or_default();
        let (key, extra) = if random.bool() {
            ("routes/edited", false)
        } else {
            ("routes/bad", true)
        };
        journal.tell(format_args!("put {key}, which is wrong: {text}"));
        fleet.etcd.put_text(key, &text).await;
        if extra {
            self.extra.insert(key.to_owned());
        } else {
            self.spoilt = true;
        }
    }

    /// A change of a route that is confirmed by every Envoy.
    pub async fn confirm(&mut self, fleet: &Fleet, random: &mut Rng, journal: &Journal) {
        self.writes += 1;
        let Some(replica) = fleet.some_replica(random) else {
            return;
        };
        let key = "routes/confirmed".to_owned();
        let text = self.route(&format!("/confirmed/{}", self.writes));
        journal.tell(format_args!("put {key}, and wait until it is confirmed"));
        let revision = fleet.etcd.write(&key, &text).await;
        self.extra.insert(key);
        let path = format!("v1/wait?revision={revision}&timeout=100s");
        let answer = fleet.call(replica, Method::GET, &path, None).await.unwrap();
        assert_eq!(
            (answer.0, &answer.1["confirmed"]),
            (200, &json!(true)),
            "{}",
            answer.1
        );
    }

    /// Deletes what no request needs, and mends what was spoilt. It ends with divided tables: once they were, a single one is
    /// another than where they never were.
    pub async fn clean(&mut self, fleet: &Fleet, journal: &Journal) {
        journal.tell("delete all documents that no request needs");
        for key in std::mem::take(&mut self.extra) {
            fleet.etcd.delete(&key).await;
        }
        if self.spoilt {
            fleet
                .etcd
                .put("routes/edited", &self.route("/edited/*"))
                .await;
            self.spoilt = false;
        }
        if self.hosts {
            self.crowd_of_hosts(fleet, journal).await;
        }
        self.divided = true;
        self.put_gateway(fleet, 3600, journal).await;
    }
}
