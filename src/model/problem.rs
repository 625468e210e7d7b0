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

impl Problem {
    /// The problem without the document: its field, and what is said of it.
    pub fn said(&self) -> String {
        match self.field.as_str() {
            "" => self.message.clone(),
            field => format!("{field}: {}", self.message),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.source, self.said())
    }
}

/// A [`Problem`] as the code that reads a field knows it: without the document, and with the field as seen from there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remark {
    /// The field, as a path from where the remark was made.
    pub field: String,
    /// What was found, what is allowed, and what to do.
    pub message: String,
}

impl Remark {
    pub(crate) fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            message: message.into(),
        }
    }

    /// A remark on the whole.
    pub(crate) fn whole(message: impl Into<String>) -> Self {
        Self::new("", message)
    }

    /// The same remark, seen from one level up: `nodes` under `upstream` is `upstream.nodes`.
    pub(crate) fn under(self, parent: &str) -> Self {
        let field = match self.field.as_str() {
            "" => parent.to_owned(),
            field if field.starts_with('[') => format!("{parent}{field}"),
            field => format!("{parent}.{field}"),
        };
        Self { field, ..self }
    }

    /// What is said of its field, with it.
    pub(crate) fn said(self) -> String {
        self.of(&Arc::default()).said()
    }

    /// The problem that it is of the document that lies at `source`.
    pub(crate) fn of(self, source: &Arc<str>) -> Problem {
        Problem {
            source: source.clone(),
            field: self.field,
            message: self.message,
        }
    }
}
