//! What happens to snapshots and nodes, for whoever watches. Nobody waits for a watcher: a slow one misses events.

use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::broadcast;

use crate::snapshot::{Snapshot, Tallies, Version};

use super::nodes::Identity;
use super::stream::Acknowledgement;

/// How many events a watcher may be late.
const LATE: usize = 1024;

#[derive(Debug, Clone)]
pub struct Event {
    pub at: SystemTime,
    pub what: What,
}

#[derive(Debug, Clone)]
pub enum What {
    Published {
        gateway: Arc<str>,
        /// The version of all its content.
        version: Version,
        /// The store's revision that it includes.
        revision: i64,
        /// What changed in it.
        tallies: Tallies,
    },
    /// The store wrote or deleted documents.
    Written {
        revision: i64,
        paths: Arc<[Arc<str>]>,
    },
    /// A node accepted or refused a response.
    Answered {
        /// The node's id.
        node: Arc<str>,
        gateway: Arc<str>,
        answer: Arc<Acknowledgement>,
    },
}

/// Passes events on.
#[derive(Debug)]
pub struct Events(broadcast::Sender<Event>);

impl Default for Events {
    fn default() -> Self {
        Self(broadcast::Sender::new(LATE))
    }
}

impl Events {
    pub fn published(&self, snapshot: &Snapshot, tallies: &Tallies) {
        self.tell(|| What::Published {
            gateway: snapshot.gateway.clone(),
            version: snapshot.version(),
            revision: snapshot.revision,
            tallies: *tallies,
        });
    }

    pub fn written(&self, revision: i64, paths: impl Iterator<Item = Arc<str>>) {
        self.tell(|| What::Written {
            revision,
            paths: paths.collect(),
        });
    }

    pub fn answered(&self, node: &Identity, answer: Acknowledgement) {
        self.tell(|| What::Answered {
            node: node.id.clone(),
            gateway: node.gateway.clone(),
            answer: answer.into(),
        });
    }

    /// All events from now on.
    pub fn watch(&self) -> broadcast::Receiver<Event> {
        self.0.subscribe()
    }

    fn tell(&self, what: impl FnOnce() -> What) {
        if self.0.receiver_count() > 0 {
            let at = SystemTime::now();
            // It fails when the last watcher has just gone.
            let _ = self.0.send(Event { at, what: what() });
        }
    }
}
