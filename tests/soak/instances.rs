//! Instances that come and go as a deploy does it, and checks that fail.
//!
//! An instance is stopped only after a drain of it was confirmed, and of each service at least two stay healthy unless all turn
//! critical at once, which Chancery does not believe for a minute: all else would fail requests rightly.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::task::AbortHandle;
use tokio::time::{interval, sleep};

use super::documents::{SERVICES, service};
use super::fleet::Fleet;
use super::journal::Journal;
use super::upstream::Upstream;

/// Instances of each service: one of them may be left drained, and one deployed meanwhile.
const EACH: usize = 4;
/// From a confirmed drain to the end of the process: requests that are in flight take less.
const IN_FLIGHT: Duration = Duration::from_secs(1);
/// How often an instance says that it is well, and how long Consul believes it.
const HEARTBEAT: Duration = Duration::from_secs(2);
const TTL: &str = "15s";

/// All instances of all services.
pub struct Instances {
    slots: Vec<Slot>,
    /// Which checks pass, by the instance's id.
    hearts: Arc<Mutex<BTreeMap<String, bool>>>,
    beat: AbortHandle,
    /// The ids of drains that were left in force.
    left: Vec<String>,
    drains: Drains,
}

struct Slot {
    service: String,
    upstream: Upstream,
}

/// What became of drains.
#[derive(Debug, Clone, Copy, Default)]
pub struct Drains {
    pub confirmed: u32,
    pub unconfirmed: u32,
    pub refused: u32,
}

/// What became of one.
enum Drained {
    Confirmed(String),
    /// It stands, and somebody may still send the instance requests.
    Behind(String),
    Refused,
}

impl Slot {
    fn id(&self) -> &str {
        &self.upstream.name
    }

    async fn register(&self, fleet: &Fleet) {
        let at: SocketAddr = self.upstream.address;
        let registration = json!({
            "Name": self.service, "ID": self.id(), "Address": at.ip(), "Port": at.port(),
            "Check": { "CheckID": format!("check-{}", self.id()), "TTL": TTL, "Status": "passing" },
        });
        fleet.consul.register_as(&registration).await;
    }
}

impl Drop for Instances {
    fn drop(&mut self) {
        self.beat.abort();
    }
}

impl Instances {
    /// Starts and registers all.
    pub async fn start(fleet: &Fleet) -> Self {
        let mut slots = Vec::new();
        for number in 0..SERVICES * EACH {
            let service = service(number / EACH);
            let name = format!("{service}-{}", number % EACH);
            let address = SocketAddr::from((fleet.address, 7100 + number as u16));
            let upstream = Upstream::start(&name, address).await;
            let slot = Slot { service, upstream };
            slot.register(fleet).await;
            slots.push(slot);
        }
        let hearts = slots.iter().map(|slot| (slot.id().to_owned(), true));
        let hearts = Arc::new(Mutex::new(hearts.collect()));
        let beat = tokio::spawn(beat(fleet.consul.url(), hearts.clone()));
        Self {
            slots,
            hearts,
            beat: beat.abort_handle(),
            left: Vec::new(),
            drains: Drains::default(),
        }
    }

    pub fn drains(&self) -> Drains {
        self.drains
    }

    /// One change. Where Consul or etcd is away it is one that is refused.
    pub async fn change(&mut self, fleet: &Fleet, random: &mut Rng, journal: &Journal) {
        let slot = random.usize(..self.slots.len());
        let registers = !fleet.away.consul;
        match random.u32(..100) {
            0..35 => self.deploy(slot, fleet, random, journal).await,
            35..50 if registers => self.replace(slot, fleet, random, journal).await,
            50..65 => self.drain_for_a_while(slot, fleet, random, journal).await,
            65..75 => self.put_one_back(fleet, random, journal).await,
            75..88 if registers => {
                let id = self.slots[slot].id().to_owned();
                journal.tell(format_args!("the check of {id} fails for some seconds"));
                self.say(std::slice::from_ref(&id), false);
                sleep(Duration::from_millis(random.u64(2500..6000))).await;
                self.say(&[id], true);
            }
            88..94 if registers => {
                let service = self.slots[slot].service.clone();
                journal.tell(format_args!(
                    "all checks of {service} fail for some seconds"
                ));
                let of = self.slots.iter().filter(|slot| slot.service == service);
                let ids: Vec<_> = of.map(|slot| slot.id().to_owned()).collect();
                self.say(&ids, false);
                sleep(Duration::from_millis(random.u64(4000..12_000))).await;
                self.say(&ids, true);
            }
            94..100 if registers => {
                let id = self.slots[slot].id();
                journal.tell(format_args!(
                    "an operator has {id} in maintenance for some seconds"
                ));
                fleet.consul.maintenance(id, true).await;
                sleep(Duration::from_millis(random.u64(500..3000))).await;
                fleet.consul.maintenance(id, false).await;
            }
            _ => {}
        }
    }

    fn say(&self, ids: &[String], passes: bool) {
        let mut hearts = self.hearts.lock().unwrap();
        for id in ids {
            hearts.insert(id.clone(), passes);
        }
    }

    async fn drain(&mut self, slot: usize, ttl: &str, fleet: &Fleet, random: &mut Rng) -> Drained {
        let Some(replica) = fleet.some_replica(random) else {
            return Drained::Refused;
        };
        let at = self.slots[slot].upstream.address;
        // An Envoy that is away is behind for as long as it is.
        let wait = if fleet.away.envoy { "3s" } else { "60s" };
        let wish = json!({ "address": at.ip(), "port": at.port(), "ttl": ttl, "wait": wait, "reason": "soak" });
        let (status, answer) = fleet
            .call(replica, Method::POST, "v1/drains", Some(&wish))
            .await
            .unwrap();
        let id = || answer["drain"]["id"].as_str().unwrap().to_owned();
        match status {
            200 | 201 => {
                self.drains.confirmed += 1;
                Drained::Confirmed(id())
            }
            202 => {
                // Only an Envoy that is away may be behind for so long.
                assert!(fleet.away.envoy, "a drain is not confirmed: {answer}");
                self.drains.unconfirmed += 1;
                Drained::Behind(id())
            }
            // The last healthy one; or Consul or etcd is away.
            409 | 502 | 503 => {
                self.drains.refused += 1;
                Drained::Refused
            }
            // What Consul has not said yet since it came back.
            404 | 400 => {
                self.drains.refused += 1;
                Drained::Refused
            }
            _ => panic!("a drain is answered with {status}: {answer}"),
        }
    }

    async fn undrain(&self, id: &str, fleet: &Fleet, random: &mut Rng) -> bool {
        let Some(replica) = fleet.some_replica(random) else {
            return false;
        };
        let path = format!("v1/drains/{id}");
        let (status, answer) = fleet
            .call(replica, Method::DELETE, &path, None)
            .await
            .unwrap();
        // Gone already, by its time to live; or etcd is away.
        assert!(
            matches!(status, 200 | 202 | 404 | 502 | 503),
            "{status}: {answer}"
        );
        matches!(status, 200 | 202 | 404)
    }

    /// Drains an instance for `what` is to be done with it; nothing where that is refused, or not confirmed and given up.
    async fn take_out(
        &mut self,
        what: &str,
        slot: usize,
        fleet: &Fleet,
        random: &mut Rng,
        journal: &Journal,
    ) -> Option<String> {
        let name = self.slots[slot].id().to_owned();
        journal.tell(format_args!("{what} {name}: drain"));
        match self.drain(slot, "10m", fleet, random).await {
            Drained::Refused => journal.tell(format_args!("{what} {name}: refused")),
            Drained::Behind(id) => {
                journal.tell(format_args!("{what} {name}: not confirmed, given up"));
                self.put_back(id, fleet, random).await;
            }
            Drained::Confirmed(id) => return Some(id),
        }
        None
    }

    /// Drained, stopped, started, put back.
    async fn deploy(&mut self, slot: usize, fleet: &Fleet, random: &mut Rng, journal: &Journal) {
        let name = self.slots[slot].id().to_owned();
        let Some(id) = self.take_out("deploy", slot, fleet, random, journal).await else {
            return;
        };
        sleep(IN_FLIGHT).await;
        journal.tell(format_args!("deploy {name}: confirmed, stopped"));
        self.slots[slot].upstream.stop().await;
        sleep(Duration::from_millis(random.u64(200..2000))).await;
        self.slots[slot].upstream.start_again().await;
        journal.tell(format_args!("deploy {name}: started again, undrain"));
        self.put_back(id, fleet, random).await;
    }

    /// Drained, deregistered, stopped; later started and registered.
    async fn replace(&mut self, slot: usize, fleet: &Fleet, random: &mut Rng, journal: &Journal) {
        let name = self.slots[slot].id().to_owned();
        let Some(id) = self.take_out("replace", slot, fleet, random, journal).await else {
            return;
        };
        fleet.consul.deregister(&name).await;
        sleep(IN_FLIGHT).await;
        journal.tell(format_args!(
            "replace {name}: confirmed, deregistered, stopped"
        ));
        self.slots[slot].upstream.stop().await;
        sleep(Duration::from_millis(random.u64(200..3000))).await;
        self.slots[slot].upstream.start_again().await;
        let before = random.bool();
        if before {
            self.undrain_or_leave(&id, fleet, random).await;
        }
        journal.tell(format_args!("replace {name}: started again, registered"));
        self.slots[slot].register(fleet).await;
        if !before {
            self.put_back(id, fleet, random).await;
        }
    }

    /// Drained, and left so until it is put back or its time is over.
    async fn drain_for_a_while(
        &mut self,
        slot: usize,
        fleet: &Fleet,
        random: &mut Rng,
        journal: &Journal,
    ) {
        if !self.may_leave_one_out(slot, fleet, random).await {
            return;
        }
        let name = self.slots[slot].id().to_owned();
        let ttl = random.choice(["10s", "30s", "10m"]).unwrap_or("10s");
        let drained = self.drain(slot, ttl, fleet, random).await;
        let what = match &drained {
            Drained::Confirmed(_) => "confirmed",
            Drained::Behind(_) => "not confirmed",
            Drained::Refused => "refused",
        };
        journal.tell(format_args!("drain {name} for {ttl}, and leave it: {what}"));
        if let Drained::Confirmed(id) | Drained::Behind(id) = drained {
            self.left.push(id);
        }
    }

    /// Whether none of the slot's service is drained.
    async fn may_leave_one_out(&self, slot: usize, fleet: &Fleet, random: &mut Rng) -> bool {
        let Some(replica) = fleet.some_replica(random) else {
            return false;
        };
        let answer = fleet.call(replica, Method::GET, "v1/drains", None).await;
        let (status, answer) = answer.unwrap();
        let service = format!("consul/{}", self.slots[slot].service);
        let drains = answer["drains"].as_array().into_iter().flatten();
        status == 200 && !drains.into_iter().any(|drain| drain["service"] == service)
    }

    async fn put_one_back(&mut self, fleet: &Fleet, random: &mut Rng, journal: &Journal) {
        if self.left.is_empty() {
            return;
        }
        let id = self.left.swap_remove(random.usize(..self.left.len()));
        journal.tell(format_args!("undrain {id}"));
        self.put_back(id, fleet, random).await;
    }

    async fn put_back(&mut self, id: String, fleet: &Fleet, random: &mut Rng) {
        self.undrain_or_leave(&id, fleet, random).await;
    }

    /// What cannot be put back now is left for the end.
    async fn undrain_or_leave(&mut self, id: &str, fleet: &Fleet, random: &mut Rng) {
        if !self.undrain(id, fleet, random).await {
            self.left.push(id.to_owned());
        }
    }

    /// A drain whose replica is killed at any moment of it: it stands, or is undone.
    pub async fn drain_at(
        &self,
        fleet: &Fleet,
        replica: usize,
        random: &mut Rng,
    ) -> Option<(String, AbortHandle)> {
        let slot = random.usize(..self.slots.len());
        if !self.may_leave_one_out(slot, fleet, random).await {
            return None;
        }
        let at = self.slots[slot].upstream.address;
        let wish = json!({ "address": at.ip(), "port": at.port(), "ttl": "30s", "reason": "soak" });
        let url = format!("{}/v1/drains", fleet.replicas[replica].url());
        let call = async move {
            let client = super::support::http::client();
            let _ = client.post(url).json(&wish).send().await;
        };
        let call = tokio::spawn(call).abort_handle();
        Some((self.slots[slot].id().to_owned(), call))
    }

    /// Puts all back that is drained.
    pub async fn put_all_back(&mut self, fleet: &Fleet, random: &mut Rng, journal: &Journal) {
        let (_, answer) = fleet.call(0, Method::GET, "v1/drains", None).await.unwrap();
        let drains = answer["drains"].as_array().cloned().unwrap_or_default();
        journal.tell(format_args!("undrain all {} instances", drains.len()));
        for drain in &drains {
            let id = drain["id"].as_str().unwrap();
            assert!(self.undrain(id, fleet, random).await, "{drain}");
        }
        self.left.clear();
    }

    /// How many instances there are.
    pub fn count(&self) -> usize {
        self.slots.len()
    }
}

/// Says of each instance how it is, as often as it takes: a Consul that was killed has forgotten it.
async fn beat(consul: String, hearts: Arc<Mutex<BTreeMap<String, bool>>>) {
    let client: Client = super::support::http::client();
    let mut ticks = interval(HEARTBEAT);
    loop {
        ticks.tick().await;
        let now = hearts.lock().unwrap().clone();
        for (id, passes) in now {
            let word = if passes { "pass" } else { "fail" };
            let url = format!("{consul}/v1/agent/check/{word}/check-{id}");
            // It may be away, and the instance deregistered.
            let sent = client.put(url).timeout(Duration::from_secs(1)).send();
            if sent.await.is_err() {
                break;
            }
        }
    }
}

/// How many of these checks of Consul's agent are of maintenance.
pub fn in_maintenance(checks: &Value) -> usize {
    let checks = checks.as_object().expect("checks by id");
    let of = |id: &&String| {
        id.starts_with("_service_maintenance") || id.starts_with("_node_maintenance")
    };
    checks.keys().filter(of).count()
}
