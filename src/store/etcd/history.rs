//! What was seen of etcd, and whether the etcd that answers now is one that it can be gone on with. No I/O.
//!
//! An etcd that was wiped and filled again can be the same cluster by id, and further on by revision. So that a watch
//! does not go on in another history, a witness is asked for: a document must still be at the last revision seen what it was.

use super::connection::Found;
use crate::model::Document;
use crate::model::document::Change;
use crate::store::Event;

/// What was seen and told of one cluster.
#[derive(Debug)]
pub(super) struct History {
    /// All up to this revision has been told.
    pub(super) revision: i64,
    cluster: u64,
    term: u64,
    witness: Option<Document>,
}

impl History {
    /// Begins with a listing at a revision, with one of the documents in it.
    pub(super) fn new(listed: &Found, revision: i64, witness: Option<&Document>) -> Self {
        Self {
            revision,
            cluster: listed.cluster,
            term: listed.term,
            witness: witness.cloned(),
        }
    }

    /// The document that is to be compared.
    pub(super) fn witness(&self) -> Option<&Document> {
        self.witness.as_ref()
    }

    pub(super) fn told(&mut self, event: &Event) {
        match event {
            Event::Changed {
                revision, changes, ..
            } => {
                self.revision = *revision;
                changes.iter().for_each(|change| self.changed(change));
            }
            Event::Progress { revision } => self.revision = *revision,
            Event::Listed { .. } | Event::PriorRevision { .. } => {}
        }
    }

    fn changed(&mut self, change: &Change) {
        match change {
            Change::Put(document) => self.witness = Some(document.clone()),
            Change::Deleted { path } => {
                if self.witness.as_ref().is_some_and(|it| it.path == *path) {
                    self.witness = None;
                }
            }
        }
    }

    /// Whether the etcd that found this, where the witness was at the last revision seen, has the history that was seen.
    /// Otherwise what tells them apart.
    pub(super) fn goes_on(&mut self, found: &Found) -> Result<(), &'static str> {
        if found.cluster != self.cluster {
            return Err("it is another cluster");
        }
        if found.revision < self.revision {
            return Err("its revision went back");
        }
        if found.term < self.term {
            return Err("its raft term went back");
        }
        if let Some(witness) = &self.witness {
            let same = found.values.iter().any(|value| {
                value.mod_revision == witness.revision && value.value == *witness.value
            });
            if !same {
                return Err("a document is not what it was: etcd has been restored or filled anew");
            }
        }
        self.term = found.term;
        Ok(())
    }
}
