//! What a stream's client was sent, resource by resource, for those who debug. Changes nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::snapshot::{Resource, ResourceType, Snapshot};

use super::{Channel, Stream};

/// One resource that a client wants or has.
#[derive(Debug)]
pub struct Holding {
    pub resource_type: ResourceType,
    pub name: Arc<str>,
    /// What was sent last, if anything was.
    pub resource: Option<Arc<Resource>>,
    pub standing: Standing,
}

/// How a resource stands with a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Sent and accepted.
    Synced,
    /// Sent, neither accepted nor refused.
    Sent,
    /// A newer content, the first one, or the removal waits for its turn.
    Waiting,
    /// It does not exist.
    Missing,
    /// Sent in a response that was refused.
    Refused,
}

impl Stream {
    /// All that the client wants or has.
    pub fn holdings(&self) -> Vec<Holding> {
        let started = ResourceType::ALL
            .into_iter()
            .filter(|each| self.channel(*each).started);
        started.flat_map(|each| self.holdings_of(each)).collect()
    }

    fn holdings_of(&self, resource_type: ResourceType) -> impl Iterator<Item = Holding> {
        let channel = self.channel(resource_type);
        let mut names: BTreeSet<&Arc<str>> = channel.subscription.names().collect();
        if channel.subscription.is_wildcard() {
            let sets = channel.sent.iter().chain(&self.latest);
            names.extend(sets.flat_map(|snapshot| {
                let set = snapshot.set(resource_type);
                set.iter().map(|(name, _)| name)
            }));
        }
        names.extend(channel.stale.keys());
        names.into_iter().map(move |name| Holding {
            resource_type,
            name: name.clone(),
            resource: sent(channel, resource_type, name),
            standing: self.standing(channel, resource_type, name),
        })
    }

    fn standing(&self, channel: &Channel, resource_type: ResourceType, name: &str) -> Standing {
        let version = |snapshot: &Option<Arc<Snapshot>>| {
            find(snapshot, resource_type, name).map(|found| found.version)
        };
        let (sent, latest) = (version(&channel.sent), version(&self.latest));
        if sent != latest || channel.stale.contains_key(name) || channel.defers(name) {
            return Standing::Waiting;
        }
        if sent.is_none() {
            return Standing::Missing;
        }
        match channel.in_flight {
            None if channel.owes(name) => Standing::Refused,
            Some(_) if sent != version(&channel.acked) => Standing::Sent,
            _ => Standing::Synced,
        }
    }
}

/// What the client was sent: a stale resource too, until it is taken away, and of what is deferred the form before.
fn sent(channel: &Channel, resource_type: ResourceType, name: &str) -> Option<Arc<Resource>> {
    let stale = channel.stale.get(name).cloned().flatten();
    if channel.defers(name) {
        return channel.kept(name).cloned();
    }
    stale.or_else(|| find(&channel.sent, resource_type, name))
}

fn find(
    snapshot: &Option<Arc<Snapshot>>,
    resource_type: ResourceType,
    name: &str,
) -> Option<Arc<Resource>> {
    snapshot.as_ref()?.set(resource_type).find(name).cloned()
}
