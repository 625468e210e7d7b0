//! Which forms the proxies accept: what they refuse is found, and held at its last accepted form.
//!
//! Things (routes, clusters, listeners, …) are wanted in a form; the form that is placed is the wanted one, or, for a
//! thing that is held, the last one that a proxy accepted, if any. A refusal names a snapshot and, with luck, the thing.
//! Without luck the suspects are held and let out again in halves, each half judged by the proxies' next answer. Where
//! nothing is known of what was accepted before (after a restart), the newest suspects are held first, then twice as
//! many: a wrong guess must not take away what has been served all along.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

/// Things of one kind, by key, and how they fare.
#[derive(Debug)]
pub struct Trial<K, F> {
    things: HashMap<K, Thing<F>>,
    /// Those that are found guilty, and why.
    refused: BTreeMap<K, Arc<str>>,
    /// The newest snapshot that a proxy accepted.
    acked: u64,
    /// The newest snapshot whose refusal was acted on.
    judged: u64,
    search: Option<Search<K>>,
}

#[derive(Debug)]
struct Thing<F> {
    wanted: Arc<F>,
    held: bool,
    /// The snapshot that has the placed form first.
    since: u64,
    /// How recent the wanted form is; only the order counts.
    age: i64,
    /// The last form before the wanted one that a proxy accepted.
    good: Option<Arc<F>>,
}

/// The search for what a refusal was about.
#[derive(Debug)]
struct Search<K> {
    error: Arc<str>,
    /// Suspects that are not held yet, the most suspicious last.
    rest: Vec<K>,
    /// How many were held last, while proxies still refuse the rest.
    widening: Option<usize>,
    /// Groups that are held, to be let out one after the other.
    groups: Vec<Vec<K>>,
    /// The group that is out.
    out: Vec<K>,
    /// Things that have another form meanwhile, and are to be left out of all of these.
    changed: HashSet<K>,
    /// The first snapshot whose answer counts.
    from: u64,
}

/// What a refusal led to.
#[derive(Debug, PartialEq, Eq)]
pub struct Verdict<K> {
    /// Things whose placed form is another one now.
    pub touched: Vec<K>,
    /// Things that are found guilty: they keep their last accepted form, or are withdrawn, until they change.
    pub refused: Vec<K>,
}

impl<K> Default for Verdict<K> {
    fn default() -> Self {
        Self {
            touched: Vec::new(),
            refused: Vec::new(),
        }
    }
}

impl<K, F> Default for Trial<K, F> {
    fn default() -> Self {
        Self {
            things: HashMap::new(),
            refused: BTreeMap::new(),
            acked: 0,
            judged: 0,
            search: None,
        }
    }
}

impl<K: Clone + Eq + Hash + Ord, F> Trial<K, F> {
    /// A thing is wanted in a new form, or no longer. It is no longer suspected of anything. `next` is the sequence of the
    /// snapshot that will have it, `age` tells how recent the form is.
    pub fn want(&mut self, key: &K, form: Option<Arc<F>>, age: i64, next: u64) {
        if let Some(search) = &mut self.search {
            search.changed.insert(key.clone());
        }
        self.refused.remove(key);
        let Some(wanted) = form else {
            self.things.remove(key);
            return;
        };
        let good = self.things.remove(key).and_then(|before| {
            let accepted = !before.held && before.since <= self.acked;
            if accepted {
                Some(before.wanted)
            } else {
                before.good
            }
        });
        let thing = Thing {
            wanted,
            held: false,
            since: next,
            age,
            good,
        };
        self.things.insert(key.clone(), thing);
    }

    /// A thing may be tried again though it is wanted in the same form. Tells whether it was held.
    pub fn release(&mut self, key: &K, next: u64) -> bool {
        let was_refused = self.refused.remove(key).is_some();
        if was_refused {
            self.hold(std::slice::from_ref(key), false, next);
        }
        was_refused
    }

    pub fn wanted(&self, key: &K) -> Option<&Arc<F>> {
        self.things.get(key).map(|thing| &thing.wanted)
    }

    /// The form in force.
    pub fn placed(&self, key: &K) -> Option<&Arc<F>> {
        let thing = self.things.get(key)?;
        if thing.held {
            thing.good.as_ref()
        } else {
            Some(&thing.wanted)
        }
    }

    /// Things that are refused, and why.
    pub fn refused(&self) -> &BTreeMap<K, Arc<str>> {
        &self.refused
    }

    /// A proxy accepted a snapshot. Tells whose placed form is another one now.
    pub fn handle_ack(&mut self, sequence: u64, next: u64) -> Vec<K> {
        self.acked = self.acked.max(sequence);
        let Some(mut search) = self.search.take_if(|search| sequence >= search.from) else {
            return Vec::new();
        };
        search.leave_changed_out();
        // What is out is innocent, and so is everything that was never held.
        search.widening = None;
        search.rest.clear();
        self.search_on(search, next)
    }

    /// A proxy that had accepted `after` refused `sequence`. `named`: whether the proxy's words name a thing.
    pub fn handle_nack(
        &mut self,
        after: Option<u64>,
        sequence: u64,
        error: &Arc<str>,
        next: u64,
        named: impl Fn(&K) -> bool,
    ) -> Verdict<K> {
        if sequence <= self.judged {
            return Verdict::default();
        }
        self.judged = next - 1;
        let suspects = self.suspects(after, sequence);
        let guilty: Vec<K> = suspects.iter().filter(|key| named(key)).cloned().collect();
        if !guilty.is_empty() {
            return self.refuse(guilty, error, next);
        }
        match self.search.take() {
            Some(search) if sequence >= search.from => self.search_closer(search, suspects, next),
            Some(search) => {
                self.search = Some(search);
                Verdict::default()
            }
            None if suspects.len() == 1 => self.refuse(suspects, error, next),
            None => self.search_among(suspects, after.is_some(), error, next),
        }
    }

    /// What changed between what a proxy had and what it refused; of a proxy that had nothing, what none has accepted.
    fn suspects(&self, after: Option<u64>, sequence: u64) -> Vec<K> {
        let accepted = after.unwrap_or(self.acked);
        let things = self.things.iter();
        let suspect = things
            .filter(|(_, thing)| !thing.held && thing.since > accepted && thing.since <= sequence);
        let mut suspects: Vec<_> = suspect
            .map(|(key, thing)| (thing.since, thing.age, key))
            .collect();
        suspects.sort();
        suspects
            .into_iter()
            .map(|(_, _, key)| key.clone())
            .collect()
    }

    /// Finds things guilty: they are held until they change.
    pub fn refuse(&mut self, guilty: Vec<K>, error: &Arc<str>, next: u64) -> Verdict<K> {
        let refused = guilty.iter().map(|key| (key.clone(), error.clone()));
        self.refused.extend(refused);
        self.hold(&guilty, true, next);
        Verdict {
            touched: guilty.clone(),
            refused: guilty,
        }
    }

    /// Starts a search. `known`: what was in force before is known, so that all suspects can be held without harm.
    fn search_among(
        &mut self,
        suspects: Vec<K>,
        known: bool,
        error: &Arc<str>,
        next: u64,
    ) -> Verdict<K> {
        if suspects.is_empty() {
            return Verdict::default();
        }
        let mut search = Search {
            error: error.clone(),
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
    fn search_closer(&mut self, mut search: Search<K>, suspects: Vec<K>, next: u64) -> Verdict<K> {
        search.leave_changed_out();
        let known: HashSet<&K> = search.rest.iter().chain(&search.out).collect();
        let fresh: Vec<K> = suspects
            .into_iter()
            .filter(|key| !known.contains(key))
            .collect();
        if let Some(count) = search.widening {
            search.rest.extend(fresh);
            let touched = self.widen(&mut search, 2 * count, next);
            if touched.is_empty() {
                // Even without all of them it is refused: what is held is told, rather than held in silence.
                let held = std::mem::take(&mut search.groups).concat();
                return self.refuse(held, &search.error, next);
            }
            self.search = Some(search);
            return Verdict {
                touched,
                refused: Vec::new(),
            };
        }
        let mut group = std::mem::take(&mut search.out);
        group.extend(fresh);
        if group.len() < 2 {
            let mut verdict = self.refuse(group, &search.error.clone(), next);
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
    fn search_on(&mut self, mut search: Search<K>, next: u64) -> Vec<K> {
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

    fn hold(&mut self, keys: &[K], held: bool, next: u64) {
        for key in keys {
            if let Some(thing) = self.things.get_mut(key) {
                thing.held = held;
                thing.since = next;
            }
        }
    }
}

impl<K: Eq + Hash> Search<K> {
    /// What has another form now is no longer a suspect. All of it at once: in a burst each thing by itself would cost the
    /// whole search.
    fn leave_changed_out(&mut self) {
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

#[cfg(test)]
mod tests;
