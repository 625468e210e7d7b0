//! What became of a snapshot at a proxy.

use std::sync::Arc;

use super::ResourceType;

/// What proxies said of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub resource_type: ResourceType,
    /// The newest snapshot that the proxy had accepted before.
    pub after: Option<u64>,
    /// The snapshot that it accepted or refused.
    pub sequence: u64,
    /// Why it was refused, if it was.
    pub error: Option<Arc<str>>,
}
