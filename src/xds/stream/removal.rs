//! What may be taken away: what nothing names any more that the client uses, or is about to use. Sends nothing itself.

use std::sync::Arc;

use crate::snapshot::ResourceType;

use super::{Channel, Stream};

impl Stream {
    /// Takes out of the stale what the client can do without.
    pub(super) fn take_removable(&mut self, resource_type: ResourceType) -> Vec<Arc<str>> {
        let stale = &self.channel(resource_type).stale;
        if stale.is_empty() {
            return Vec::new();
        }
        let names = stale
            .keys()
            .filter(|name| self.is_removable(resource_type, name));
        let names: Vec<Arc<str>> = names.cloned().collect();
        let stale = &mut self.channels[resource_type.index()].stale;
        for name in &names {
            stale.remove(name);
        }
        names
    }

    fn is_removable(&self, resource_type: ResourceType, name: &str) -> bool {
        if resource_type == ResourceType::Cluster {
            return !self.names_cluster(name);
        }
        let parents = resource_type.parents().iter();
        let mut parents = parents.map(|parent| self.channel(*parent));
        parents.all(|parent| {
            !parent.started || (parent.in_flight.is_none() && parent.stale.is_empty())
        })
    }

    /// Whether anything that the client uses, or is about to use, may name the cluster.
    fn names_cluster(&self, name: &str) -> bool {
        let clusters = self.channel(ResourceType::Cluster);
        let users = [ResourceType::Listener, ResourceType::RouteConfiguration];
        let users = users.map(|user| self.channel(user)).into_iter();
        // Few clients ask for these, and those that do name them in listeners.
        let extensions = Some(self.channel(ResourceType::ExtensionConfig));
        let users = users.chain(extensions.filter(|extensions| extensions.started));
        let users: Vec<&Channel> = users.collect();
        // A client that came back may use anything until it acknowledges, or asks for nothing in time.
        let is_unknown = |user: &Channel| match user.started {
            true => user.mixed || (clusters.resumed && user.acked.is_none()),
            false => self.resuming_until.is_some(),
        };
        if users.iter().any(|user| is_unknown(user)) {
            return true;
        }
        let users = users.into_iter().filter(|user| user.started);
        let used = users.flat_map(|user| {
            let in_flight = user.in_flight.as_ref().map(|in_flight| &in_flight.snapshot);
            user.acked.iter().chain(in_flight)
        });
        let mut snapshots = used
            .chain(&clusters.settled)
            .chain(&clusters.sent)
            .chain(&self.latest);
        snapshots.any(|snapshot| snapshot.set(ResourceType::Cluster).find(name).is_some())
    }
}
