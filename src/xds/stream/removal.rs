//! What may be taken away: what nothing names any more that the client uses, or is about to use. Sends nothing itself.

use std::sync::Arc;

use crate::snapshot::{ResourceType, Snapshot};

use super::{Channel, Stream};

impl Stream {
    /// Takes out of the stale what the client can do without.
    pub(super) fn take_removable(&mut self, resource_type: ResourceType) -> Vec<Arc<str>> {
        let stale = &self.channel(resource_type).stale;
        if stale.is_empty() {
            return Vec::new();
        }
        let names: Vec<_> = stale
            .keys()
            .filter(|name| self.is_removable(resource_type, name))
            .cloned()
            .collect();
        let channel = &mut self.channels[resource_type.index()];
        for name in &names {
            channel.forget(name);
        }
        names
    }

    fn is_removable(&self, resource_type: ResourceType, name: &str) -> bool {
        if resource_type == ResourceType::Cluster {
            return !self.names_cluster(name);
        }
        if self.channel(resource_type).is_deferring() {
            return false;
        }
        let mut parents = resource_type
            .parents()
            .iter()
            .map(|parent| self.channel(*parent));
        parents.all(|parent| {
            // A client that refused newer ones still uses those that it had accepted.
            let acked = parent.acked.as_ref();
            let uses = acked.and_then(|acked| acked.set(resource_type).find(name));
            let moves = parent.in_flight.is_some() || !parent.stale.is_empty();
            !parent.started || (!moves && uses.is_none())
        })
    }

    /// Whether scopes have yet to follow the route tables: they may name one in a form that is gone since.
    fn scopes_lag(&self) -> bool {
        let scopes = self.channel(ResourceType::ScopedRouteConfiguration);
        let routes = self.channel(ResourceType::RouteConfiguration);
        let at = |channel: &Channel| channel.sent.as_ref().map(|sent| sent.sequence);
        scopes.started && at(scopes) < at(routes)
    }

    /// Whether anything that the client uses, or is about to use, may name the cluster.
    fn names_cluster(&self, name: &str) -> bool {
        let clusters = self.channel(ResourceType::Cluster);
        // Few clients ask for these, and those that do name them in listeners.
        let few = [
            ResourceType::ExtensionConfig,
            ResourceType::ScopedRouteConfiguration,
        ];
        // A client that came back with scopes may not have said so yet.
        let scopes = ResourceType::ScopedRouteConfiguration;
        let has_scopes = |one: &Arc<Snapshot>| !one.set(scopes).is_empty();
        let may_come = |user| user == scopes && self.latest.as_ref().is_some_and(has_scopes);
        let few = few.into_iter();
        let few = few.filter(|user| self.channel(*user).started || may_come(*user));
        let users: Vec<_> = [ResourceType::Listener, ResourceType::RouteConfiguration]
            .into_iter()
            .chain(few)
            .map(|user| self.channel(user))
            .collect();
        // A client that came back may use anything until it acknowledges, or asks for nothing in time;
        // of clusters that it had refused it does not speak, only of what names them.
        let resumed = |user: &Channel| clusters.resumed || user.resumed;
        let is_unknown = |user: &Channel| {
            if user.started {
                user.mixed || user.is_switching() || (resumed(user) && user.acked.is_none())
            } else {
                self.resuming_until.is_some()
            }
        };
        if users.iter().any(|user| is_unknown(user)) {
            return true;
        }
        if self.scopes_lag() {
            return true;
        }
        let used = users
            .into_iter()
            .filter(|user| user.started)
            .flat_map(|user| user.used());
        let mut snapshots = used
            .chain(&clusters.settled)
            .chain(&clusters.sent)
            .chain(&self.latest);
        snapshots.any(|snapshot| snapshot.set(ResourceType::Cluster).find(name).is_some())
    }
}
