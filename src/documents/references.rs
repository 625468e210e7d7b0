//! Who refers to whom, backwards: what a change of an upstream or a service touches.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// The documents that refer to a document, by its path. A document may be referred to before it is there.
#[derive(Debug, Default)]
pub(super) struct References(HashMap<Arc<str>, BTreeSet<Arc<str>>>);

impl References {
    /// A document refers to `now`, and no longer to `before`.
    pub(super) fn replace(&mut self, from: &Arc<str>, before: Vec<Arc<str>>, now: Vec<Arc<str>>) {
        for to in before {
            if let Some(referring) = self.0.get_mut(&to) {
                referring.remove(from);
                if referring.is_empty() {
                    self.0.remove(&to);
                }
            }
        }
        for to in now {
            self.0.entry(to).or_default().insert(from.clone());
        }
    }

    /// These documents and all that refer to them, directly or through others.
    pub(super) fn affected(&self, touched: BTreeSet<Arc<str>>) -> BTreeSet<Arc<str>> {
        let mut open: Vec<_> = touched.iter().cloned().collect();
        let mut affected = touched;
        while let Some(path) = open.pop() {
            for referring in self.0.get(&path).into_iter().flatten() {
                if affected.insert(referring.clone()) {
                    open.push(referring.clone());
                }
            }
        }
        affected
    }
}
