//! What the writer of a document reads, as text, and that no document brings anything down.

mod gateways;
mod meanings;
mod random;
mod refusals;
mod refusals_of_routes;
mod refusals_of_upstreams;
mod tls;
mod warnings;

use std::sync::Arc;

use crate::documents::{Changes, Documents};
use crate::model::document::{Change, Format};
use crate::model::{Discovery, Document};

/// No documents yet, of a process that has both registries.
pub(super) fn no_documents() -> Documents {
    Documents::new(vec![Discovery::Consul, Discovery::File])
}

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
    let mut documents = no_documents();
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

/// Refuses every document of a table: its path, its text, and what is said of it, or how that begins where it ends in `…`.
fn refused(table: &[(&str, &str, &str)]) {
    for (path, text, said) in table {
        let problem = problem_of(json(path, text)).unwrap_or_else(|| "nothing".into());
        let expected = format!("/chancery/{path}: {said}");
        match expected.strip_suffix('…') {
            None => assert_eq!(problem, expected, "of {text}"),
            Some(begin) => assert!(
                problem.starts_with(begin),
                "{problem}, not {expected}, of {text}"
            ),
        }
    }
}
