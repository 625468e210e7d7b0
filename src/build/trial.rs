//! Which forms the proxies accept: what they refuse is found, and held at its last accepted form.
//!
//! Things (routes, clusters, listeners, …) are wanted in a form; the form that is placed is the wanted one, or, for a
//! thing that is held, the last one that a proxy accepted, if any. A refusal names a snapshot and, with luck, the thing.
//! Without luck the suspects are held and let out again in halves, each half judged by the proxies' next answer. Where
//! nothing is known of what was accepted before (after a restart), the newest suspects are held first, then twice as
//! many: a wrong guess must not take away what has been served all along.
//!
//! A form that any proxy has accepted is no suspect, whoever refuses it, and whenever: the one that does is behind. What
//! is refused is held for as long as a proxy that refused it is there.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

mod restored;
mod search;
mod underway;

use search::Search;
use underway::Underway;

/// Things of one kind, by key, and how they fare.
#[derive(Debug)]
pub struct Trial<K, F> {
    things: HashMap<K, Thing<F>>,
    /// Those that are found guilty, and of what.
    refused: BTreeMap<K, Refusal>,
    /// The newest snapshot of which a proxy has accepted everything.
    acked: u64,
    /// The newest snapshot whose refusal was acted on.
    judged: u64,
    search: Option<Search<K>>,
    /// Things of which a proxy may have a form that was replaced, or held for a while, before it answered.
    underway: HashSet<K>,
    /// Things whose placed form the next snapshot will have first.
    fresh: HashSet<K>,
}

#[derive(Debug)]
struct Thing<F> {
    wanted: Arc<F>,
    held: bool,
    /// The snapshot that has the placed form first.
    since: u64,
    /// The last snapshots that had the wanted form before it was held: from the first, up to the second.
    shown: (u64, u64),
    /// Whether a proxy has said by name that it accepted the wanted form.
    accepted: bool,
    /// Whether a proxy came with another form, from before this process, that is not known here.
    elsewhere: bool,
    /// How recent the wanted form is; only the order counts.
    age: i64,
    /// The last form before the wanted one that a proxy accepted.
    good: Option<Arc<F>>,
    /// Those between the two, of which that is not known yet.
    underway: Underway<F>,
}

/// Who refuses a thing, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// In the words of the first proxy that did.
    pub error: Arc<str>,
    /// The ids of those that did: until the last of them has left, the thing is held.
    pub nodes: BTreeSet<Arc<str>>,
    /// Since when, in seconds since 1970.
    pub since: u64,
    /// Whether it is about the thing itself, rather than about what the thing needs.
    pub own: bool,
}

impl Refusal {
    /// One proxy's refusal.
    pub fn new(error: Arc<str>, node: Arc<str>, since: u64) -> Self {
        let nodes = BTreeSet::from([node]);
        Self {
            error,
            nodes,
            since,
            own: true,
        }
    }

    /// The same about what needs the refused thing.
    pub fn of_need(&self) -> Self {
        let own = false;
        Self {
            own,
            ..self.clone()
        }
    }
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
            underway: HashSet::new(),
            fresh: HashSet::new(),
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
        let before = self.things.remove(key);
        let elsewhere = before.as_ref().is_some_and(|before| before.elsewhere);
        let mut underway = Underway::default();
        let good = before.and_then(|before| {
            if self.is_accepted(&before) {
                return Some(before.wanted);
            }
            underway = before.underway;
            let shown = if before.held {
                before.shown
            } else {
                (before.since, next)
            };
            underway.push(before.wanted, shown);
            before.good
        });
        if !underway.is_empty() {
            self.underway.insert(key.clone());
        }
        let thing = Thing {
            wanted,
            held: false,
            since: next,
            shown: (next, next),
            accepted: false,
            elsewhere,
            age,
            good,
            underway,
        };
        self.things.insert(key.clone(), thing);
        self.fresh.insert(key.clone());
    }

    /// What was to be in the next snapshot is in this one: in a new one, or, where all content is as before, in the last.
    pub fn handle_snapshot(&mut self, sequence: u64) {
        for key in self.fresh.drain() {
            if let Some(thing) = self.things.get_mut(&key) {
                thing.since = thing.since.min(sequence);
            }
        }
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

    /// Everything that is wanted, in no order.
    pub fn all_wanted(&self) -> impl Iterator<Item = (&K, &Arc<F>)> {
        self.things.iter().map(|(key, thing)| (key, &thing.wanted))
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

    /// The last form before the wanted one that a proxy accepted.
    pub fn good(&self, key: &K) -> Option<&Arc<F>> {
        self.things.get(key)?.good.as_ref()
    }

    /// Things that are refused, and by whom.
    pub fn refused(&self) -> &BTreeMap<K, Refusal> {
        &self.refused
    }

    /// A proxy has nothing left that it was sent up to this snapshot and refused; `whole`: it has all that there is. Tells
    /// whose placed form is another one now.
    pub fn handle_ack(&mut self, sequence: u64, whole: bool, next: u64) -> Vec<K> {
        let mut touched = Vec::new();
        if whole {
            self.acked = self.acked.max(sequence);
            touched = self.acquit_shown(sequence, next);
            touched.extend(self.accept_underway(sequence, next));
        }
        let Some(mut search) = self.search.take_if(|search| sequence >= search.from) else {
            return touched;
        };
        search.leave_changed_out();
        // What is out is innocent, and so is everything that was never held.
        search.widening = None;
        search.rest.clear();
        touched.extend(self.search_on(search, next));
        touched
    }

    /// A proxy has accepted the wanted form of a thing. Tells whether another form is placed now.
    pub fn acquit(&mut self, key: &K, next: u64) -> bool {
        let needs = self.refused.get(key).is_some_and(|refusal| !refusal.own);
        let Some(thing) = self.things.get_mut(key) else {
            return false;
        };
        thing.accepted = true;
        let is_over = thing.held && !needs;
        if is_over {
            self.refused.remove(key);
            if let Some(search) = &mut self.search {
                search.changed.insert(key.clone());
            }
            self.hold(std::slice::from_ref(key), false, next);
        }
        is_over
    }

    /// What is held though this snapshot had it, and a proxy has accepted all of that.
    fn acquit_shown(&mut self, sequence: u64, next: u64) -> Vec<K> {
        let searched = self.search.iter().flat_map(|search| &search.groups);
        let held = self.refused.keys().chain(searched.flatten());
        let shown = held.filter(|key| {
            let thing = self.things.get(*key);
            thing.is_some_and(|thing| (thing.shown.0..thing.shown.1).contains(&sequence))
        });
        let mut acquitted: Vec<K> = shown.cloned().collect();
        acquitted.retain(|key| self.acquit(key, next));
        acquitted
    }

    /// A proxy that had accepted `after` refused `sequence`. `named`: whether the proxy's words name a thing.
    pub fn handle_nack(
        &mut self,
        after: Option<u64>,
        sequence: u64,
        refusal: &Refusal,
        next: u64,
        named: impl Fn(&K) -> bool,
    ) -> Verdict<K> {
        if sequence <= self.judged {
            self.join(refusal, &named);
            return Verdict::default();
        }
        let suspects = self.suspects(after, sequence);
        let guilty: Vec<K> = suspects.iter().filter(|key| named(key)).cloned().collect();
        let verdict = if !guilty.is_empty() {
            self.refuse(guilty, refusal, next)
        } else if self.names_spared(sequence, &named) {
            // It is behind the others, who have what it speaks of.
            Verdict::default()
        } else {
            match self.search.take() {
                Some(mut search) if sequence >= search.from => {
                    search.refusal.nodes.extend(refusal.nodes.iter().cloned());
                    self.search_closer(search, suspects, next)
                }
                Some(search) => {
                    self.search = Some(search);
                    Verdict::default()
                }
                None if suspects.len() == 1 => self.refuse(suspects, refusal, next),
                None => self.search_among(suspects, after.is_some(), refusal, next),
            }
        };
        // Where nothing becomes of it, what was published meanwhile has all that was refused, and is judged by itself.
        self.judged = if verdict.touched.is_empty() {
            sequence
        } else {
            next - 1
        };
        verdict
    }

    /// One more refused what was judged before: what it names, or, in the same words, what another did.
    fn join(&mut self, refusal: &Refusal, named: &impl Fn(&K) -> bool) {
        for (key, refused) in &mut self.refused {
            if named(key) || refused.error == refusal.error {
                refused.nodes.extend(refusal.nodes.iter().cloned());
            }
        }
        if let Some(search) = &mut self.search {
            search.refusal.nodes.extend(refusal.nodes.iter().cloned());
        }
    }

    /// A proxy is gone: what nobody refuses any more is tried again. Tells whose placed form is another one now.
    pub fn handle_left(&mut self, node: &str, next: u64) -> Vec<K> {
        let mut over: Vec<K> = Vec::new();
        for (key, refused) in &mut self.refused {
            if refused.nodes.remove(node) && refused.nodes.is_empty() {
                over.push(key.clone());
            }
        }
        for key in &over {
            self.refused.remove(key);
        }
        let is_over = |search: &mut Search<K>| {
            search.refusal.nodes.remove(node) && search.refusal.nodes.is_empty()
        };
        if let Some(search) = self.search.take_if(is_over) {
            over.extend(search.groups.into_iter().flatten());
        }
        self.hold(&over, false, next);
        over
    }

    /// What changed between what a proxy had and what it refused, and none has accepted.
    fn suspects(&self, after: Option<u64>, sequence: u64) -> Vec<K> {
        let after = after.unwrap_or_default();
        let things = self.things.iter();
        let suspect = things.filter(|(_, thing)| {
            let shown = thing.since > after && thing.since <= sequence;
            shown && !thing.held && !self.is_spared(thing)
        });
        let mut suspects: Vec<_> = suspect
            .map(|(key, thing)| (thing.since, thing.age, key))
            .collect();
        suspects.sort();
        suspects
            .into_iter()
            .map(|(_, _, key)| key.clone())
            .collect()
    }

    /// Whether the thing is wanted in a form that no proxy has accepted.
    pub fn is_unproven(&self, key: &K) -> bool {
        let thing = self.things.get(key);
        thing.is_some_and(|thing| !self.is_accepted(thing))
    }

    /// Whether the wanted form is not in force.
    fn is_held(&self, key: &K) -> bool {
        self.things.get(key).is_some_and(|thing| thing.held)
    }

    /// Whether nothing of the thing is taken back, whoever refuses it: a proxy has accepted it, or has a form that would be taken
    /// away, as it is not known.
    fn is_spared(&self, thing: &Thing<F>) -> bool {
        self.is_accepted(thing) || (thing.elsewhere && thing.good.is_none())
    }

    /// Whether the words are about a thing that was in the refused snapshot, and of which nothing is taken back.
    fn names_spared(&self, sequence: u64, named: &impl Fn(&K) -> bool) -> bool {
        let mut things = self.things.iter();
        things.any(|(key, thing)| {
            thing.since <= sequence && self.is_spared(thing) && !thing.held && named(key)
        })
    }

    /// Whether a proxy has accepted the wanted form.
    fn is_accepted(&self, thing: &Thing<F>) -> bool {
        thing.accepted || (!thing.held && thing.since <= self.acked)
    }

    /// Finds things guilty: they are held until they change, or nobody is there that refused them.
    pub fn refuse(&mut self, guilty: Vec<K>, refusal: &Refusal, next: u64) -> Verdict<K> {
        let refused = guilty.iter().map(|key| (key.clone(), refusal.clone()));
        self.refused.extend(refused);
        self.hold(&guilty, true, next);
        Verdict {
            touched: guilty.clone(),
            refused: guilty,
        }
    }

    /// Finds things guilty of what they came with: it is no matter whether they were accepted for themselves. Tells whose placed form is
    /// another one now.
    pub fn refuse_for_need(&mut self, guilty: Vec<K>, refusal: &Refusal, next: u64) -> Vec<K> {
        let touched = self.refuse(guilty, &refusal.of_need(), next).touched;
        for key in &touched {
            if let Some(thing) = self.things.get_mut(key) {
                thing.accepted = false;
            }
        }
        touched
    }

    /// The snapshot that had the wanted form of a thing first.
    pub fn came(&self, key: &K) -> Option<u64> {
        let thing = self.things.get(key)?;
        Some(if thing.held {
            thing.shown.0
        } else {
            thing.since
        })
    }

    /// Holds things, or lets them out.
    fn hold(&mut self, keys: &[K], held: bool, next: u64) {
        for key in keys {
            if let Some(thing) = self.things.get_mut(key) {
                if held && !thing.held {
                    thing.accepted |= thing.since <= self.acked;
                    thing.shown = (thing.since, next);
                }
                thing.held = held;
                thing.since = next;
                self.fresh.insert(key.clone());
                if !held {
                    self.underway.insert(key.clone());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
