//! What is wrong with a document, for the person who wrote it.

use std::fmt;
use std::sync::Arc;

/// One thing that is wrong with one document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where the document lies: the whole etcd key, or the file.
    pub source: Arc<str>,
    /// The field, as a path (`upstream.nodes[0].port`); empty when it is the whole document.
    pub field: String,
    /// What was found, what is allowed, and what to do.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.source)?;
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.message)
    }
}
