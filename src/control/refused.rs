//! Between the loop and what proxies refuse.

use std::collections::BTreeSet;

use super::Control;
use crate::build::Builder;
use crate::xds::gateways::Said;

impl Control {
    /// Takes what a proxy said of a snapshot.
    pub(super) fn handle_said(&mut self, (gateway, outcome): &Said) {
        let id = self
            .builders
            .keys()
            .find(|id| id.as_str() == &**gateway)
            .cloned();
        if let Some(id) = id {
            self.builder(&id).0.handle_outcome(outcome);
        }
    }

    /// Looks in the store's history for a form of what proxies refused and never accepted in this process's time.
    pub(super) fn recall_withdrawn(&mut self) {
        let withdrawn: BTreeSet<String> = self
            .builders
            .values()
            .flat_map(Builder::withdrawn)
            .collect();
        self.recalled
            .retain(|document| withdrawn.contains(document));
        for document in withdrawn {
            if let Some(error) = self.refused.get(&document)
                && self.recalled.insert(document.clone())
            {
                self.documents.refuse(&document, error);
            }
        }
        self.settle();
    }
}
