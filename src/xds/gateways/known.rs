//! What the loop was told to be accepted, so that a fleet that says the same is heard once.

use std::collections::HashMap;
use std::sync::Arc;

use crate::snapshot::{Accepted, Version};

/// More names than these are only kept while they say something new: they come with every resource there ever was.
const NAMES: usize = 100_000;

/// What the proxies of a cohort have accepted of one type.
#[derive(Debug, Default)]
pub struct Known {
    sequence: Option<u64>,
    /// The same of those who want all there is.
    whole: Option<u64>,
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
        let newest = if accepted.whole {
            &mut self.whole
        } else {
            &mut self.sequence
        };
        if accepted.sequence > *newest {
            *newest = accepted.sequence;
        } else {
            accepted.sequence = None;
        }
        (!accepted.is_empty()).then_some(accepted)
    }
}
