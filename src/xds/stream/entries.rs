//! Which resources a response carries, as whole `resources` fields, and the version that it claims.

use std::sync::Arc;

use bytes::Bytes;

use crate::snapshot::{ResourceType, Snapshot, Version, set};
use crate::xds::channel::{Channel, Diff};

/// The resources of a delta response: what is new, or the shared pages when that is everything.
pub(super) fn delta(
    resource_type: ResourceType,
    target: &Snapshot,
    diff: &Diff,
) -> (Arc<[Bytes]>, usize, Version) {
    let set = target.set(resource_type);
    let entries = if diff.sends_all(set) {
        set.delta_pages().clone()
    } else {
        set::pages(diff.send.iter().map(|(_, resource)| resource.delta_entry()))
    };
    (entries, diff.send.len(), set.version())
}

/// The resources of a SotW response: the full state, stale ones included, where the type demands it; else what is new.
pub(super) fn sotw(
    channel: &Channel,
    resource_type: ResourceType,
    target: &Snapshot,
    diff: &Diff,
) -> (Arc<[Bytes]>, usize, Version) {
    let set = target.set(resource_type);
    let mut version = channel.version(target);
    let stale = channel
        .stale
        .iter()
        .filter_map(|(name, resource)| Some((name, resource.as_ref()?)));
    if resource_type.is_full_state()
        && !(channel.subscription.is_wildcard()
            && channel.stale.is_empty()
            && !channel.is_deferring())
    {
        let wanted = set
            .iter()
            .filter(|(name, _)| channel.subscription.has(name));
        let wanted = wanted.map(|(name, resource)| match channel.kept(name) {
            Some(kept) => {
                version = version.without(name, resource.version);
                version = version.with(name, kept.version);
                (name, kept)
            }
            None => (name, resource),
        });
        let all: Vec<_> = wanted.chain(stale.clone()).collect();
        let version = stale.fold(version, |sum, (name, resource)| {
            sum.with(name, resource.version)
        });
        let count = all.len();
        return (
            set::pages(all.into_iter().map(|(_, resource)| resource.sotw_entry())),
            count,
            version,
        );
    }
    if resource_type.is_full_state() || diff.sends_all(set) {
        return (set.sotw_pages().clone(), set.len(), version);
    }
    let entries = set::pages(diff.send.iter().map(|(_, resource)| resource.sotw_entry()));
    (entries, diff.send.len(), version)
}
