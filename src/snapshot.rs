//! A snapshot: every resource of one gateway at one moment. Immutable, shared by all streams of the gateway.
//!
//! Resources that did not change keep their `Arc`, their bytes and their version from one snapshot to the next, and a
//! snapshot remembers which names its last predecessors changed, so that a stream's diff costs what changed since it last
//! looked. Knows no route and no stream; no async, no clock, no I/O.

mod log;
mod outcome;
pub mod resource;
pub mod set;
pub mod version;

use std::fmt;
use std::sync::Arc;

use crate::cohort::Cohort;

pub use log::Log;
pub use outcome::{Accepted, Outcome, Refused};
pub use resource::{Child, Resource, ResourceType};
pub use set::Set;
pub use version::Version;

/// One resource that is new, has new content, or is gone.
#[derive(Debug)]
pub struct Change {
    pub resource_type: ResourceType,
    pub name: Arc<str>,
    /// What it is now.
    pub resource: Option<Arc<Resource>>,
}

/// Every resource of one gateway at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub gateway: Arc<str>,
    /// Which of its proxies it is for; nothing as long as there are none.
    pub cohort: Option<Cohort>,
    /// Counts the snapshots of this gateway in this process, from 1.
    pub sequence: u64,
    /// The store's revision that it includes.
    pub revision: i64,
    sets: [Arc<Set>; ResourceType::ALL.len()],
    log: Log,
}

/// How many resources of a type a snapshot added, changed and removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub added: usize,
    pub changed: usize,
    pub removed: usize,
}

impl Tally {
    /// What these changes and then those come to.
    #[must_use]
    pub fn and(self, then: Self) -> Self {
        Self {
            added: self.added + then.added,
            changed: self.changed + then.changed,
            removed: self.removed + then.removed,
        }
    }
}

impl fmt::Display for Tally {
    /// `+1~0-2`, or `~1` when nothing came and nothing went.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.added, self.removed) {
            (0, 0) => write!(f, "~{}", self.changed),
            (added, removed) => write!(f, "+{added}~{}-{removed}", self.changed),
        }
    }
}

/// What [`Snapshot::next`] did, by type.
pub type Tallies = [Tally; ResourceType::ALL.len()];

impl Snapshot {
    /// The snapshot before the first: nothing is in it, and nobody is served it.
    pub fn empty(gateway: Arc<str>) -> Self {
        Self {
            gateway,
            cohort: None,
            sequence: 0,
            revision: 0,
            sets: std::array::from_fn(|_| Arc::new(Set::default())),
            log: Log::default(),
        }
    }

    /// Derives the snapshot after this one. Changes that bring the content a resource already has are no changes.
    pub fn next(
        &self,
        changes: impl IntoIterator<Item = Change>,
        revision: i64,
    ) -> (Self, Tallies) {
        let mut next = self.clone();
        let mut tallies = Tallies::default();
        let mut names: [Vec<Arc<str>>; ResourceType::ALL.len()] = Default::default();
        next.sequence += 1;
        next.revision = revision;
        for change in changes {
            let index = change.resource_type.index();
            let set = &mut next.sets[index];
            let before = set.find(&change.name).map(|resource| resource.version);
            let after = change.resource.as_ref().map(|resource| resource.version);
            if before == after {
                continue;
            }
            let tally = &mut tallies[index];
            match (before, after) {
                (None, _) => tally.added += 1,
                (_, None) => tally.removed += 1,
                _ => tally.changed += 1,
            }
            Arc::make_mut(set).replace(change.name.clone(), change.resource);
            names[index].push(change.name);
        }
        next.log = self.log.next(next.sequence, names);
        (next, tallies)
    }

    /// These changes, but with the resources of this snapshot where it has the same content: they are held once.
    pub fn share(&self, changes: &mut [Change]) {
        for change in changes {
            let set = self.set(change.resource_type);
            if let (Some(resource), Some(other)) = (&mut change.resource, set.find(&change.name))
                && resource.version == other.version
            {
                *resource = other.clone();
            }
        }
    }

    /// The resources of one type.
    pub fn set(&self, resource_type: ResourceType) -> &Arc<Set> {
        &self.sets[resource_type.index()]
    }

    /// The names of one type that changed since `sequence`, some of them perhaps more than once or back and forth; nothing
    /// when that is too long ago to know.
    pub fn changed_since(
        &self,
        sequence: u64,
        resource_type: ResourceType,
    ) -> Option<impl Iterator<Item = &Arc<str>>> {
        self.log.since(sequence, resource_type)
    }

    /// The version of all content together.
    pub fn version(&self) -> Version {
        self.sets
            .iter()
            .zip(ResourceType::ALL)
            .fold(Version::default(), |version, (set, resource_type)| {
                version.with(resource_type.type_url(), set.version())
            })
    }
}

#[cfg(test)]
mod tests;
