//! Plugins of several documents, laid over one another.

use super::{Configured, Plugins};
use crate::model::problem::Remark;
use crate::plugin::all::is_settled_by_routes;
use crate::plugin::shared::rule;

impl Plugins {
    /// These plugins, and those of `below` that these do not name.
    pub(crate) fn over(&self, below: &Self) -> Self {
        let mut configured = self.configured.clone();
        let named = |at: usize| self.configured.iter().any(|own| own.at == at);
        let unnamed = below.configured.iter().filter(|other| !named(other.at));
        configured.extend(unnamed.cloned());
        configured.sort_by_key(Configured::turn);
        Self {
            configured,
            ..Self::default()
        }
    }

    /// These plugins of a consumer, and those of a route that they leave to it: all that these do not name, and those that have
    /// done their work before the consumer is known.
    pub(crate) fn of_consumer_over(&self, route: &Self) -> Self {
        let in_force = |at: usize| route.enabled().any(|own| own.at == at);
        let settled = |own: &&Configured| in_force(own.at) && is_settled_by_routes(own.at);
        let own = self.configured.iter().filter(|own| !settled(own));
        let own = own.map(|own| Configured {
            late: !in_force(own.at),
            ..own.clone()
        });
        let own = Self {
            configured: own.collect(),
            ..Self::default()
        };
        own.over(route)
    }

    /// These plugins, and before them those of a global rule: both, where they have the same one. What these switch off is
    /// none of the rule's.
    pub(crate) fn below(&self, rule: &Self) -> Self {
        let mut configured = self.configured.clone();
        configured.extend(rule.configured.iter().map(|of_rule| Configured {
            of_rule: true,
            ..of_rule.clone()
        }));
        configured.sort_by_key(Configured::turn);
        Self {
            configured,
            ..Self::default()
        }
    }

    /// Of a global rule's plugins those that can hold beside these of an earlier one, and what is wrong with the first that
    /// cannot: a route says one thing to each filter.
    pub(crate) fn beside(&self, earlier: &Self, path: &str) -> (Self, Option<Remark>) {
        let same = |own: &Configured| earlier.configured.iter().find(|other| other.at == own.at);
        let clash = |own: &&Configured| {
            let pair =
                same(own).and_then(|other| Some((own.plugin.as_ref()?, other.plugin.as_ref()?)));
            pair.is_some_and(|(own, other)| !rule::can_both(own.as_ref(), other.as_ref()))
        };
        let remark = self.configured.iter().find(clash).map(|own| {
            let message = format!(
                "is not in force, as `{path}` has it with other settings: Envoy's filter for it takes one configuration before \
                 all routes; write it in one global rule"
            );
            Remark::new(own.place(), message)
        });
        let held = self.configured.iter().filter(|own| !clash(own));
        let configured = held.cloned().collect();
        let held = Self {
            configured,
            ..Self::default()
        };
        (held, remark)
    }
}
