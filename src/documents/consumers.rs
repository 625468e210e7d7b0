//! Consumers and their credentials: put together anew when one of their documents was touched. Costs as many as there are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::entry::{Entry, GoodForm};
use super::{Changes, Documents, helpers, resolve};
use crate::model::Consumers;
use crate::model::consumer::known::{Holder, Welcome, together};
use crate::model::problem::Remark;
use crate::plugin::Plugins;

/// The documents about consumers that are in force.
#[derive(Debug, Default)]
pub(super) struct Registered {
    /// By path; one that refers to nothing keeps the form that it had.
    holders: BTreeMap<Arc<str>, Holder>,
    /// The plugins of consumers that have some, with those of their groups: by path.
    plugins: BTreeMap<Arc<str>, Plugins>,
    /// The same by name, of those that are in force.
    with_plugins: Arc<[(Arc<str>, Plugins)]>,
    /// What each refers to in vain.
    missing: BTreeMap<Arc<str>, Remark>,
    /// Which of them hold what another holds.
    conflicts: BTreeMap<Arc<str>, Remark>,
    told: Arc<Consumers>,
}

/// How many consumers may have plugins: each is a route beside every route that asks for consumers.
const MOST_WITH_PLUGINS: usize = 32;

impl Registered {
    /// The consumers with plugins, and these.
    pub(super) fn with_plugins(&self) -> &[(Arc<str>, Plugins)] {
        &self.with_plugins
    }

    /// Takes up who has plugins. Those beyond the bound, the last by path, are left out whole, with their credentials.
    fn settle_plugins(&mut self) {
        let named = |(path, plugins): (&Arc<str>, &Plugins)| {
            let name = path.rsplit('/').next().unwrap_or_default();
            (Arc::from(name), plugins.clone())
        };
        self.with_plugins = self
            .plugins
            .iter()
            .take(MOST_WITH_PLUGINS)
            .map(named)
            .collect();
    }

    /// Takes up the plugins of a consumer; true where there are or were any.
    fn replace_plugins(&mut self, path: &Arc<str>, whole: Plugins) -> bool {
        let are_none = whole.is_empty();
        let before = if are_none {
            self.plugins.remove(path)
        } else {
            self.plugins.insert(path.clone(), whole)
        };
        before.is_some() || !are_none
    }

    /// Puts the documents together that are in force.
    fn together(&self) -> (Consumers, BTreeMap<Arc<str>, Remark>) {
        let beyond: Vec<&Arc<str>> = self.plugins.keys().skip(MOST_WITH_PLUGINS).collect();
        if beyond.is_empty() {
            return together(&self.holders);
        }
        let is_beyond = |path: &str| {
            let rest = |one: &str| {
                path.strip_prefix(one)
                    .map(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            beyond.iter().any(|one| rest(one) == Some(true))
        };
        let held = self.holders.iter().filter(|(path, _)| !is_beyond(path));
        let held = held.map(|(path, holder)| (path.clone(), holder.clone()));
        let (known, mut conflicts) = together(&held.collect());
        let message = format!(
            "are those of one consumer more than {MOST_WITH_PLUGINS} that have some, allowed: {MOST_WITH_PLUGINS}; each is a \
             route of Envoy's beside every route that asks for consumers"
        );
        let remark = Remark::new("plugins", message);
        conflicts.extend(
            beyond
                .into_iter()
                .map(|path| (path.clone(), remark.clone())),
        );
        (known, conflicts)
    }
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
        let mut replaced = false;
        for path in &touched {
            self.consumers.missing.remove(path);
            let found = self.holder(path);
            let found = found.and_then(|holder| Ok((holder, self.plugins_of(path)?)));
            match found {
                Ok((holder, plugins)) => {
                    match holder {
                        Some(holder) => self.consumers.holders.insert(path.clone(), holder),
                        None => self.consumers.holders.remove(path),
                    };
                    replaced |= self.consumers.replace_plugins(path, plugins);
                }
                Err(remark) => {
                    self.consumers.missing.insert(path.clone(), remark);
                }
            }
        }
        if replaced {
            self.consumers.settle_plugins();
            let routes = self.in_force.routes.iter();
            let asking = routes.filter(|(_, route)| route.plugins.ask_for_consumers());
            affected.extend(asking.map(|(path, _)| path.clone()));
            let entries = self.entries.iter();
            let waiting = entries
                .filter(|(path, entry)| path.starts_with("routes/") && entry.unresolved.is_some());
            affected.extend(waiting.map(|(path, _)| path.clone()));
        }
        let (mut known, conflicts) = self.consumers.together();
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

    /// The plugins of a consumer over those of its group, with what they refer to.
    fn plugins_of(&self, path: &Arc<str>) -> Result<Plugins, Remark> {
        let Some(GoodForm::Consumer(consumer, own)) = self.entries.get(path).and_then(Entry::form)
        else {
            return Ok(Plugins::default());
        };
        let own = resolve::plugins(&self.entries, own)?;
        helpers::everywhere(&self.entries, &own)?;
        let Some(group) = &consumer.group else {
            return Ok(own);
        };
        let path = format!("consumer_groups/{group}");
        match self.entries.get(&*path).and_then(Entry::form) {
            Some(GoodForm::ConsumerGroup(of_group)) => {
                let of_group = resolve::plugins(&self.entries, of_group).and_then(|of_group| {
                    helpers::everywhere(&self.entries, &of_group)?;
                    Ok(of_group)
                });
                let of_group =
                    of_group.map_err(|remark| resolve::elsewhere("group_id", &path, &remark))?;
                Ok(own.over(&of_group))
            }
            _ => Ok(own),
        }
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
            Some(GoodForm::Consumer(consumer, _)) => {
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

#[cfg(test)]
mod tests;
