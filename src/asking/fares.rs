//! How those of a kind fare, all together: as a source that fails while one of them does not answer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use crate::telemetry::Source;

#[derive(Debug)]
pub struct Fares {
    source: Source,
    /// By who is asked, why it does not answer.
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
        failing.retain(|of, _| asked.contains(of));
    }

    /// One has answered, or has not and why: its last word counts.
    pub fn note(&self, of: &Arc<str>, error: Option<&String>) {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        match error {
            Some(error) => drop(failing.insert(of.clone(), error.clone())),
            None => drop(failing.remove(of)),
        }
        match failing.iter().next() {
            Some((of, why)) => self.source.failed(&format!("`{of}`: {why}")),
            None => self.source.answered(),
        }
    }
}
