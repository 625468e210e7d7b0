//! Entries of the journal, read.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, PoisonError};

use xxhash_rust::xxh3::xxh3_64;

use super::{DrainError, Drainer};
use crate::model::drain::{Drain, Identity, Of, Unread};
use crate::store::ledger::{GROUP, Journal};

/// The drains that the journal speaks of, in force or not.
#[derive(Debug, Clone, Default)]
pub struct Entries {
    /// Each with its key.
    drains: Vec<(Arc<str>, Arc<Drain>)>,
    /// By key, why an entry is not gone by.
    unread: Arc<BTreeMap<Arc<str>, Unread>>,
}

impl Entries {
    pub fn read(journal: &Journal) -> Self {
        let (mut drains, mut unread) = (Vec::new(), BTreeMap::new());
        for (key, text) in &journal.entries {
            match Drain::read(text) {
                Ok(drain) => drains.push((key.clone(), Arc::new(drain))),
                Err(fault) => drop(unread.insert(key.clone(), fault)),
            }
        }
        let unread = Arc::new(unread);
        Self { drains, unread }
    }

    /// An entry that was written since.
    pub fn insert(&mut self, key: Arc<str>, drain: Drain) {
        self.drains.retain(|(other, _)| *other != key);
        self.drains.push((key, Arc::new(drain)));
    }

    /// Those that cannot be read: their keys, and why.
    pub fn unread(&self) -> impl Iterator<Item = (&Arc<str>, &Unread)> {
        self.unread.iter()
    }

    /// That there is nothing in the journal that only a newer Chancery understands. A decision without it could take out the
    /// last instance of a service. What nobody understands was not written by Chancery, and is passed over.
    pub fn are_understood(&self) -> Result<(), DrainError> {
        let newer = |(key, unread): (&Arc<str>, &Unread)| match unread {
            Unread::Newer(_) => Some(format!("{key}: {unread}")),
            Unread::Bad(_) => None,
        };
        match self.unread().find_map(newer) {
            None => Ok(()),
            Some(entry) => Err(DrainError::Unavailable(format!(
                "the drains' journal has what this replica does not understand ({entry}): \
                 upgrade it, or ask one that is newer"
            ))),
        }
    }

    pub fn drains(&self) -> impl Iterator<Item = &Drain> {
        self.keyed().map(|(_, drain)| drain)
    }

    /// The drains with the keys of their entries.
    pub fn keyed(&self) -> impl Iterator<Item = (&str, &Drain)> {
        self.drains.iter().map(|(key, drain)| (&**key, &**drain))
    }

    pub fn find(&self, id: &str) -> Option<(&str, &Drain)> {
        self.keyed().find(|(_, drain)| *drain.id == *id)
    }

    /// The instances of a service, or the nodes of documents, that are, or are about to be, taken out.
    pub fn taken(&self, of: &Of) -> HashSet<Identity<'_>> {
        let theirs = self.drains().filter(|drain| drain.of == *of);
        theirs.map(Drain::identity).collect()
    }
}

impl Drainer {
    /// Reads the journal, and says once of each entry that cannot be read.
    pub(super) fn entries(&self, journal: &Journal) -> Entries {
        let entries = Entries::read(journal);
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.retain(|key| entries.unread.contains_key(key));
        for (key, reason) in entries.unread() {
            if said.insert(key.clone()) {
                tracing::warn!(%key, %reason, "an entry of the drains' journal is passed over");
            }
        }
        entries
    }
}

/// The key of an instance's entry: there is one for each instance, in the group of its service. Older entries have a key
/// without a group.
pub fn key(drain: &Drain) -> String {
    let (id, address, port) = drain.identity();
    let of = drain.of.to_string();
    let instance = format!("{of} {id} {address} {port}");
    let digest = |text: &str| xxh3_64(text.as_bytes());
    format!("{GROUP}{:016x}.{:016x}", digest(&of), digest(&instance))
}

/// A drain as the journal and its document have it.
pub fn text(drain: &Drain) -> Result<String, DrainError> {
    drain
        .text()
        .map_err(|error| DrainError::Unavailable(error.to_string()))
}

#[cfg(test)]
mod tests;
