//! The search for what a refusal was about, where the proxy's words do not tell: suspects are held, and let out in halves.

use std::collections::HashSet;
use std::hash::Hash;

use super::{Refusal, Trial, Verdict};

/// The search for what a refusal was about.
#[derive(Debug)]
pub(super) struct Search<K> {
    /// What is searched for.
    pub(super) refusal: Refusal,
    /// Suspects that are not held yet, the most suspicious last.
    pub(super) rest: Vec<K>,
    /// How many were held last, while proxies still refuse the rest.
    pub(super) widening: Option<usize>,
    /// Groups that are held, to be let out one after the other.
    pub(super) groups: Vec<Vec<K>>,
    /// The group that is out.
    pub(super) out: Vec<K>,
    /// Things that have another form meanwhile, and are to be left out of all of these.
    pub(super) changed: HashSet<K>,
    /// The first snapshot whose answer counts.
    pub(super) from: u64,
}

impl<K: Clone + Eq + Hash + Ord, F> Trial<K, F> {
    /// Starts a search. `known`: what was in force before is known, so that all suspects can be held without harm.
    pub(super) fn search_among(
        &mut self,
        suspects: Vec<K>,
        known: bool,
        refusal: &Refusal,
        next: u64,
    ) -> Verdict<K> {
        if suspects.is_empty() {
            return Verdict::default();
        }
        let mut search = Search {
            refusal: refusal.clone(),
            rest: suspects,
            widening: Some(1),
            groups: Vec::new(),
            out: Vec::new(),
            changed: HashSet::new(),
            from: next,
        };
        let count = if known { search.rest.len() } else { 1 };
        let touched = self.widen(&mut search, count, next);
        self.search = Some(search);
        Verdict {
            touched,
            refused: Vec::new(),
        }
    }

    /// Holds `count` more of the suspects.
    fn widen(&mut self, search: &mut Search<K>, count: usize, next: u64) -> Vec<K> {
        let at = search.rest.len().saturating_sub(count);
        let group = search.rest.split_off(at);
        self.hold(&group, true, next);
        search.widening = Some(count);
        search.groups.push(group.clone());
        search.from = next;
        group
    }

    /// The proxies refused what they were sent during the search: what was let out, or what changed meanwhile.
    pub(super) fn search_closer(
        &mut self,
        mut search: Search<K>,
        suspects: Vec<K>,
        next: u64,
    ) -> Verdict<K> {
        search.leave_changed_out();
        let known: HashSet<&K> = search.rest.iter().chain(&search.out).collect();
        let fresh = suspects.into_iter().filter(|key| !known.contains(key));
        let fresh: Vec<K> = fresh.collect();
        if let Some(count) = search.widening {
            // What another proxy has accepted meanwhile is no suspect any more.
            search.rest.retain(|key| self.is_unproven(key));
            search.rest.extend(fresh);
            let touched = self.widen(&mut search, 2 * count, next);
            if touched.is_empty() {
                // Even without all of them it is refused: what is held is told, rather than held in silence.
                let held = std::mem::take(&mut search.groups).concat();
                return self.refuse(held, &search.refusal, next);
            }
            self.search = Some(search);
            return Verdict {
                touched,
                refused: Vec::new(),
            };
        }
        let mut group = std::mem::take(&mut search.out);
        group.retain(|key| self.is_unproven(key));
        group.extend(fresh);
        if group.len() < 2 {
            let mut verdict = self.refuse(group, &search.refusal.clone(), next);
            verdict.touched.extend(self.search_on(search, next));
            return verdict;
        }
        self.hold(&group, true, next);
        let touched = group.clone();
        let half = group.split_off(group.len() / 2);
        search.groups.extend([group, half]);
        search.from = next;
        // The halves are let out once the proxies have accepted the rest.
        self.search = Some(search);
        Verdict {
            touched,
            refused: Vec::new(),
        }
    }

    /// Lets the next group out, split while it is the last one known to be bad; ends the search after the last.
    pub(super) fn search_on(&mut self, mut search: Search<K>, next: u64) -> Vec<K> {
        search.out = match search.groups.pop() {
            Some(mut group) if group.len() > 1 && search.groups.is_empty() => {
                let half = group.split_off(group.len() / 2);
                search.groups.push(group);
                half
            }
            Some(group) => group,
            None => return Vec::new(),
        };
        search.from = next;
        let out = search.out.clone();
        self.hold(&out, false, next);
        self.search = Some(search);
        out
    }
}

impl<K: Eq + Hash> Search<K> {
    /// What has another form now is no longer a suspect. All of it at once: in a burst each thing by itself would cost the
    /// whole search.
    pub(super) fn leave_changed_out(&mut self) {
        let changed = std::mem::take(&mut self.changed);
        if changed.is_empty() {
            return;
        }
        for list in self
            .groups
            .iter_mut()
            .chain([&mut self.rest, &mut self.out])
        {
            list.retain(|key| !changed.contains(key));
        }
        self.groups.retain(|group| !group.is_empty());
    }
}
