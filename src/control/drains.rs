//! Between the loop and drains: which instances are taken out.

use std::collections::BTreeSet;
use std::time::{Duration, UNIX_EPOCH};

use tracing::{info, warn};

use super::Control;
use crate::model::document::Change;
use crate::model::drain::Drain;
use crate::model::{Document, Drains};

impl Control {
    /// Takes the drains out of a listing, and leaves the rest.
    pub(super) fn list_drains(&mut self, documents: Vec<Document>) -> Vec<Document> {
        let is_drain = |document: &Document| Drains::has_path(&document.path);
        let (drains, documents) = documents.into_iter().partition(is_drain);
        let faults = self.drains.faults();
        let said: BTreeSet<_> = faults.map(|(path, at, _)| (path.clone(), at)).collect();
        let touched = self.drains.list(drains);
        for (path, at, reason) in self.drains.faults() {
            if !said.contains(&(path.clone(), at)) {
                tell(path, reason);
            }
        }
        self.builders.handle_drained(&touched);
        self.count_drains();
        documents
    }

    fn count_drains(&self) {
        let count = i64::try_from(self.drains.in_force().count());
        self.metrics.drains.set(count.unwrap_or(i64::MAX));
        let first = self.drains.in_force().filter_map(end).min();
        self.metrics.drain_end.set(first.unwrap_or(0));
    }

    /// Takes a change of a document, or of a drain.
    pub(super) fn apply(&mut self, change: Change) {
        let path = change.path();
        if Drains::has_path(path) {
            let path = path.clone();
            let touched = self.drains.apply(change);
            if let Some(reason) = self.drains.fault(&path) {
                tell(&path, reason);
            }
            self.builders.handle_drained(&touched);
            self.count_drains();
        } else {
            if self.missing.handle_named(path) {
                info!("the store names every document again that it had lost");
            }
            self.documents.apply(change);
            self.count_missing();
        }
    }
}

/// When a drain ends by itself, in seconds since 1970.
fn end(drain: &Drain) -> Option<i64> {
    let created = humantime::parse_rfc3339(&drain.created).ok()?;
    let end = created + Duration::from_secs(drain.ttl.into());
    let seconds = end.duration_since(UNIX_EPOCH).ok()?.as_secs();
    seconds.try_into().ok()
}

/// Said once of each text. Whether the drain is confirmed tells whoever asked for it.
fn tell(path: &str, reason: &str) {
    warn!(
        document = path,
        reason, "a drain cannot be read: its last good form stays, if there was one"
    );
}
