//! The journal of drains as the documents' own watch tells it: what is to be undone is known without being asked for.

use etcd_client::proto::{PbEvent, PbKeyValue};
use tokio::sync::watch;

use super::keys::{DELETE, Keys, Part};
use crate::store::ledger::Journal;

/// Keeps the journal as the watch tells it.
pub(super) struct Mirror(watch::Sender<Journal>);

impl Mirror {
    pub(super) fn new(journal: watch::Sender<Journal>) -> Self {
        Self(journal)
    }

    /// This is all there is.
    pub(super) fn list(&self, journal: Journal) {
        self.0.send_replace(journal);
    }

    /// Takes what events say of it.
    pub(super) fn handle_events(&self, keys: &Keys, events: &[PbEvent]) {
        let of_journal = events.iter().filter_map(|event| {
            let found = event.kv.as_ref()?;
            Some((event.r#type, keys.part(&found.key)?, found))
        });
        let mut parts = of_journal.peekable();
        if parts.peek().is_none() {
            return;
        }
        self.0.send_modify(|journal| {
            for (what, part, found) in parts {
                journal.revision = journal.revision.max(found.mod_revision);
                if what == DELETE {
                    remove(journal, part);
                } else {
                    put(journal, part, &found.value, found.mod_revision);
                }
            }
        });
    }
}

/// Takes what a listing found into the journal, if it is of it.
pub(super) fn take(journal: &mut Journal, keys: &Keys, found: &PbKeyValue) {
    if let Some(part) = keys.part(&found.key) {
        put(journal, part, &found.value, found.mod_revision);
    }
}

/// A part of the journal is there.
pub(super) fn put(journal: &mut Journal, part: Part, value: &[u8], revision: i64) {
    match part {
        Part::Entry(key) => drop(journal.entries.insert(key.into(), value.to_vec().into())),
        Part::Claim(key) => drop(journal.claimed.insert(key.into())),
        Part::Document(id) => drop(journal.in_force.insert(id.into(), revision)),
    }
}

fn remove(journal: &mut Journal, part: Part) {
    match part {
        Part::Entry(key) => drop(journal.entries.remove(key)),
        Part::Claim(key) => drop(journal.claimed.remove(key)),
        Part::Document(id) => drop(journal.in_force.remove(id)),
    }
}
