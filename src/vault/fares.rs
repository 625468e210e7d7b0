//! How the managers fare, all together: as a source that fails while one of them does not answer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use super::Question;
use crate::telemetry::Source;

#[derive(Debug)]
pub struct Fares {
    source: Source,
    /// By the path of a manager's document, why it does not answer.
    failing: Mutex<BTreeMap<Arc<str>, String>>,
}

impl Fares {
    pub fn new(source: Source) -> Self {
        Self {
            source,
            failing: Mutex::default(),
        }
    }

    /// Others are asked no more.
    pub fn keep<'a>(&self, asked: impl Iterator<Item = &'a Arc<str>>) {
        let asked: BTreeSet<_> = asked.collect();
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        failing.retain(|manager, _| asked.contains(manager));
    }

    /// A manager has answered, or has not and why: its last word counts.
    pub fn note(&self, question: &Question, error: Option<&String>) {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        match error {
            Some(error) => drop(failing.insert(question.of.clone(), error.clone())),
            None => drop(failing.remove(&question.of)),
        }
        match failing.iter().next() {
            Some((manager, why)) => self.source.failed(&format!("`{manager}`: {why}")),
            None => self.source.answered(),
        }
    }
}
