//! What others are asked, for which documents, and what follows from their answers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Documents;
use super::entry::{Entry, GoodForm};
use crate::model::problem::Remark;
use crate::model::{Asked, Problem, Subject, Verdict};

/// Names that are asked at most, of all documents.
const NAMES: usize = 4096;
/// Identity providers that are asked at most, likewise.
const PROVIDERS: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Secrets {
    /// The paths of the documents that have a name.
    users: BTreeMap<Subject, BTreeSet<Arc<str>>>,
    asked: Arc<Asked>,
    /// Whether others may be asked than the last time.
    touched: bool,
}

impl Secrets {
    /// A document has these names, and no longer those of before.
    pub fn replace(
        &mut self,
        path: &Arc<str>,
        before: &BTreeSet<Subject>,
        now: &BTreeSet<Subject>,
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
    /// Takes what others say.
    pub fn answer(&mut self, answers: impl IntoIterator<Item = (Subject, Verdict)>) {
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

    /// The documents that wait for an answer, by path, and why.
    pub fn waiting(&self) -> impl Iterator<Item = (&Arc<str>, &Problem)> {
        self.told.waiting()
    }

    /// What others are to be asked, where it is something else than the last time.
    pub(super) fn settle_secrets(&mut self, affected: &BTreeSet<Arc<str>>) -> Option<Arc<Asked>> {
        let are_managers = !super::edge::below("secrets/", affected).is_empty();
        if !std::mem::take(&mut self.secrets.touched) && !are_managers {
            return None;
        }
        let mut asked = Asked::default();
        let mut unasked: BTreeMap<Arc<str>, Remark> = BTreeMap::new();
        for (subject, users) in &self.secrets.users {
            if let Err(said) = self.ask(subject, &mut asked) {
                let users = users.iter().cloned();
                unasked.extend(users.map(|user| (user, Remark::whole(said.clone()))));
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

    /// Has a subject be asked for, or says why it is not.
    fn ask(&self, subject: &Subject, asked: &mut Asked) -> Result<(), String> {
        let name = match subject {
            Subject::Secret(name) => name,
            Subject::Provider(_) if asked.providers.len() >= PROVIDERS => {
                return Err(format!(
                    "refers to {subject}, beyond what providers are asked, allowed: {PROVIDERS} in all documents, each counted once for \
                     each `ssl_verify`, and for whether its keys are wanted"
                ));
            }
            Subject::Provider(provider) => {
                asked.providers.insert(provider.clone());
                return Ok(());
            }
        };
        let manager = match self.entries.get(&name.manager).map(Entry::form) {
            Some(Some(GoodForm::Secret(manager))) if asked.secrets.len() < NAMES => manager.clone(),
            Some(Some(_)) => {
                return Err(format!(
                    "refers to {name}, beyond what managers are asked, allowed: {NAMES} references in all documents"
                ));
            }
            Some(None) => {
                return Err(format!(
                    "refers to `{}`, which is wrong itself",
                    name.manager
                ));
            }
            None => {
                return Err(format!(
                    "refers to `{}`, which does not exist: write it, or name another",
                    name.manager
                ));
            }
        };
        asked.secrets.insert(name.clone(), manager);
        Ok(())
    }
}
