//! What secret managers are asked, for which documents, and what follows from their answers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Documents;
use super::entry::{Entry, GoodForm};
use crate::model::problem::Remark;
use crate::model::{Asked, Problem, SecretName, Verdict};

/// Names that are asked at most, of all documents.
const NAMES: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Secrets {
    /// The paths of the documents that have a name.
    users: BTreeMap<SecretName, BTreeSet<Arc<str>>>,
    asked: Arc<Asked>,
    /// Whether others may be asked than the last time.
    touched: bool,
}

impl Secrets {
    /// A document has these names, and no longer those of before.
    pub fn replace(
        &mut self,
        path: &Arc<str>,
        before: &BTreeSet<SecretName>,
        now: &BTreeSet<SecretName>,
    ) {
        for name in before.difference(now) {
            if let Some(users) = self.users.get_mut(name) {
                users.remove(path);
                if users.is_empty() {
                    self.users.remove(name);
                }
            }
        }
        for name in now.difference(before) {
            let users = self.users.entry(name.clone()).or_default();
            users.insert(path.clone());
        }
        self.touched |= before != now;
    }
}

impl Documents {
    /// Takes what managers say.
    pub fn answer(&mut self, answers: impl IntoIterator<Item = (SecretName, Verdict)>) {
        let known = self.reader.lookup().answers().clone();
        let mut users = BTreeSet::new();
        for (name, verdict) in answers {
            let of = self.secrets.users.get(&name);
            if let Some(of) = of.filter(|_| known.take(name.clone(), verdict)) {
                users.extend(of.iter().cloned());
            }
        }
        for path in users {
            self.reread(path, Entry::again);
        }
    }

    /// The documents that wait for a manager, by path, and why.
    pub fn waiting(&self) -> impl Iterator<Item = (&Arc<str>, &Problem)> {
        self.told.waiting()
    }

    /// What managers are to be asked, where it is something else than the last time.
    pub(super) fn settle_secrets(&mut self, affected: &BTreeSet<Arc<str>>) -> Option<Arc<Asked>> {
        let are_managers = !super::edge::below("secrets/", affected).is_empty();
        if !std::mem::take(&mut self.secrets.touched) && !are_managers {
            return None;
        }
        let mut asked = Asked::new();
        let mut unasked: BTreeMap<Arc<str>, Remark> = BTreeMap::new();
        for (name, users) in &self.secrets.users {
            let manager = match self.entries.get(&name.manager).map(Entry::form) {
                Some(Some(GoodForm::Secret(manager))) if asked.len() < NAMES => Ok(manager.clone()),
                Some(Some(_)) => Err(format!(
                    "refers to {name}, beyond what managers are asked, allowed: {NAMES} references in all documents"
                )),
                Some(None) => Err(format!(
                    "refers to `{}`, which is wrong itself",
                    name.manager
                )),
                None => Err(format!(
                    "refers to `{}`, which does not exist: write it, or name another",
                    name.manager
                )),
            };
            match manager {
                Ok(manager) => drop(asked.insert(name.clone(), manager)),
                Err(said) => {
                    let users = users.iter().cloned();
                    unasked.extend(users.map(|user| (user, Remark::whole(said.clone()))));
                }
            }
        }
        for path in self.secrets.users.values().flatten() {
            if let Some(entry) = self.entries.get_mut(path)
                && entry.unasked.as_ref() != unasked.get(path)
            {
                entry.unasked = unasked.get(path).cloned();
                self.reworded.insert(path.clone());
            }
        }
        if *self.secrets.asked == asked {
            return None;
        }
        self.secrets.asked = Arc::new(asked);
        Some(self.secrets.asked.clone())
    }
}
