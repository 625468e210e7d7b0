//! What the metadata of a plugin says, as a value.

use std::collections::BTreeMap;

/// The one field that the metadata of each plugin has here, once that plugin has checked it.
#[derive(Debug, Clone, Default)]
pub struct Metadata {
    pub fields: BTreeMap<String, String>,
    /// Bytes of its document, which each plugin that goes by it has as well.
    pub bytes: usize,
}
