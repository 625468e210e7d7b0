//! Reading and writing documents on request, as of this moment, rather than being told of them. Texts are unread here too.

use std::sync::Arc;

use bytes::Bytes;

pub use super::ledger::Away;

/// A document, and the revisions that made it and wrote it last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// `<kind>/<id>`
    pub path: Arc<str>,
    pub text: Bytes,
    pub created: i64,
    pub modified: i64,
}

/// What was asked for and is there, at one revision.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    pub revision: i64,
    /// In the order of their paths.
    pub documents: Vec<Held>,
}

impl Reading {
    pub fn find(&self, path: &str) -> Option<&Held> {
        self.documents.iter().find(|held| &*held.path == path)
    }
}

/// What a change rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// The document is as this revision wrote it; as 0 did, it is not there.
    Written(Arc<str>, i64),
    /// The document is there.
    Exists(Arc<str>),
    /// No document below the folder, `routes/`, was written after the revision.
    Unchanged(&'static str, i64),
}

/// One change of one document, or of all below a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    Put {
        path: Arc<str>,
        text: String,
        /// After so many seconds it is gone by itself.
        ttl: Option<u32>,
    },
    Delete(Arc<str>),
    DeleteAll(Arc<str>),
}

/// Changes that are made all or none, and only if all of what they rest on is so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transaction {
    pub conditions: Vec<Condition>,
    pub edits: Vec<Edit>,
    /// What is kept of the changes.
    pub records: Vec<Record>,
}

/// How many changes of a document are kept.
pub const KEPT: usize = 100;
/// How much of what was written after a revision is read: changes to go back to it are one transaction.
pub const SINCE: i64 = 5_000;

/// What is kept of the change of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub path: Arc<str>,
    /// The change is not older than this revision, and younger than all others of the document that are recorded.
    pub since: i64,
    pub text: String,
}

/// What was kept of the change of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    pub path: Arc<str>,
    /// The revision that wrote the record: of changes that were made beside the Admin API it came later than the change.
    pub revision: i64,
    pub text: Bytes,
}

/// What a document was at a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Former {
    Held(Held),
    Absent,
    /// The store does not have that any more.
    Compacted,
}

/// What was written after a revision.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Since {
    /// At which it was read.
    pub revision: i64,
    pub documents: Vec<Held>,
    /// Oldest first.
    pub records: Vec<Recorded>,
}

/// What has no record of what was changed after a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missed {
    /// Oldest first, each [`Noticed::Unrecorded`].
    Changes {
        changes: Vec<Noticed>,
        /// Up to which revision these are all; nothing where there are no more.
        reached: Option<i64>,
    },
    /// The store does not have that any more.
    Compacted,
}

/// What a watch sees of changes, besides the changes themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Noticed {
    /// All documents were read anew: of what was changed before, nothing may have been seen.
    Listed,
    /// A change has a record.
    Recorded(Arc<str>),
    /// One has none.
    Unrecorded {
        path: Arc<str>,
        revision: i64,
        /// Whether it made the document.
        is_new: bool,
        deleted: bool,
    },
}
