//! What the client has, and of that what the snapshot that it was sent has no more. Decides nothing about what is sent.

use std::sync::Arc;

use crate::snapshot::{Resource, Snapshot, Version};
use crate::xds::request::Protocol;

use super::Channel;

impl Channel {
    pub(super) fn sent_resource(&self, name: &str) -> Option<&Arc<Resource>> {
        self.sent.as_ref()?.set(self.resource_type).find(name)
    }

    /// The version of a resource that the client has.
    pub(super) fn held_version(&self, name: &str) -> Option<Option<Version>> {
        if let Some(version) = self.left.get(name) {
            return Some(*version);
        }
        match &self.sent {
            Some(_) => self
                .sent_resource(name)
                .map(|resource| Some(resource.version)),
            None => self.claimed.get(name).copied(),
        }
    }

    /// Whether the client is told of what it has and is gone.
    pub(super) fn takes_away(&self, protocol: Protocol) -> bool {
        let sayable = protocol == Protocol::Delta || self.resource_type.is_full_state();
        sayable && !self.resource_type.is_left()
    }

    /// Whether the client is left with all that it has.
    pub(super) fn leaves_all(&self, target: &Snapshot) -> bool {
        self.resource_type.is_left_at_last() && target.set(self.resource_type).is_empty()
    }

    /// The client may have it, or drop it without a word.
    pub(super) fn leave(&mut self, name: &Arc<str>) {
        self.forget(name);
        self.left.insert(name.clone(), None);
    }

    /// Leaves the client with all that it has though `sent` does not; or after that, takes away what is not there again. What
    /// is counts as new to the client.
    pub(super) fn leave_or_return(&mut self, target: &Snapshot) {
        let set = target.set(self.resource_type);
        let was_left = self.sent.as_ref().is_some_and(|sent| self.leaves_all(sent));
        if set.is_empty() {
            let names: Vec<_> = self.left.keys().cloned().collect();
            for name in names {
                self.leave(&name);
            }
        } else if was_left {
            self.left.retain(|name, _| set.find(name).is_none());
            let gone = self.left.keys().map(|name| (name.clone(), None));
            self.stale.extend(gone);
        }
    }

    pub(super) fn differs(&self, name: &str, target: &Snapshot) -> bool {
        let resource = target.set(self.resource_type).find(name);
        self.held_version(name) != resource.map(|resource| Some(resource.version))
    }

    /// The client has a resource for a while that the next snapshot does not have.
    pub(super) fn outlast(&mut self, name: &Arc<str>) {
        if self.stale.contains_key(name) {
            return;
        }
        let resource = self.sent_resource(name).cloned();
        let last = self.stale_from.last();
        if let Some(sent) = self.sent.as_ref().filter(|_| resource.is_some())
            && last.is_none_or(|last| !Arc::ptr_eq(last, sent))
        {
            self.stale_from.push(sent.clone());
        }
        self.stale.insert(name.clone(), resource);
    }

    /// The client no longer has what `sent` does not have.
    pub fn forget(&mut self, name: &str) {
        self.stale.remove(name);
        self.left.remove(name);
        self.deferred.remove(name);
    }

    /// The client has accepted what was sent: what it no longer has came from nowhere.
    pub(super) fn release(&mut self) {
        if self.stale.is_empty() {
            self.stale_from.clear();
        }
        let left = &self.left;
        self.borrowed.retain(|name, _| left.contains_key(name));
    }

    /// The state of the world was sent: of what `sent` does not have, the client has what went with it.
    pub fn replace_all(&mut self) {
        self.stale.retain(|_, resource| resource.is_some());
        let (stale, deferred) = (&self.stale, &self.deferred);
        self.left
            .retain(|name, _| stale.contains_key(name) || deferred.contains_key(name));
    }
}
