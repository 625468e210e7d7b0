//! What the loop was told to be accepted, so that a fleet that says the same is heard once.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::snapshot::{Accepted, Version};

/// More names than these are only kept while they say something new: they come with every resource there ever was.
const NAMES: usize = 100_000;

/// Of more snapshots than these it is forgotten that they were accepted: a fleet is seldom that far apart.
const SNAPSHOTS: usize = 1000;

/// What the proxies of a cohort have accepted of one type.
#[derive(Debug, Default)]
pub struct Known {
    /// The snapshots, each of them: whoever accepts the next one may have refused this.
    by_names: BTreeSet<u64>,
    /// The same of those who want all there is.
    whole: BTreeSet<u64>,
    by_name: HashMap<Arc<str>, Version>,
}

impl Known {
    /// What is new of this.
    pub fn news(&mut self, mut accepted: Accepted) -> Option<Accepted> {
        if self.by_name.len() > NAMES {
            self.by_name.clear();
        }
        accepted.has.retain(|(name, version)| {
            self.by_name.insert(name.clone(), *version) != Some(*version)
        });
        let said = if accepted.whole {
            &mut self.whole
        } else {
            &mut self.by_names
        };
        accepted.sequence = accepted.sequence.filter(|sequence| said.insert(*sequence));
        if said.len() > SNAPSHOTS {
            said.pop_first();
        }
        (!accepted.is_empty()).then_some(accepted)
    }
}
