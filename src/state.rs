//! The last good state on disk, so that a start while etcd or Consul is away serves what was known before.
//!
//! One file: what the loop was told ([`Saved`]), and where that came from ([`Origin`]), so that a state of another etcd is
//! never served. Must not decide when a state is served: that is the loop's. Nothing here is fatal: a file that is of no
//! use is set aside and said, and a start goes on without it.

mod codec;
mod file;
mod keeper;
mod origin;

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use crate::build::Acceptance;
use crate::model::{Document, Provider, SecretName};
use crate::registry::Answer;

pub use file::load;
pub use keeper::{SaveRequest, keep};
pub use origin::{Origin, Place};

/// Everything that the loop was told, and when it was so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// The store's revision that the documents are of; 0 when the store counts anew in each process, as files do.
    pub revision: i64,
    /// When the store was last known to hold these documents, to the second.
    pub as_of: SystemTime,
    pub documents: Vec<Kept>,
    /// The newest answer for every service.
    pub answers: Vec<Answered>,
    /// What the proxies had accepted of what they were served.
    pub acceptances: Vec<Acceptance>,
    /// What secret managers had answered; without the answers.
    pub secrets: BTreeSet<SecretName>,
    /// What identity providers had said.
    pub providers: BTreeMap<Provider, String>,
}

/// One document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its newest text.
    pub document: Document,
    /// Its last good text, when the newest one is bad and there was a good one.
    pub good: Option<Document>,
}

/// One service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    pub answer: Answer,
    /// When the registry was last known to answer so, to the second.
    pub as_of: SystemTime,
}

#[cfg(test)]
mod tests;
