//! The newest snapshot of every gateway, for streams to watch.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use dashmap::DashMap;
use tokio::sync::{mpsc, watch};

use crate::cohort::Cohort;
use crate::snapshot::{Accepted, Outcome, Refused, ResourceType, Snapshot};

mod answered;
mod changes;
mod followed;
mod known;
mod times;
mod traced;

use super::events::Events;
use crate::telemetry::Tracer;
use crate::telemetry::metrics::{self, ChangeSeconds};
use answered::Answered;
use changes::Changes;
use followed::Followed;
use known::Known;
use times::Times;
pub use traced::Answer;

/// The newest snapshot of one gateway; nothing as long as it is not known.
pub type Newest = Option<Arc<Snapshot>>;

/// What happened at the proxies of a cohort.
#[derive(Debug, PartialEq, Eq)]
pub struct Said {
    pub gateway: Arc<str>,
    pub cohort: Cohort,
    pub what: What,
}

impl Said {
    /// Whether it is about who is there, or which forms are accepted: instances have none.
    pub fn concerns_forms(&self) -> bool {
        match &self.what {
            What::Came(_) | What::Left(_) | What::Answered(Outcome::Refused(_)) => true,
            What::Answered(Outcome::Accepted(accepted)) => {
                accepted.resource_type != ResourceType::LoadAssignment
            }
        }
    }
}

/// What happened at a proxy.
#[derive(Debug, PartialEq, Eq)]
pub enum What {
    /// The one of this `node.id` came.
    Came(Arc<str>),
    /// It is gone for good.
    Left(Arc<str>),
    /// One said something of the newest snapshot that it was sent.
    Answered(Outcome),
}

/// What waits for the loop, which nobody waits for: Envoy says a thing once, so none of it may be lost. It needs no bound of
/// its own: a proxy says of a response one thing, responses follow snapshots, no snapshot comes but from the loop, which
/// takes all that waits at once, and connections come at a bounded rate.
pub type Heard = mpsc::UnboundedReceiver<Said>;

/// The proxies that are served the same: those of a gateway, of one cohort; or nobody yet.
type Place = (Arc<str>, Option<Cohort>);

/// What the loop knows to be accepted, by type.
type Accounts = [Mutex<Known>; ResourceType::ALL.len()];

/// What the proxies of a place are served, and what they said of it.
#[derive(Debug)]
struct Served {
    newest: watch::Sender<Newest>,
    accepted: Arc<Accounts>,
}

impl Default for Served {
    fn default() -> Self {
        Self {
            newest: watch::Sender::new(None),
            accepted: Arc::default(),
        }
    }
}

/// How many cohorts of a gateway are told apart: their names come from outside.
const COHORTS: usize = 16;

/// The newest snapshot of every gateway. One writer, the control loop; as many readers as there are streams.
#[derive(Debug)]
pub struct Gateways {
    by_place: DashMap<Place, Served>,
    /// What each stream has answered.
    answered: DashMap<u64, Arc<Answered>>,
    /// What is on its way to proxies, and where it is counted how long that takes.
    changes: Mutex<Changes>,
    times: Mutex<Times>,
    change_seconds: ChangeSeconds,
    tracer: Tracer,
    streams: AtomicU64,
    settled: watch::Sender<Settled>,
    events: Events,
    said: mpsc::UnboundedSender<Said>,
    served: watch::Sender<bool>,
}

/// How far the store's changes are published, and which of them are not in force.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settled {
    /// The store's revision up to which everything is published; 0 before the first publication.
    pub revision: i64,
    /// The last of these revisions that was about documents: what came after it changes nothing for proxies.
    pub documents: i64,
    /// By path, the documents whose text is not in force.
    pub problems: Arc<BTreeMap<Arc<str>, NotInForce>>,
    /// The ssls in force whose certificates end first, by path, and when that is, in seconds since 1970.
    pub ends: Arc<[(Arc<str>, i64)]>,
}

/// Why a document's text is not in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotInForce {
    /// The revision that wrote it.
    pub revision: i64,
    pub cause: Cause,
    /// What is wrong with it, in our words or a proxy's.
    pub reason: Arc<str>,
}

/// What keeps a document's text from being in force, the gravest last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Nobody has said yet which instances its service has, or what a secret manager has for it.
    Waiting,
    /// Some proxies are too old for it.
    NotServed,
    /// It is wrong itself.
    Rejected,
    /// A proxy refuses what becomes of it.
    Refused,
}

impl Cause {
    /// As operators read it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::NotServed => "not_served",
            Self::Rejected => "rejected",
            Self::Refused => "refused",
        }
    }
}

impl Gateways {
    /// No gateways yet, and what proxies will say of them. How long changes take is for nobody to see.
    pub fn new() -> (Self, Heard) {
        Self::counting(metrics::change_seconds(), Tracer::default())
    }

    /// The same, where that is counted, and traced.
    pub fn counting(change_seconds: ChangeSeconds, tracer: Tracer) -> (Self, Heard) {
        let (said, heard) = mpsc::unbounded_channel();
        let gateways = Self {
            by_place: DashMap::new(),
            answered: DashMap::new(),
            changes: Mutex::default(),
            times: Mutex::default(),
            change_seconds,
            tracer,
            streams: AtomicU64::new(0),
            settled: watch::Sender::default(),
            events: Events::default(),
            said,
            served: watch::Sender::new(false),
        };
        (gateways, heard)
    }

    /// A proxy refused what it was sent. Each of them is told: what is refused is held until the last of them has left.
    pub fn refuse(&self, gateway: &Arc<str>, cohort: &Cohort, refused: Refused) {
        self.say(gateway, cohort, What::Answered(Outcome::Refused(refused)));
    }

    /// Up to which snapshot all proxies of a cohort have answered what they were sent of a type. What they accepted was said before.
    pub fn answered(&self, (gateway, cohort): &(Arc<str>, Cohort), of: ResourceType) -> u64 {
        let streams = self.answered.iter();
        let theirs = streams.filter(|stream| {
            let place = stream.place();
            place.0 == *gateway && place.1.as_ref() == Some(cohort)
        });
        let answered = theirs.map(|stream| stream.get(of)).min();
        answered.unwrap_or(u64::MAX)
    }

    /// A proxy came.
    pub fn come(&self, gateway: &Arc<str>, cohort: &Cohort, node: &Arc<str>) {
        self.say(gateway, cohort, What::Came(node.clone()));
    }

    /// A proxy is gone for good.
    pub fn leave(&self, gateway: &Arc<str>, cohort: &Cohort, node: &Arc<str>) {
        self.say(gateway, cohort, What::Left(node.clone()));
    }

    fn say(&self, gateway: &Arc<str>, cohort: &Cohort, what: What) {
        let (gateway, cohort) = (gateway.clone(), cohort.clone());
        // It fails when the loop has ended, which is with the process.
        let _ = self.said.send(Said {
            gateway,
            cohort,
            what,
        });
    }

    /// Makes a snapshot the newest of its proxies, or lets them wait again. Tells how many streams hear of it.
    pub fn publish(&self, gateway: &str, cohort: Option<&Cohort>, snapshot: Newest) -> usize {
        let place = (gateway.into(), cohort.cloned());
        if snapshot.is_none() {
            self.give_up(&place);
        }
        let served = self.by_place.entry(place.clone()).or_default();
        served.newest.send_replace(snapshot);
        let streams = served.newest.receiver_count();
        // It holds the place, which may be forgotten now.
        drop(served);
        self.forget(&place);
        let serves = self
            .by_place
            .iter()
            .any(|each| each.newest.borrow().is_some());
        self.served
            .send_if_modified(|served| std::mem::replace(served, serves) != serves);
        streams
    }

    /// Whether anything is served, at any time.
    pub fn served(&self) -> watch::Receiver<bool> {
        self.served.subscribe()
    }

    /// Forgets a place that has no snapshot and that nobody watches: names that only proxies speak of must not pile up.
    fn forget(&self, place: &Place) {
        self.by_place.remove_if(place, |_, Served { newest, .. }| {
            newest.borrow().is_none() && newest.receiver_count() == 0
        });
    }

    /// The store's changes are included up to here: what they changed is published, if they changed anything.
    pub fn settle(&self, settled: Settled) {
        self.settled.send_if_modified(|before| {
            let changed = *before != settled;
            if changed {
                *before = settled;
            }
            changed
        });
    }

    pub fn settled(&self) -> watch::Receiver<Settled> {
        self.settled.subscribe()
    }

    /// The store's revision up to which everything is published; 0 before the first publication.
    pub fn revision(&self) -> i64 {
        self.settled.borrow().revision
    }

    /// Where traces of changes go.
    pub fn tracer(&self) -> &Tracer {
        &self.tracer
    }

    /// What happens to snapshots and nodes.
    pub fn events(&self) -> &Events {
        &self.events
    }

    /// The newest snapshot of one gateway's proxies: of those that are the most.
    pub fn find(&self, gateway: &str) -> Newest {
        self.newest()
            .into_iter()
            .find(|one| &*one.gateway == gateway)
    }

    /// The newest snapshot of the proxies of a cohort.
    pub fn find_for(&self, gateway: &Arc<str>, cohort: &Cohort) -> Newest {
        let place = (gateway.clone(), Some(cohort.clone()));
        let served = self.by_place.get(&place)?;
        served.newest.borrow().clone()
    }

    /// Watches what the proxies of a cohort are to have, or nobody yet; the gateway need not exist (yet).
    pub fn watch(self: &Arc<Self>, gateway: &str, cohort: Option<&Cohort>) -> Watch {
        let place = (gateway.into(), cohort.cloned());
        let served = self.by_place.entry(place.clone()).or_default();
        let stream = self.streams.fetch_add(1, Ordering::Relaxed);
        let answered = Arc::new(Answered::new(place));
        self.answered.insert(stream, answered.clone());
        Watch {
            newest: served.newest.subscribe(),
            accepted: served.accepted.clone(),
            leave: Leave {
                gateways: self.clone(),
                stream,
                answered,
                followed: Followed::default(),
            },
        }
    }

    /// The cohort that a client is served with: its own, or where that is foreign, or there are too many already, the one that all
    /// of these share: what is built for it is built once, whatever they call themselves.
    pub fn admit(&self, gateway: &Arc<str>, cohort: &Cohort) -> Cohort {
        if cohort.is_foreign() {
            return Cohort::foreign("");
        }
        let place = (gateway.clone(), Some(cohort.clone()));
        if self.by_place.contains_key(&place) {
            return cohort.clone();
        }
        let others = self.by_place.iter().filter(|each| each.key().0 == *gateway);
        if others.count() < COHORTS {
            cohort.clone()
        } else {
            Cohort::foreign("")
        }
    }

    /// The newest snapshots, in no order; of each gateway that of the most proxies.
    pub fn newest(&self) -> Vec<Arc<Snapshot>> {
        let mut by_gateway: BTreeMap<Arc<str>, (usize, Arc<Snapshot>)> = BTreeMap::new();
        for each in &self.by_place {
            let Some(snapshot) = each.newest.borrow().clone() else {
                continue;
            };
            let proxies = each.newest.receiver_count();
            let is_less = |(most, best): &(usize, Arc<Snapshot>)| {
                (*most, &best.cohort) >= (proxies, &snapshot.cohort)
            };
            if !by_gateway.get(&snapshot.gateway).is_some_and(is_less) {
                by_gateway.insert(snapshot.gateway.clone(), (proxies, snapshot));
            }
        }
        by_gateway
            .into_values()
            .map(|(_, snapshot)| snapshot)
            .collect()
    }

    /// The newest snapshots of every cohort, in no order.
    pub fn all(&self) -> Vec<Arc<Snapshot>> {
        let all = self.by_place.iter();
        all.filter_map(|served| served.newest.borrow().clone())
            .collect()
    }
}

/// A watch of one gateway's newest snapshot.
#[derive(Debug)]
pub struct Watch {
    newest: watch::Receiver<Newest>,
    accepted: Arc<Accounts>,
    // Dropped after `newest`, which then does not count any more.
    leave: Leave,
}

impl Watch {
    /// A proxy accepted what it was sent. What others of its cohort have said before is not passed on.
    pub fn accept(&self, accepted: Accepted) {
        let Leave {
            gateways, answered, ..
        } = &self.leave;
        let (gateway, Some(cohort)) = answered.place() else {
            return;
        };
        let account = &self.accepted[accepted.resource_type.index()];
        // An account is whole at any time: a panic elsewhere has not left it half-changed.
        let news = account
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .news(accepted);
        if let Some(accepted) = news {
            gateways.say(gateway, cohort, What::Answered(Outcome::Accepted(accepted)));
        }
    }

    /// All that was sent of a type, up to this snapshot, is answered, and what was accepted of it is said.
    pub fn note_answered(&self, of: ResourceType, sequence: u64) {
        self.leave.answered.note(of, sequence);
    }
}

impl Deref for Watch {
    type Target = watch::Receiver<Newest>;

    fn deref(&self) -> &Self::Target {
        &self.newest
    }
}

impl DerefMut for Watch {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.newest
    }
}

/// The end of a watch.
#[derive(Debug)]
struct Leave {
    gateways: Arc<Gateways>,
    stream: u64,
    answered: Arc<Answered>,
    followed: Followed,
}

impl Drop for Leave {
    fn drop(&mut self) {
        self.gateways
            .leave_changes(self.answered.place(), &self.followed);
        self.gateways.answered.remove(&self.stream);
        self.gateways.forget(self.answered.place());
    }
}

#[cfg(test)]
mod tests;
