//! Who is let in: how many connections, how many streams, how fast new ones come, and which client as which gateway.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::connections::{Activity, Full, Room, Rooms};

use super::ending::Ending;
use super::limits::{Bucket, Limits};
use super::refusal::NotAdmitted;
use super::{requests, unheard};

/// Refusals logged a second; more are only counted, so that nobody fills a disk.
const WARNINGS: u32 = 10;
/// Nodes that are logged a second when they come or go, five seconds' worth at once; more are only counted.
const NAMED: u32 = 20;

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Default)]
pub struct Peer {
    /// Where it connects from.
    pub address: Option<SocketAddr>,
    /// The names in its certificate, which is verified; nothing when none was asked for.
    pub names: Option<Arc<[String]>>,
    /// Whether it came when too many did: it is admitted once there is room.
    pub surplus: Arc<AtomicBool>,
    /// Why its streams end, once they are to.
    pub ending: Ending,
    /// Its streams.
    pub activity: Arc<Activity>,
}

impl Peer {
    /// Its names, for a log line.
    pub fn shown(&self) -> String {
        match self.names.as_deref() {
            None => "without a certificate".into(),
            Some([]) => "whose certificate has no DNS name and no URI".into(),
            Some(names) => names.join(", "),
        }
    }
}

/// Which clients may act as which gateways, by a name in their certificates. Without a rule, any client as any gateway.
#[derive(Debug, Clone, Default)]
pub struct Clients(pub BTreeMap<String, Vec<String>>);

impl Clients {
    /// The gateways that a peer may act as; nothing for all of them.
    pub fn gateways(&self, peer: &Peer) -> Option<BTreeSet<&str>> {
        if self.0.is_empty() {
            return None;
        }
        let names = peer.names.iter().flat_map(|names| names.iter());
        let rules = names.filter_map(|name| self.0.get(name));
        Some(rules.flatten().map(String::as_str).collect())
    }

    /// Whether a peer may act as a gateway.
    pub fn check(&self, peer: &Peer, gateway: &str) -> Result<(), NotAdmitted> {
        let Some(allowed) = self.gateways(peer).filter(|all| !all.contains(gateway)) else {
            return Ok(());
        };
        let names: Vec<_> = allowed.into_iter().collect();
        Err(NotAdmitted::NotAllowed {
            client: peer.shown(),
            gateway: gateway.to_owned(),
            allowed: if names.is_empty() {
                "none".into()
            } else {
                names.join(", ")
            },
        })
    }
}

/// What is left of what clients may use together.
#[derive(Debug)]
pub struct Admission {
    limits: Limits,
    connections: Arc<Rooms>,
    streams: Arc<Semaphore>,
    /// For large requests that are being read.
    pub requests: Arc<requests::Room>,
    /// Which services that nobody serves were named in the log.
    pub said: unheard::Said,
    arrivals: Mutex<Bucket>,
    warnings: Mutex<Bucket>,
    named: Mutex<Bucket>,
    unsaid: Mutex<Unsaid>,
}

/// How much was not logged one by one.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Unsaid {
    /// Nodes that connected.
    pub connected: u64,
    /// Nodes that disconnected.
    pub disconnected: u64,
    /// Clients that were refused.
    pub refused: u64,
}

impl Admission {
    pub fn new(limits: Limits) -> Self {
        let now = Instant::now();
        Self {
            connections: Arc::new(Rooms::new(limits.streams, limits.per_address())),
            streams: Arc::new(Semaphore::new(limits.streams)),
            requests: Arc::new(requests::Room::new(
                limits.requests_bytes,
                limits.request_bytes,
            )),
            said: unheard::Said::default(),
            arrivals: Mutex::new(Bucket::new(limits.connection_rate, 1, now)),
            warnings: Mutex::new(Bucket::new(WARNINGS, 1, now)),
            named: Mutex::new(Bucket::new(NAMED, 5, now)),
            unsaid: Mutex::default(),
            limits,
        }
    }

    /// Room for a connection from that address, given back when dropped.
    pub fn connection(&self, address: IpAddr) -> Result<Room, NotAdmitted> {
        self.connections.take(address).map_err(|full| match full {
            Full::All(most) => NotAdmitted::Connections(most),
            Full::Address(most, address) => NotAdmitted::Address(most, address),
        })
    }

    /// Whether a connection that comes now is within the rate.
    pub fn arrive(&self) -> Result<(), NotAdmitted> {
        if take(&self.arrivals) {
            Ok(())
        } else {
            Err(NotAdmitted::ConnectionRate(self.limits.connection_rate))
        }
    }

    /// Room for a stream of that peer, given back when dropped.
    pub fn stream(&self, peer: &Peer) -> Result<OwnedSemaphorePermit, NotAdmitted> {
        if peer.surplus.load(Ordering::Relaxed) {
            self.arrive()?;
            peer.surplus.store(false, Ordering::Relaxed);
        }
        let permit = self.streams.clone().try_acquire_owned();
        permit.map_err(|_| NotAdmitted::Streams(self.limits.streams))
    }

    /// Whether one more refusal may be logged now.
    pub fn may_warn(&self) -> bool {
        take(&self.warnings) || self.unsaid(|unsaid| unsaid.refused += 1)
    }

    /// Whether one more node may be logged as connected now.
    pub fn may_tell_connected(&self) -> bool {
        take(&self.named) || self.unsaid(|unsaid| unsaid.connected += 1)
    }

    /// Whether one more node may be logged as disconnected now.
    pub fn may_tell_disconnected(&self) -> bool {
        take(&self.named) || self.unsaid(|unsaid| unsaid.disconnected += 1)
    }

    /// How much was not logged since this was asked last, if anything.
    pub fn take_unsaid(&self) -> Option<Unsaid> {
        let mut unsaid = self.unsaid.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = std::mem::take(&mut *unsaid);
        (taken != Unsaid::default()).then_some(taken)
    }

    fn unsaid(&self, count: impl FnOnce(&mut Unsaid)) -> bool {
        count(&mut self.unsaid.lock().unwrap_or_else(PoisonError::into_inner));
        false
    }
}

fn take(bucket: &Mutex<Bucket>) -> bool {
    // A bucket is whole at any time: a panic elsewhere has not left it half-changed.
    bucket
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take(Instant::now())
}

#[cfg(test)]
mod tests;
