//! What the writer of a document reads, as text, and that no document brings anything down.

mod random;
mod refusals;
mod warnings;

use std::sync::Arc;

use super::documents::{Changes, Documents};
use crate::store::{Change, Document, Format};

/// A JSON document under `/chancery`.
pub(super) fn json(path: &str, text: &str) -> Document {
    Document {
        path: path.into(),
        source: format!("/chancery/{path}").into(),
        format: Format::Json,
        value: text.to_owned().into(),
        revision: 1,
    }
}

/// A YAML file.
pub(super) fn yaml(path: &str, text: &str) -> Document {
    Document {
        source: format!("examples/{path}.yaml").into(),
        format: Format::Yaml,
        ..json(path, text)
    }
}

pub(super) fn put(path: &str, text: &str) -> Change {
    Change::Put(json(path, text))
}

pub(super) fn deleted(path: &str) -> Change {
    Change::Deleted {
        path: Arc::from(path),
    }
}

/// What follows from one document alone.
pub(super) fn settled(document: Document) -> Changes {
    let mut documents = Documents::default();
    documents.apply(Change::Put(document));
    documents.settle()
}

/// What is said of one document: its problem, or nothing.
pub(super) fn problem_of(document: Document) -> Option<String> {
    settled(document)
        .problems
        .first()
        .map(|problem| problem.to_string())
}
