//! How each document fares, for whoever asks.

use std::sync::Arc;

use super::Documents;
use super::entry::{Entry, GoodForm};
use crate::model::Problem;
use crate::model::problem::Remark;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentStatus {
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
    pub problem: Option<Problem>,
    /// What Envoy does not do exactly.
    pub warnings: Vec<Problem>,
}

impl Documents {
    /// How every document fares, in no order. Certificates that have ended by `now`, in seconds since
    /// 1970, are among the warnings.
    pub fn statuses(&self, now: i64) -> impl Iterator<Item = DocumentStatus> {
        let entries = self.entries.iter();
        entries.map(move |(path, entry)| status(path, entry, now))
    }
}

fn status(path: &Arc<str>, entry: &Entry, now: i64) -> DocumentStatus {
    let (newest, good) = entry.texts();
    let form = entry.form();
    let ended = ended(form, now)
        .into_iter()
        .map(|remark| remark.of(&newest.source));
    DocumentStatus {
        path: path.clone(),
        source: newest.source.clone(),
        revision: newest.revision,
        holds: form.map(|_| good.unwrap_or(newest).revision),
        off: match form {
            Some(GoodForm::Route(draft)) => !draft.enabled,
            Some(GoodForm::Ssl(draft)) => !draft.enabled,
            _ => false,
        },
        problem: entry.problem(),
        warnings: entry.warnings().into_iter().chain(ended).collect(),
    }
}

/// Which of a document's certificates have ended.
fn ended(form: Option<&GoodForm>, now: i64) -> Vec<Remark> {
    let Some(GoodForm::Ssl(draft)) = form else {
        return Vec::new();
    };
    let ends = draft.identities().iter().enumerate();
    let ended = ends.filter(|(_, identity)| {
        let end = identity.certificates.not_after();
        end.is_some_and(|end| end < now)
    });
    let remark = |(at, _)| {
        let field = match at {
            0 => "cert".to_owned(),
            more => format!("certs[{}]", more - 1),
        };
        Remark::new(field, "has ended: clients that verify refuse it")
    };
    ended.map(remark).collect()
}
