//! What was told to be wrong with documents, so that each thing is told once.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Changes;
use super::entry::Entry;
use crate::model::problem::Problem;

/// By path.
#[derive(Debug, Default)]
pub(super) struct Told {
    problems: BTreeMap<Arc<str>, Problem>,
    warnings: BTreeMap<Arc<str>, Vec<Problem>>,
    waiting: BTreeMap<Arc<str>, Problem>,
}

impl Told {
    /// The paths of documents with a problem, and it.
    pub fn faults(&self) -> impl Iterator<Item = (&Arc<str>, &Problem)> {
        self.problems.iter()
    }

    /// The paths of documents that wait for an answer, and why.
    pub fn waiting(&self) -> impl Iterator<Item = (&Arc<str>, &Problem)> {
        self.waiting.iter()
    }

    /// Tells what is newly wrong with a document, and what no longer is. Of one that is gone there is nothing to tell.
    pub fn tell(&mut self, path: &Arc<str>, entry: Option<&mut Entry>, changes: &mut Changes) {
        let Some(entry) = entry else {
            self.problems.remove(path);
            self.warnings.remove(path);
            changes.others_wait |= self.waiting.remove(path).is_some();
            return;
        };
        entry.settled = true;
        changes.formless.extend(entry.wanted.take());
        self.warn(path, entry.warnings(), changes);
        self.wait(path, entry.waiting(), changes);
        match (entry.problem(), self.problems.get(path)) {
            (Some(problem), before) if before != Some(&problem) => {
                changes.problems.push(problem.clone());
                self.problems.insert(path.clone(), problem);
            }
            (None, Some(Problem { source, .. })) => {
                changes.mended.push(source.clone());
                self.problems.remove(path);
            }
            _ => {}
        }
    }

    fn wait(&mut self, path: &Arc<str>, waiting: Option<Problem>, changes: &mut Changes) {
        let before = match &waiting {
            Some(problem) => self.waiting.insert(path.clone(), problem.clone()),
            None => self.waiting.remove(path),
        };
        if before != waiting {
            changes.others_wait = true;
            changes.waiting.extend(waiting);
        }
    }

    fn warn(&mut self, path: &Arc<str>, warnings: Vec<Problem>, changes: &mut Changes) {
        let before = self.warnings.remove(path).unwrap_or_default();
        let new = warnings.iter().filter(|warning| !before.contains(warning));
        changes.warnings.extend(new.cloned());
        if !warnings.is_empty() {
            self.warnings.insert(path.clone(), warnings);
        }
    }
}
