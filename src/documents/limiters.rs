//! Limits whose counts lie in Redis: each gateway that has one names who asks Redis for its proxies.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::Documents;
use super::edge::below;
use super::entry::{Entry, GoodForm};
use crate::model::key::{Key, Kind};
use crate::model::problem::Remark;
use crate::model::{Gateway, Id};
use crate::plugin::Plugins;

impl Documents {
    /// A gateway begins or ceases to name who counts: what depends on that is affected.
    pub(super) fn settle_limiters(&self, affected: &mut BTreeSet<Arc<str>>) {
        let has = |gateway: &Arc<Gateway>| gateway.rate_limit.is_some();
        let changed = below("gateways/", affected).into_iter().any(|path| {
            let now = path
                .parse()
                .ok()
                .and_then(|Key { id, .. }| gateway(&self.entries, &id));
            self.in_force.gateways.get(&path).map(has) != now.as_ref().map(has)
        });
        if changed {
            let concerns =
                |form: &GoodForm| matches!(form, GoodForm::Route(_) | GoodForm::GlobalRule(_));
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

/// Refuses limits that nobody would count in one of these gateways.
pub(super) fn check(
    entries: &HashMap<Arc<str>, Entry>,
    gateways: &[Id],
    plugins: &Plugins,
) -> Result<(), Remark> {
    let Some(field) = plugins.counted_by_service() else {
        return Ok(());
    };
    // One that is not there yet may have whatever is needed.
    let mut there = gateways.iter().filter_map(|id| gateway(entries, id));
    match there.find(|gateway| gateway.rate_limit.is_none()) {
        None => Ok(()),
        Some(gateway) => Err(missing(&field, &gateway.id)),
    }
}

/// Refuses limits of a global rule that nobody would count in one of all gateways.
pub(super) fn everywhere(
    entries: &HashMap<Arc<str>, Entry>,
    plugins: &Plugins,
) -> Result<(), Remark> {
    if plugins.counted_by_service().is_none() {
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

fn missing(field: &str, gateway: &Id) -> Remark {
    let message = format!(
        "counts in Redis, and `gateways/{gateway}` names nobody who asks it, allowed: `policy: local`, or `rate_limit` in the \
         gateway, whose upstream is `chancery ratelimit`"
    );
    Remark::new(field, message)
}
