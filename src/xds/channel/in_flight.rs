//! The one response that is on its way; not what it is made of.

use std::sync::Arc;
use std::time::Instant;

use crate::snapshot::{Snapshot, Version};

/// A response that the client has not answered yet.
#[derive(Debug)]
pub struct InFlight {
    /// The snapshot that it brings the client to.
    pub snapshot: Arc<Snapshot>,
    /// The version that it carries.
    pub version: Version,
    /// When it was handed out.
    pub since: Instant,
    /// Whether the client takes so long that nothing waits for its answer any more.
    pub overdue: bool,
    /// Whether it is the state of the world, so that the client has nothing else once it accepts.
    pub whole: bool,
    /// The names that it brings for the first time or with a change; nothing when those are all of the snapshot.
    pub brings: Option<Vec<Arc<str>>>,
    /// The names that it takes away.
    pub removes: Vec<Arc<str>>,
}
