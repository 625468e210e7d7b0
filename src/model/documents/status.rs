//! How each document fares, for whoever asks.

use std::sync::Arc;

use super::super::Problem;
use super::Documents;
use super::entry::{Entry, Form};

/// How one document fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// `<kind>/<id>`
    pub path: Arc<str>,
    /// Where it lies: the whole etcd key, or the file.
    pub source: Arc<str>,
    /// The revision that wrote its text.
    pub revision: i64,
    /// The revision that wrote the form which holds now: an earlier one where the text is bad, nothing where no good one is
    /// known.
    pub holds: Option<i64>,
    /// Whether it is switched off by its own `status`.
    pub off: bool,
    /// What is wrong with it.
    pub problem: Option<Problem>,
    /// What Envoy does not do exactly.
    pub warnings: Vec<Problem>,
}

impl Documents {
    /// How every document fares, in no order.
    pub fn statuses(&self) -> impl Iterator<Item = Status> {
        let entries = self.entries.iter();
        entries.map(|(path, entry)| status(path, entry))
    }
}

fn status(path: &Arc<str>, entry: &Entry) -> Status {
    let (newest, good) = entry.texts();
    let form = entry.form();
    Status {
        path: path.clone(),
        source: newest.source.clone(),
        revision: newest.revision,
        holds: form.map(|_| good.unwrap_or(newest).revision),
        off: matches!(form, Some(Form::Route(draft)) if !draft.enabled),
        problem: entry.problem(),
        warnings: entry.warnings(),
    }
}
