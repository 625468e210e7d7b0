//! Entries of the journal, read. Pure.

use std::collections::HashSet;

use xxhash_rust::xxh3::xxh3_64;

use super::Refusal;
use crate::model::ServiceKey;
use crate::model::drain::{Drain, Identity};
use crate::store::ledger::Journal;

/// The drains that the journal speaks of, in force or not.
#[derive(Debug, Default)]
pub struct Entries(Vec<Drain>);

impl Entries {
    /// Reads the journal. What is no drain was not written by Chancery, and is passed over with a word in the log.
    pub fn read(journal: &Journal) -> Self {
        let drains = journal.entries.iter().filter_map(|entry| {
            let drain = serde_json::from_slice(&entry.text);
            drain
                .inspect_err(|error| {
                    tracing::warn!(key = %entry.key, %error, "an entry of the drains' journal cannot be read");
                })
                .ok()
        });
        Self(drains.collect())
    }

    /// All of them.
    pub fn drains(&self) -> impl Iterator<Item = &Drain> {
        self.0.iter()
    }

    /// The one of that id.
    pub fn find(&self, id: &str) -> Option<&Drain> {
        self.drains().find(|drain| *drain.id == *id)
    }

    /// The instances of a service that are, or are about to be, taken out.
    pub fn taken(&self, service: &ServiceKey) -> HashSet<Identity<'_>> {
        let of_service = self.drains().filter(|drain| drain.service == *service);
        of_service.map(Drain::identity).collect()
    }
}

/// The key of an instance's entry: there is one for each instance.
pub fn key(drain: &Drain) -> String {
    let (id, address, port) = drain.identity();
    let instance = format!("{} {id} {address} {port}", drain.service);
    format!("{:016x}", xxh3_64(instance.as_bytes()))
}

/// A drain as the journal and its document have it.
pub fn text(drain: &Drain) -> Result<String, Refusal> {
    serde_json::to_string(drain).map_err(|error| Refusal::Unavailable(error.to_string()))
}
