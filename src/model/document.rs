//! A document as it lies in a store, unread, and what becomes of it.

use std::sync::Arc;

use bytes::Bytes;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JSON, always so in etcd.
    Json,
    /// YAML, as files may be.
    Yaml,
}

/// One document as it lies in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// `<kind>/<id>`: the key below the prefix, or the file below the folder without its extension.
    pub path: Arc<str>,
    /// What a person would look for: the whole etcd key, or the file's name.
    pub source: Arc<str>,
    pub format: Format,
    /// The text, unread.
    pub value: Bytes,
    /// The revision that wrote it: etcd's `mod_revision`, or a count of this process for files.
    pub revision: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Written, for the first time or anew.
    Put(Document),
    Deleted {
        path: Arc<str>,
    },
}

impl Change {
    /// Of which document it is.
    pub fn path(&self) -> &Arc<str> {
        match self {
            Self::Put(document) => &document.path,
            Self::Deleted { path } => path,
        }
    }
}
