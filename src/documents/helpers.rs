//! Who has to stand beside a gateway for what documents ask: somebody who counts in Redis, or who posts logs. Each gateway of
//! such a document names them.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::Documents;
use super::edge::below;
use super::entry::{Entry, GoodForm};
use crate::model::key::{Key, Kind};
use crate::model::problem::Remark;
use crate::model::{Gateway, Id};
use crate::plugin::Plugins;
use crate::plugin::contract::Helper;

/// Whether a gateway names somebody for this.
fn has(gateway: &Gateway, helper: Helper) -> bool {
    match helper {
        Helper::Counts => gateway.rate_limit.is_some(),
        Helper::Logs => gateway.logs.is_some(),
    }
}

impl Documents {
    /// A gateway begins or ceases to name who counts or posts logs: what depends on that is affected.
    pub(super) fn settle_helpers(&mut self, affected: &mut BTreeSet<Arc<str>>) {
        let all = |gateway: &Arc<Gateway>| Helper::ALL.map(|helper| has(gateway, helper));
        let changed = below("gateways/", affected).into_iter().any(|path| {
            let now = path
                .parse()
                .ok()
                .and_then(|Key { id, .. }| gateway(&self.entries, &id));
            self.in_force.gateways.get(&path).map(all) != now.as_ref().map(all)
        });
        if changed {
            let concerns = |form: &GoodForm| {
                matches!(
                    form,
                    GoodForm::Route(_) | GoodForm::GlobalRule(_) | GoodForm::Consumer(..)
                )
            };
            let all = self.entries.iter();
            let concerned = all.filter(|(_, entry)| entry.form().is_some_and(concerns));
            affected.extend(concerned.map(|(path, _)| path.clone()));
        }
    }
}

/// The gateway as it is written, or as it is without being written; nothing where it is not there yet, or no good form of it
/// is known.
pub(super) fn gateway(entries: &HashMap<Arc<str>, Entry>, id: &Id) -> Option<Arc<Gateway>> {
    match entries.get(&*format!("gateways/{id}")).map(Entry::form) {
        Some(Some(GoodForm::Gateway(gateway))) => Some(gateway.clone()),
        _ => (*id == Id::default_gateway()).then(|| Arc::new(Gateway::built_in())),
    }
}

/// Refuses plugins that nobody would serve in one of these gateways.
pub(super) fn check(
    entries: &HashMap<Arc<str>, Entry>,
    gateways: &[Id],
    plugins: &Plugins,
) -> Result<(), Remark> {
    for (helper, field) in plugins.helped() {
        // One that is not there yet may have whatever is needed.
        let mut there = gateways.iter().filter_map(|id| gateway(entries, id));
        if let Some(gateway) = there.find(|gateway| !has(gateway, helper)) {
            return Err(missing(helper, &field, &gateway.id));
        }
    }
    Ok(())
}

/// Refuses plugins of a global rule or of a consumer that nobody would serve in one of all gateways.
pub(super) fn everywhere(
    entries: &HashMap<Arc<str>, Entry>,
    plugins: &Plugins,
) -> Result<(), Remark> {
    if plugins.helped().next().is_none() {
        return Ok(());
    }
    let written = entries.keys().filter_map(|path| path.parse().ok());
    let ids = written.filter(|key: &Key| key.kind == Kind::Gateway);
    let all: Vec<Id> = ids
        .map(|key| key.id)
        .chain([Id::default_gateway()])
        .collect();
    check(entries, &all, plugins)
}

fn missing(helper: Helper, field: &str, gateway: &Id) -> Remark {
    let message = match helper {
        Helper::Counts => format!(
            "counts in Redis, and `gateways/{gateway}` names nobody who asks it, allowed: `policy: local`, or `rate_limit` in the \
             gateway, whose upstream is `chancery ratelimit`"
        ),
        Helper::Logs => format!(
            "is not served by Envoy itself, and `gateways/{gateway}` names nobody who does it, allowed: with `logs` in the gateway, \
             whose upstream is `chancery logs`"
        ),
    };
    Remark::new(field, message)
}
