//! Global rules: their plugins run before those of every route, rule by rule in the order of ids.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use super::edge::below;
use super::entry::{Entry, GoodForm};
use super::{Documents, helpers, resolve, sources};
use crate::model::Id;
use crate::model::gateway::RealIp;
use crate::model::key::Key;
use crate::model::problem::Remark;
use crate::plugin::Plugins;

const FIRST: &str = "global_rules/";

/// The global rules by path, as they are written, with the clusters of their targets.
#[derive(Debug, Default)]
pub(super) struct GlobalRules {
    written: BTreeMap<Arc<str>, Plugins>,
    /// Without what cannot hold beside an earlier rule.
    in_force: BTreeMap<Arc<str>, Plugins>,
}

impl GlobalRules {
    pub fn in_force(&self) -> &BTreeMap<Arc<str>, Plugins> {
        &self.in_force
    }

    /// Where the client's address stands, where one of them says so.
    pub fn client(&self) -> Option<&RealIp> {
        self.in_force.values().find_map(Plugins::client)
    }

    /// What of them is in force, and what is wrong with the others.
    fn settle(&mut self) -> BTreeMap<Arc<str>, Remark> {
        let mut in_force: BTreeMap<Arc<str>, Plugins> = BTreeMap::new();
        let mut remarks = BTreeMap::new();
        for (path, plugins) in &self.written {
            let mut held = plugins.clone();
            for (earlier, of_earlier) in &in_force {
                let (rest, remark) = held.beside(of_earlier, earlier);
                held = rest;
                if let Some(remark) = remark {
                    remarks.entry(path.clone()).or_insert(remark);
                }
            }
            in_force.insert(path.clone(), held);
        }
        self.in_force = in_force;
        remarks
    }
}

impl Documents {
    /// Takes up the global rules that are affected; then every route is as well. One whose upstream is missing keeps the
    /// plugins that it had.
    pub(super) fn settle_global_rules(&mut self, affected: &mut BTreeSet<Arc<str>>) {
        let from_first = affected.range::<str, _>((Bound::Included(FIRST), Bound::Unbounded));
        let rules = from_first.take_while(|path| path.starts_with(FIRST));
        let rules: Vec<_> = rules.cloned().collect();
        let mut changed = false;
        let mut missing = BTreeMap::new();
        for path in rules {
            let written = &mut self.rules.written;
            match self.entries.get(&path).and_then(Entry::form) {
                Some(GoodForm::GlobalRule(plugins)) => {
                    let resolved = helpers::everywhere(&self.entries, plugins)
                        .and_then(|()| resolve::plugins(&self.entries, plugins));
                    match resolved {
                        Ok(plugins) => {
                            written.insert(path, plugins);
                            changed = true;
                        }
                        Err(remark) => {
                            missing.insert(path, remark);
                        }
                    }
                }
                _ => changed |= written.remove(&path).is_some(),
            }
        }
        let before = self.rules.client().cloned();
        self.remark_on_rules(missing, affected);
        if self.rules.client() != before.as_ref() {
            affected.extend(self.in_force.gateways.keys().cloned());
        }
        if changed {
            let paths = self.rules.in_force.keys().cloned();
            self.rule_texts = sources::of(&self.entries, paths).into();
            let entries = self.entries.iter();
            let routes =
                entries.filter(|(_, entry)| matches!(entry.form(), Some(GoodForm::Route(_))));
            affected.extend(routes.map(|(path, _)| path.clone()));
        }
    }

    /// Says what is wrong with which rules: those of which something else is to be said are affected as well.
    fn remark_on_rules(
        &mut self,
        missing: BTreeMap<Arc<str>, Remark>,
        affected: &mut BTreeSet<Arc<str>>,
    ) {
        let mut remarks = self.rules.settle();
        for (path, remark) in self.beside_gateways(affected) {
            remarks.entry(path).or_insert(remark);
        }
        remarks.extend(missing);
        for path in self.rules.written.keys().chain(remarks.keys()) {
            let Some(entry) = self.entries.get_mut(path) else {
                continue;
            };
            let remark = remarks.get(path);
            if entry.unresolved.as_ref() != remark {
                entry.unresolved = remark.cloned();
                affected.insert(path.clone());
            }
        }
    }

    /// What is wrong with rules that say otherwise where the client's address stands than a gateway does, which goes by its own
    /// word. `affected` has the gateways that are not in force yet.
    fn beside_gateways(&self, affected: &BTreeSet<Arc<str>>) -> Vec<(Arc<str>, Remark)> {
        let in_force = self.rules.in_force.iter();
        let of_rules = in_force.filter_map(|(path, rule)| Some((path, rule.client()?)));
        let of_rules: Vec<_> = of_rules.collect();
        if of_rules.is_empty() {
            return Vec::new();
        }
        let mut paths: BTreeSet<_> = below("gateways/", affected).into_iter().collect();
        paths.extend(self.in_force.gateways.keys().cloned());
        let ids = paths.iter().filter_map(|path| path.parse().ok());
        let gateways = ids.filter_map(|Key { id, .. }| helpers::gateway(&self.entries, &id));
        let own =
            gateways.filter_map(|gateway| Some((gateway.id.clone(), gateway.real_ip.clone()?)));
        let own: Vec<(Id, RealIp)> = own.collect();
        let remarks = of_rules.into_iter().filter_map(|(path, of_rule)| {
            let (gateway, _) = own.iter().find(|(_, own)| !own.is_like(of_rule))?;
            let message = format!(
                "is not in force at `gateways/{gateway}`, which has another `real_ip`, allowed: one of the two, or the same in both"
            );
            Some((path.clone(), Remark::new("plugins.real-ip", message)))
        });
        remarks.collect()
    }
}
