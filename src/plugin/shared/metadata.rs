//! What the metadata of a plugin says, as a value.

use std::collections::BTreeMap;

use crate::model::log_format::Fields;

/// The fields that the metadata of plugins has here, once the plugin has checked its own.
#[derive(Debug, Clone, Default)]
pub struct Metadata {
    /// Of `cors`: origins by the names that routes have for them.
    pub origins: BTreeMap<String, String>,
    /// Of loggers: the fields of a line or an entry.
    pub format: Fields,
    /// Of loggers over the network: how many entries may wait.
    pub pending: Option<u32>,
    /// Of `limit-count`: what the headers are called that tell of a limit, where they are not called as always.
    pub quota: Quota,
    /// Bytes of its document, which each plugin that goes by it has as well.
    pub bytes: usize,
}

/// Names of headers: of the limit, of what is left of it, and of when all of it is back.
pub type Quota = [Option<String>; 3];
