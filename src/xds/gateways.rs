//! The newest snapshot of every gateway, for streams to watch.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use dashmap::DashMap;
use tokio::sync::{mpsc, watch};

use crate::snapshot::{Outcome, ResourceType, Snapshot};

use super::events::Events;

/// The newest snapshot of one gateway; nothing as long as it is not known.
pub type Newest = Option<Arc<Snapshot>>;

/// What proxies said of a gateway's snapshot.
pub type Said = (Arc<str>, Outcome);

/// What waits for the loop, which nobody waits for: Envoy says a thing once, so none of it may be lost. It needs no bound of
/// its own. A fleet says of a snapshot and a type two things at most, it is accepted and it is refused; and no snapshot
/// comes but from the loop, which takes all that waits at once.
pub type Heard = mpsc::UnboundedReceiver<Said>;

/// The newest snapshot of every gateway. One writer, the control loop; as many readers as there are streams.
#[derive(Debug)]
pub struct Gateways {
    by_name: DashMap<Arc<str>, watch::Sender<Newest>>,
    /// By gateway and type, the newest snapshot that any proxy accepted.
    accepted: DashMap<(Arc<str>, ResourceType), u64>,
    /// The same of refusals.
    refused: DashMap<(Arc<str>, ResourceType), u64>,
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
    /// Nobody has said yet which instances its service has.
    Waiting,
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
            Self::Rejected => "rejected",
            Self::Refused => "refused",
        }
    }
}

impl Gateways {
    /// No gateways yet, and what proxies will say of them.
    pub fn new() -> (Self, Heard) {
        let (said, heard) = mpsc::unbounded_channel();
        let gateways = Self {
            by_name: DashMap::new(),
            accepted: DashMap::new(),
            refused: DashMap::new(),
            settled: watch::Sender::default(),
            events: Events::default(),
            said,
            served: watch::Sender::new(false),
        };
        (gateways, heard)
    }

    /// A proxy accepted a snapshot. Only the first one to do so is passed on.
    pub fn accept(&self, gateway: &Arc<str>, resource_type: ResourceType, sequence: u64) {
        let mut newest = self
            .accepted
            .entry((gateway.clone(), resource_type))
            .or_default();
        if sequence > *newest {
            let outcome = Outcome {
                resource_type,
                after: None,
                sequence,
                error: None,
            };
            *newest = sequence;
            self.say(gateway, outcome);
        }
    }

    /// A proxy refused a snapshot. Only the first one to do so is passed on: a fleet says the same thing at once.
    pub fn refuse(&self, gateway: &Arc<str>, outcome: Outcome) {
        let key = (gateway.clone(), outcome.resource_type);
        let mut newest = self.refused.entry(key).or_default();
        let sequence = outcome.sequence;
        if sequence > *newest {
            *newest = sequence;
            self.say(gateway, outcome);
        }
    }

    fn say(&self, gateway: &Arc<str>, outcome: Outcome) {
        // It fails when the loop has ended, which is with the process.
        let _ = self.said.send((gateway.clone(), outcome));
    }

    /// Makes a snapshot the newest of its gateway, or lets the gateway's proxies wait again.
    pub fn publish(&self, gateway: &str, snapshot: Newest) {
        let newest = self.by_name.entry(gateway.into());
        newest
            .or_insert_with(|| watch::Sender::new(None))
            .send_replace(snapshot);
        self.forget(gateway);
        let serves = self.by_name.iter().any(|each| each.borrow().is_some());
        self.served
            .send_if_modified(|served| std::mem::replace(served, serves) != serves);
    }

    /// Whether anything is served, at any time.
    pub fn served(&self) -> watch::Receiver<bool> {
        self.served.subscribe()
    }

    /// Forgets a gateway that does not exist and that nobody watches: names that only proxies speak of must not pile up.
    fn forget(&self, gateway: &str) {
        let idle = |newest: &watch::Sender<Newest>| {
            newest.borrow().is_none() && newest.receiver_count() == 0
        };
        let forgotten = self.by_name.remove_if(gateway, |_, newest| idle(newest));
        if forgotten.is_some() {
            for resource_type in ResourceType::ALL {
                let key = (gateway.into(), resource_type);
                self.accepted.remove(&key);
                self.refused.remove(&key);
            }
        }
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

    /// What happens to snapshots and nodes.
    pub fn events(&self) -> &Events {
        &self.events
    }

    /// The newest snapshot of one gateway.
    pub fn find(&self, gateway: &str) -> Newest {
        let newest = self.by_name.get(gateway)?;
        newest.borrow().clone()
    }

    /// Watches a gateway, which need not exist (yet).
    pub fn watch(self: &Arc<Self>, gateway: &str) -> Watch {
        let name: Arc<str> = gateway.into();
        let newest = self
            .by_name
            .entry(name.clone())
            .or_insert_with(|| watch::Sender::new(None));
        Watch {
            newest: newest.subscribe(),
            _leave: Leave {
                gateways: self.clone(),
                gateway: name,
            },
        }
    }

    /// The newest snapshots, in no order.
    pub fn newest(&self) -> Vec<Arc<Snapshot>> {
        self.by_name
            .iter()
            .filter_map(|newest| newest.borrow().clone())
            .collect()
    }
}

/// A watch of one gateway's newest snapshot.
#[derive(Debug)]
pub struct Watch {
    newest: watch::Receiver<Newest>,
    // Dropped after `newest`, which then does not count any more.
    _leave: Leave,
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
    gateway: Arc<str>,
}

impl Drop for Leave {
    fn drop(&mut self) {
        self.gateways.forget(&self.gateway);
    }
}

#[cfg(test)]
mod tests;
