//! What became of a snapshot at a proxy.

use std::sync::Arc;

use super::{ResourceType, Version};

/// What a proxy said of a snapshot's resources of one type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It has accepted what it was sent.
    Accepted(Accepted),
    /// It has refused what it was sent.
    Refused(Refused),
}

/// What a proxy accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    pub resource_type: ResourceType,
    /// The snapshot of which it has all that it wants; nothing when it only says what it came with.
    pub sequence: Option<u64>,
    /// Whether what it wants is all that there is, or, of route tables, all that listeners or scopes name.
    pub whole: bool,
    /// Of which resources it has which content, by name.
    pub has: Vec<(Arc<str>, Version)>,
}

/// What a proxy refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub resource_type: ResourceType,
    /// The newest snapshot that it had accepted before.
    pub after: Option<u64>,
    pub sequence: u64,
    /// The proxy's words.
    pub error: Arc<str>,
    /// Its `node.id`.
    pub node: Arc<str>,
    /// When, in seconds since 1970.
    pub at: u64,
}

impl Accepted {
    /// Nothing of that type yet.
    pub fn nothing(resource_type: ResourceType) -> Self {
        Self {
            resource_type,
            sequence: None,
            whole: false,
            has: Vec::new(),
        }
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.sequence.is_none() && self.has.is_empty()
    }
}
