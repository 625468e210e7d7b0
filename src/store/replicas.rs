//! What the replicas of Chancery say of themselves to each other, through the store. Unread here, as documents are.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::watch;

/// This process among the replicas.
#[derive(Debug)]
pub struct Membership {
    /// What it is called, unless another live replica is called the same.
    pub id: Arc<str>,
    /// What it says of itself; written whenever it changes.
    pub own: watch::Receiver<Bytes>,
    pub records: watch::Sender<Records>,
}

/// What all live replicas say of themselves.
#[derive(Debug, Clone, Default)]
pub struct Records {
    /// Whether this is how it stands: not before the first listing, nor while the store is away.
    pub current: bool,
    /// What this process is called.
    pub own: Arc<str>,
    pub by_id: BTreeMap<Arc<str>, Record>,
}

/// What one replica says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its words.
    pub value: Bytes,
    /// The lease that they end with.
    pub lease: i64,
    /// The revision that wrote them.
    pub revision: i64,
}
