//! What must not go out before the client has accepted its children, as the client would use it at once: scopes, whose route
//! tables have to be there first. The client keeps the form that it has. What is new to the client is not deferred: something
//! has to name the children, or the client would never ask for them.

use std::collections::HashSet;
use std::sync::Arc;

use crate::snapshot::{Resource, Snapshot, Version};
use crate::xds::request::Protocol;

use super::Channel;

/// A resource that the client has in another form than it is to have.
#[derive(Debug)]
pub(super) struct Deferred {
    /// The version that it is to have.
    version: Version,
    /// The first snapshot with that version; its children count as of then.
    since: u64,
    /// What the client has, where that is known.
    kept: Option<Arc<Resource>>,
    /// The snapshot that `kept` is from.
    from: Option<Arc<Snapshot>>,
}

/// What resources that the client has name; nothing when it is not known which it has.
pub(super) type Named = Option<HashSet<Arc<str>>>;

impl Channel {
    /// Whether the client has something in another form than `sent` has, until it has accepted the children of that.
    pub fn is_deferring(&self) -> bool {
        !self.deferred.is_empty()
    }

    /// Whether the client may use children that are gone from every snapshot that it has accepted: it is not told yet, or has
    /// not answered, what it is to use in their place.
    pub fn is_switching(&self) -> bool {
        let moves = self.in_flight.is_some() || !self.stale.is_empty();
        (self.resource_type.awaits().is_some() && moves) || self.is_deferring()
    }

    pub fn defers(&self, name: &str) -> bool {
        self.deferred.contains_key(name)
    }

    /// The form that the client keeps of what is deferred, where it is known.
    pub fn kept(&self, name: &str) -> Option<&Arc<Resource>> {
        self.deferred.get(name)?.kept.as_ref()
    }

    /// The snapshots that forms which the client keeps are from, and what is still to be taken away.
    pub fn kept_from(&self) -> impl Iterator<Item = &Arc<Snapshot>> {
        let deferred = self.deferred.values().filter_map(|each| each.from.as_ref());
        deferred.chain(&self.stale_from)
    }

    /// The children of all that the client surely has.
    pub(super) fn named_children(&self) -> Named {
        let sent = self.sent.as_ref()?.set(self.resource_type).iter();
        let same = sent.filter(|(name, _)| !self.deferred.contains_key(*name));
        let same = same.map(|(_, resource)| resource);
        let kept = self.deferred.values().filter_map(|each| each.kept.as_ref());
        let stale = self.stale.values().flatten();
        let had = same.chain(kept).chain(stale);
        let children = had.flat_map(|resource| resource.children.iter());
        Some(children.map(|(_, name)| name.clone()).collect())
    }

    /// Whatever named it before is gone, and the client may just be dropping it: it counts once it was accepted anew.
    fn prove_again(&mut self, name: &Arc<str>) {
        if self.subscription.has(name) {
            self.forced.insert(name.clone());
            self.unproven.insert(name.clone());
        }
    }

    /// Defers a resource of `target` unless it may go out, or the client has it.
    pub(super) fn defer(
        &mut self,
        name: &Arc<str>,
        resource: &Resource,
        target: &Snapshot,
        (awaited, named): (&mut Self, &Named),
        protocol: Protocol,
    ) -> bool {
        let held = self.held_version(name);
        if held == Some(Some(resource.version)) {
            return false;
        }
        let before = self.deferred.get(name);
        let since = before
            .filter(|before| before.version == resource.version)
            .map_or(target.sequence, |before| before.since);
        let changed = before.is_none_or(|before| before.version != resource.version);
        let children = resource.children.iter();
        let awaits = self.resource_type.awaits();
        let mut children = children.filter(|(of, _)| Some(*of) == awaits);
        // In SotW it is not seen that a name was dropped and is wanted again at once.
        let again = changed && (held.is_some() || protocol == Protocol::Sotw);
        if again && let Some(named) = named {
            for (_, child) in children.clone().filter(|(_, child)| !named.contains(child)) {
                awaited.prove_again(child);
            }
        }
        let Some(held) = held else {
            return false;
        };
        if children.all(|(_, child)| awaited.has_accepted(child, since)) {
            return false;
        }
        let refused = self.forced.contains(name);
        let (kept, from) = match before {
            Some(before) => (before.kept.clone(), before.from.clone()),
            // Of what was refused the client has the form that it had accepted.
            None if refused => self.form_of(name, self.acked.as_ref()),
            None => match self.stale.get(name) {
                // The client may have dropped it without a word.
                Some(None) => return false,
                Some(stale) => (stale.clone(), self.acked.clone()),
                None => self.form_of(name, self.sent.as_ref()),
            },
        };
        let is_new = refused && !self.changing.contains(name);
        if kept.is_none() && (is_new || protocol == Protocol::Sotw) {
            return false;
        }
        self.left.insert(name.clone(), held.filter(|_| !refused));
        self.stale.remove(name);
        let deferred = Deferred {
            version: resource.version,
            since,
            kept,
            from,
        };
        self.deferred.insert(name.clone(), deferred);
        true
    }

    fn form_of(
        &self,
        name: &str,
        snapshot: Option<&Arc<Snapshot>>,
    ) -> (Option<Arc<Resource>>, Option<Arc<Snapshot>>) {
        let form = snapshot.and_then(|snapshot| snapshot.set(self.resource_type).find(name));
        (form.cloned(), form.and(snapshot).cloned())
    }

    /// Whether the client has accepted a resource as it was in the snapshot `since`, or later.
    fn has_accepted(&self, name: &str, since: u64) -> bool {
        let reaches = |snapshot: &Arc<Snapshot>| snapshot.sequence >= since;
        let is_sent = self.sent.as_ref().is_some_and(reaches) && self.sent_resource(name).is_some();
        if !is_sent
            || !self.subscription.has(name)
            || self.asked.contains(name)
            || self.unproven.contains(name)
        {
            return false;
        }
        let is_settled = || !self.owed.contains(name) && !self.is_bringing(name);
        self.acked.as_ref().is_some_and(reaches) || is_settled()
    }

    /// Whether the response on its way brings a resource.
    fn is_bringing(&self, name: &str) -> bool {
        self.in_flight.as_ref().is_some_and(|in_flight| {
            let brings = in_flight.brings.as_ref();
            brings.is_none_or(|brings| brings.iter().any(|brought| &**brought == name))
        })
    }
}
