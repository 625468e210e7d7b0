//! What a client is to be sent and told is gone; not how it is encoded.

use std::sync::Arc;

use crate::snapshot::{Resource, Set};

/// Resources that go to the client next.
#[derive(Debug, Default)]
pub struct Diff {
    /// To be sent, each name once.
    pub send: Vec<(Arc<str>, Arc<Resource>)>,
    /// To be reported as gone or not there.
    pub remove: Vec<Arc<str>>,
    /// Whether some of `send` come from another snapshot.
    pub borrows: bool,
}

impl Diff {
    pub fn is_empty(&self) -> bool {
        self.send.is_empty() && self.remove.is_empty()
    }

    /// Whether all of a set is sent, and nothing else.
    pub fn sends_all(&self, set: &Set) -> bool {
        self.send.len() == set.len() && !self.borrows
    }
}
