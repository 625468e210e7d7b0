//! The newest snapshot of every gateway, for streams to watch.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use dashmap::DashMap;
use tokio::sync::watch;

use crate::snapshot::Snapshot;

/// The newest snapshot of one gateway; nothing as long as it is not known.
pub type Newest = Option<Arc<Snapshot>>;

/// The newest snapshot of every gateway. One writer, the control loop; as many readers as there are streams.
#[derive(Debug, Default)]
pub struct Gateways {
    by_name: DashMap<Arc<str>, watch::Sender<Newest>>,
    revision: AtomicI64,
}

impl Gateways {
    /// Makes a snapshot the newest of its gateway, or lets the gateway's proxies wait again.
    pub fn publish(&self, gateway: &str, snapshot: Newest) {
        let newest = self.by_name.entry(gateway.into());
        newest
            .or_insert_with(|| watch::Sender::new(None))
            .send_replace(snapshot);
    }

    /// The store's revision is included up to here: what it changed is published, if it changed anything.
    pub fn settle(&self, revision: i64) {
        self.revision.store(revision, Ordering::Release);
    }

    /// The store's revision up to which everything is published; 0 before the first publication.
    pub fn revision(&self) -> i64 {
        self.revision.load(Ordering::Acquire)
    }

    /// Watches a gateway, which need not exist (yet).
    pub fn watch(&self, gateway: &str) -> watch::Receiver<Newest> {
        // Names that only proxies speak of must not pile up.
        self.by_name
            .retain(|_, newest| newest.borrow().is_some() || newest.receiver_count() > 0);
        let newest = self.by_name.entry(gateway.into());
        newest
            .or_insert_with(|| watch::Sender::new(None))
            .subscribe()
    }

    /// The newest snapshots, in no order.
    pub fn newest(&self) -> Vec<Arc<Snapshot>> {
        self.by_name
            .iter()
            .filter_map(|newest| newest.borrow().clone())
            .collect()
    }
}
