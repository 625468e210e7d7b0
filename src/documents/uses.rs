//! Which services of the registry are named, and by how many.

use std::collections::{BTreeMap, HashMap};

use crate::model::ServiceKey;

/// Counts of names.
#[derive(Debug, Default)]
pub(super) struct Uses {
    counts: HashMap<ServiceKey, usize>,
    /// Those whose count changed since the last time, and whether they were named then.
    touched: BTreeMap<ServiceKey, bool>,
}

impl Uses {
    /// One more names the service.
    pub(super) fn retain(&mut self, service: &ServiceKey) {
        let count = self.counts.entry(service.clone()).or_default();
        self.touched.entry(service.clone()).or_insert(*count > 0);
        *count += 1;
    }

    /// One that named the service does no longer.
    pub(super) fn release(&mut self, service: &ServiceKey) {
        let Some(count) = self.counts.get_mut(service) else {
            return;
        };
        self.touched.entry(service.clone()).or_insert(*count > 0);
        *count -= 1;
        if *count == 0 {
            self.counts.remove(service);
        }
    }

    /// The services that are named now and were not the last time, and the other way round.
    pub(super) fn settle(&mut self) -> (Vec<ServiceKey>, Vec<ServiceKey>) {
        let (mut added, mut removed) = (Vec::new(), Vec::new());
        for (service, before) in std::mem::take(&mut self.touched) {
            match (before, self.counts.contains_key(&service)) {
                (false, true) => added.push(service),
                (true, false) => removed.push(service),
                _ => {}
            }
        }
        (added, removed)
    }
}
