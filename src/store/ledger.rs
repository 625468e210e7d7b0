//! What draining keeps in etcd besides the drains themselves: a journal of what the registry has been told or is about to be,
//! who works at an entry, and the audit trail. Texts are unread here, as documents are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;

/// The group of an entry's key, `<group>.<rest>`: those of one group are decided on together. All groups begin with this.
pub const GROUP: char = 's';

/// All of the journal at one revision.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Journal {
    pub revision: i64,
    /// The drains' texts, by key: there is one for each instance. The registry has been told of it, or may have been.
    pub entries: BTreeMap<Arc<str>, Bytes>,
    /// The drains that are in force: by id, the revision that wrote each.
    pub in_force: BTreeMap<Arc<str>, i64>,
    /// The keys of the entries that somebody works at.
    pub claimed: BTreeSet<Arc<str>>,
}

/// An entry to be written.
#[derive(Debug)]
pub struct Entry {
    pub key: String,
    pub text: String,
    /// Up to which revision all entries of its group are known.
    pub seen: i64,
}

/// A drain to be put in force.
#[derive(Debug)]
pub struct Enforced<'a> {
    pub claim: &'a Claim,
    pub id: &'a str,
    pub text: String,
}

/// A drain in force that is to last longer.
#[derive(Debug)]
pub struct Prolonged {
    /// Its entry's.
    pub key: String,
    pub id: String,
    /// The revision that wrote its document, as it was read.
    pub seen: i64,
    pub text: String,
}

/// The right to work at an entry, for a quarter of a minute at most.
#[derive(Debug)]
pub struct Claim {
    pub key: Arc<str>,
    /// The lease that it ends with.
    pub lease: i64,
    /// The revision that wrote it.
    pub revision: i64,
}

/// Why etcd could not be asked or told, in words.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Away(pub String);
