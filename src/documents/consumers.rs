//! Consumers and their credentials: put together anew when one of their documents was touched. Costs as many as there are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::entry::{Entry, GoodForm};
use super::{Changes, Documents};
use crate::model::Consumers;
use crate::model::consumer::known::{Holder, Welcome, together};
use crate::model::problem::Remark;
use crate::plugin::Plugins;

/// The documents about consumers that are in force.
#[derive(Debug, Default)]
pub(super) struct Registered {
    /// By path; one that refers to nothing keeps the form that it had.
    holders: BTreeMap<Arc<str>, Holder>,
    /// What each refers to in vain.
    missing: BTreeMap<Arc<str>, Remark>,
    /// Which of them hold what another holds.
    conflicts: BTreeMap<Arc<str>, Remark>,
    told: Arc<Consumers>,
}

impl Documents {
    /// Takes up the consumers and credentials that are affected; documents of which something else is to be told now are
    /// affected as well. All consumers, when they are others than before.
    pub(super) fn settle_consumers(
        &mut self,
        affected: &mut BTreeSet<Arc<str>>,
    ) -> Option<Arc<Consumers>> {
        let touched: Vec<Arc<str>> = affected
            .iter()
            .filter(|path| path.starts_with("consumers/"))
            .cloned()
            .collect();
        let mut rules = self.rules.in_force().values();
        let asked_by_rules = rules.any(Plugins::ask_for_consumers);
        if touched.is_empty() {
            if self.consumers.told.asked_by_rules == asked_by_rules {
                return None;
            }
            self.consumers.told = Arc::new(Consumers {
                asked_by_rules,
                ..Consumers::clone(&self.consumers.told)
            });
            return Some(self.consumers.told.clone());
        }
        for path in &touched {
            self.consumers.missing.remove(path);
            match self.holder(path) {
                Ok(Some(holder)) => {
                    self.consumers.holders.insert(path.clone(), holder);
                }
                Ok(None) => {
                    self.consumers.holders.remove(path);
                }
                Err(remark) => {
                    self.consumers.missing.insert(path.clone(), remark);
                }
            }
        }
        let (mut known, conflicts) = together(&self.consumers.holders);
        known.asked_by_rules = asked_by_rules;
        known.welcome = self.consumers.told.welcome;
        let before = std::mem::replace(&mut self.consumers.conflicts, conflicts);
        let now = &self.consumers.conflicts;
        let all = before.keys().chain(now.keys());
        let others = all.filter(|path| before.get(*path) != now.get(*path));
        affected.extend(others.cloned());
        for path in affected.iter() {
            let Registered {
                missing, conflicts, ..
            } = &self.consumers;
            if path.starts_with("consumers/")
                && let Some(entry) = self.entries.get_mut(path)
            {
                let remark = missing.get(path).or_else(|| conflicts.get(path));
                entry.unresolved = remark.cloned();
            }
        }
        if *self.consumers.told == known {
            return None;
        }
        self.consumers.told = Arc::new(known);
        Some(self.consumers.told.clone())
    }

    /// Takes up whether strangers are somebody, once the routes are settled.
    pub(super) fn settle_strangers(&mut self, changes: &mut Changes) {
        let mut rules = self.rules.in_force().values();
        let welcome = Welcome {
            by_routes: self.in_force.welcoming > 0,
            by_rules: rules.any(Plugins::welcome_strangers),
        };
        if self.consumers.told.welcome != welcome {
            self.consumers.told = Arc::new(Consumers {
                welcome,
                ..Consumers::clone(&self.consumers.told)
            });
            changes.consumers = Some(self.consumers.told.clone());
        }
    }

    /// What a document holds, once what it refers to is there.
    fn holder(&self, path: &str) -> Result<Option<Holder>, Remark> {
        match self.entries.get(path).and_then(Entry::form) {
            Some(GoodForm::Consumer(consumer)) => {
                if let Some(group) = &consumer.group {
                    self.is_there("group_id", &format!("consumer_groups/{group}"))?;
                }
                Ok(Some(Holder::Consumer(consumer.clone())))
            }
            Some(GoodForm::Credential {
                consumer,
                credentials,
            }) => {
                self.is_there("", &format!("consumers/{consumer}"))?;
                Ok(Some(Holder::Credential {
                    username: consumer.as_str().into(),
                    credentials: credentials.clone(),
                }))
            }
            _ => Ok(None),
        }
    }

    fn is_there(&self, field: &str, path: &str) -> Result<(), Remark> {
        match self.entries.get(path) {
            Some(entry) if entry.form().is_some() => Ok(()),
            Some(_) => {
                let message = format!("refers to `{path}`, of which no good form is known");
                Err(Remark::new(field, message))
            }
            None => {
                let message = format!("refers to `{path}`, which does not exist");
                Err(Remark::new(field, message))
            }
        }
    }
}
