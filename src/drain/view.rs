//! What is known of the journal while decisions are made: read at most once a second and not once per decision, with what
//! this replica has written since. Whatever rests on it is checked by etcd when it is written; a refusal rests on what was read
//! for it.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as Turn, OwnedMutexGuard};
use tokio::time::Instant;

use super::entry::Entries;
use super::{DrainError, Drainer};
use crate::model::drain::{Drain, Of};
use crate::store::ledger::Claim;

/// How old what was read may be.
const OLD: Duration = Duration::from_secs(1);

/// The journal, as far as it is known.
#[derive(Debug, Clone)]
pub struct View {
    pub entries: Entries,
    /// When reading it began.
    began: Instant,
    /// The revision at which it was read.
    revision: i64,
    /// The revision of what this replica wrote since, about whom.
    written: HashMap<Of, i64>,
}

impl View {
    /// Up to which revision all entries of a service, or of documents' nodes, are known.
    pub fn seen(&self, of: &Of) -> i64 {
        let written = self.written.get(of).copied();
        written.unwrap_or_default().max(self.revision)
    }

    fn handle_written(&mut self, claim: &Claim, drain: &Drain) {
        if claim.revision <= self.revision {
            return;
        }
        self.entries.insert(claim.key.clone(), drain.clone());
        self.written.insert(drain.of.clone(), claim.revision);
    }
}

/// The newest view, and whose turn it is to decide.
#[derive(Debug, Default)]
pub struct Views {
    newest: Mutex<Option<Arc<View>>>,
    reading: Turn<()>,
    turns: Mutex<HashMap<Of, Arc<Turn<()>>>>,
}

impl Views {
    /// Waits for the turns of these: decisions about one do not overtake each other for ever, and those about others do not wait.
    /// Between replicas, etcd sees to it.
    pub async fn turns(&self, all: &BTreeSet<Of>) -> Vec<OwnedMutexGuard<()>> {
        let mut held = Vec::new();
        for one in all {
            let turn = {
                let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
                turns.retain(|of, turn| of == one || Arc::strong_count(turn) > 1);
                turns.entry(one.clone()).or_default().clone()
            };
            held.push(turn.lock_owned().await);
        }
        held
    }

    fn newest(&self, since: Instant) -> Option<Arc<View>> {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        newest.clone().filter(|view| view.began >= since)
    }
}

impl Drainer {
    /// The journal: as it is now, or as it was a moment ago with what was written since.
    pub(super) async fn view(&self, now: bool) -> Result<Arc<View>, DrainError> {
        let called = Instant::now();
        let since = if now {
            called
        } else {
            called.checked_sub(OLD).unwrap_or(called)
        };
        if let Some(view) = self.views.newest(since) {
            return Ok(view);
        }
        let _reading = self.views.reading.lock().await;
        // Somebody else has read it meanwhile.
        if let Some(view) = self.views.newest(since) {
            return Ok(view);
        }
        let began = Instant::now();
        let journal = self.ledger.journal().await?;
        let view = Arc::new(View {
            entries: self.entries(&journal),
            began,
            revision: journal.revision,
            written: HashMap::new(),
        });
        let mut newest = self.newest_view();
        *newest = Some(view.clone());
        Ok(view)
    }

    /// Takes into the view what was written on it.
    pub(super) fn note(&self, claim: &Claim, drain: &Drain) {
        if let Some(view) = &mut *self.newest_view() {
            Arc::make_mut(view).handle_written(claim, drain);
        }
    }

    /// What was read says something else by now.
    pub(super) fn forget_view(&self) {
        *self.newest_view() = None;
    }

    fn newest_view(&self) -> std::sync::MutexGuard<'_, Option<Arc<View>>> {
        let newest = self.views.newest.lock();
        newest.unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
