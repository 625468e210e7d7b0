//! Documents that stay though the store does not name them any more: its revision went back, and far fewer are there. It was
//! wiped, or restored from a copy that is no good, more likely than that somebody deleted them. Pure.
//!
//! What the store does say is gone by: a document that it has, or writes, or deletes, is missing no longer. The rest is
//! settled by an operator.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::Document;

/// The documents that are missing.
#[derive(Debug, Default)]
pub struct Missing {
    paths: BTreeSet<Arc<str>>,
    /// The revision of the store that had them; 0 where none is missing.
    revision: i64,
    /// Whether the next listing is to be believed, whatever it is.
    believes: bool,
}

/// What a listing says of the documents that were known.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Those that are gone.
    pub gone: Vec<Arc<str>>,
    /// Whether it took away so much that the rest of what it does not name stays.
    pub begins: bool,
}

impl Missing {
    /// The first listing is believed where `believes`.
    pub fn new(believes: bool) -> Self {
        Self {
            believes,
            ..Self::default()
        }
    }

    pub fn paths(&self) -> &BTreeSet<Arc<str>> {
        &self.paths
    }

    /// The revision that is to be saved with the documents, as long as some are missing: a listing after a restart is
    /// compared with that.
    pub fn revision(&self) -> Option<i64> {
        (!self.paths.is_empty()).then_some(self.revision)
    }

    /// The store has listed what there is; `known` are the documents until now, which were there at revision `before`.
    pub fn handle_listed<'a>(
        &mut self,
        known: impl Iterator<Item = &'a Arc<str>>,
        before: i64,
        listed: &[Document],
        revision: i64,
    ) -> Outcome {
        let listed: BTreeSet<_> = listed.iter().map(|document| &document.path).collect();
        let (there, absent): (Vec<_>, Vec<_>) = known.partition(|path| listed.contains(path));
        let is_believed = std::mem::take(&mut self.believes);
        let went_back = revision < before && absent.len() > there.len();
        let begins = went_back && !is_believed;
        if begins {
            self.revision = self.revision.max(before);
        }
        let stays = |path: &&Arc<str>| !is_believed && (begins || self.paths.contains(*path));
        let (missing, gone): (Vec<_>, Vec<_>) = absent.into_iter().partition(stays);
        self.paths = missing.into_iter().cloned().collect();
        Outcome {
            gone: gone.into_iter().cloned().collect(),
            begins,
        }
    }

    /// The store has said something of a document. Tells whether it was the last that was missing.
    pub fn handle_named(&mut self, path: &str) -> bool {
        self.paths.remove(path) && self.paths.is_empty()
    }

    /// All are given up.
    pub fn take(&mut self) -> BTreeSet<Arc<str>> {
        std::mem::take(&mut self.paths)
    }
}

#[cfg(test)]
mod tests;
