//! Where documents live. A store lists what there is and then tells what changes, in the order of its revisions.
//!
//! A store never reads a document: bytes go out as they came in. It never says "empty" because it failed: only a
//! listing that the server answered in full, or a file that is gone, removes a document.

pub mod etcd;
pub mod file;
mod kinds;
pub mod ledger;
pub mod replicas;
pub mod writer;

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

pub use etcd::{Ledger, Writer};

use crate::model::Document;
use crate::model::document::Change;
use crate::telemetry::traces::Traced;
pub use kinds::Store;
use ledger::Journal;
use writer::Noticed;

/// Whom a store tells what it sees besides documents.
#[derive(Debug)]
pub struct Told {
    /// What draining has written down.
    pub journal: watch::Sender<Journal>,
    /// What is to be recorded of changes.
    pub noticed: mpsc::Sender<Noticed>,
    /// Whether traces are made of changes.
    pub traces: bool,
}

/// What a store tells the control loop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// All there is at `revision`: a document that is not in it does not exist. The first event, and again whenever the
    /// watch could not be resumed (compaction, another cluster, a revision that went back).
    Listed {
        /// The revision at which the listing was made.
        revision: i64,
        /// Every document, each path once.
        documents: Vec<Document>,
    },
    /// Changes that belong together; never half of one revision.
    Changed {
        /// The revision that the store has reached with them.
        revision: i64,
        /// In order; the last one of a path wins.
        changes: Vec<Change>,
        /// Which of the store's revisions made them, where traces are made.
        traced: Vec<Traced>,
    },
    /// Nothing changed up to this revision.
    Progress { revision: i64 },
    /// The answer to [`PriorRevision`].
    PriorRevision {
        path: Arc<str>,
        /// The form before, or nothing where the store does not have it (any more).
        document: Option<Document>,
    },
}

/// A wish for the form that a document had before `revision`: its last good form may be there after a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriorRevision {
    pub path: Arc<str>,
    /// The revision of the form that is of no use.
    pub revision: i64,
}
