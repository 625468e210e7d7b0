//! What is known of things over a restart.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

use super::Trial;
use crate::build::acceptance::Unproven;

impl<K: Clone + Eq + Hash + Ord, F> Trial<K, F> {
    /// The things whose wanted form no proxy has accepted.
    pub fn unproven(&self) -> impl Iterator<Item = (&K, Unproven<Arc<F>>)> {
        let unproven = self.all_wanted();
        unproven
            .filter(|(key, _)| self.is_unproven(key))
            .map(|(key, _)| {
                let unproven = Unproven {
                    good: self.good(key).cloned(),
                    searched: self.is_held(key) && !self.refused().contains_key(key),
                    refusal: self.refused().get(key).cloned(),
                };
                (key, unproven)
            })
    }

    /// Takes what an earlier process knew of these. Tells whose placed form may be another one now.
    pub fn restore(&mut self, unproven: HashMap<K, Unproven<Arc<F>>>, next: u64) -> Vec<K> {
        let mut held = Vec::new();
        for (key, known) in unproven {
            let Some(thing) = self.things.get_mut(&key) else {
                continue;
            };
            thing.good = known.good;
            let key = [key];
            match known.refusal {
                Some(refusal) => drop(self.refuse(key.to_vec(), &refusal, next)),
                None if known.searched => self.hold(&key, true, next),
                None => continue,
            }
            held.extend(key);
        }
        held
    }

    /// Whether what is served is what the earlier process served: then all but what is listed was accepted, and otherwise what is
    /// refused is tried again. What was searched is, whatever is known. Tells whose placed form is another one now.
    pub fn judge_restored(&mut self, is_same: bool, listed: &[K], next: u64) -> Vec<K> {
        if is_same {
            self.accept_all_but(&listed.iter().collect());
        }
        let is_tried = |key: &&K| {
            let is_refused = self.refused().contains_key(*key);
            self.is_held(key) && !(is_same && is_refused)
        };
        let tried: Vec<K> = listed.iter().filter(is_tried).cloned().collect();
        for key in &tried {
            self.refused.remove(key);
        }
        self.hold(&tried, false, next);
        tried
    }

    /// All that is wanted was accepted before this process, but for these.
    fn accept_all_but(&mut self, unproven: &HashSet<&K>) {
        for (key, thing) in &mut self.things {
            thing.accepted |= !unproven.contains(key);
        }
    }
}
