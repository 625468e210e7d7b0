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
}

impl Told {
    /// The paths of documents with a problem, and it.
    pub fn faults(&self) -> impl Iterator<Item = (&Arc<str>, &Problem)> {
        self.problems.iter()
    }

    /// Tells what is newly wrong with a document, and what no longer is. Of one that is gone there is nothing to tell.
    pub fn tell(&mut self, path: &Arc<str>, entry: Option<&mut Entry>, changes: &mut Changes) {
        let Some(entry) = entry else {
            self.problems.remove(path);
            self.warnings.remove(path);
            return;
        };
        entry.settled = true;
        changes.formless.extend(entry.wanted.take());
        self.warn(path, entry.warnings(), changes);
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

    fn warn(&mut self, path: &Arc<str>, warnings: Vec<Problem>, changes: &mut Changes) {
        let before = self.warnings.remove(path).unwrap_or_default();
        let new = warnings.iter().filter(|warning| !before.contains(warning));
        changes.warnings.extend(new.cloned());
        if !warnings.is_empty() {
            self.warnings.insert(path.clone(), warnings);
        }
    }
}
