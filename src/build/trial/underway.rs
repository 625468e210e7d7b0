//! Forms that were replaced before any proxy had answered: one may have them by then, and say so later.

use std::hash::Hash;
use std::sync::Arc;

use super::Trial;

/// More forms of a thing than these are not remembered: an answer is seldom that late, also where one thing is edited a hundred
/// times a second.
const MOST: usize = 64;

/// The forms of a thing that were replaced before any proxy had accepted them, oldest first.
#[derive(Debug)]
pub(super) struct Underway<F>(Vec<Sent<F>>);

#[derive(Debug)]
struct Sent<F> {
    form: Arc<F>,
    /// The snapshots that had it: from the first, up to the second.
    shown: (u64, u64),
}

impl<F> Default for Underway<F> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<F> Underway<F> {
    /// One more, that these snapshots had.
    pub(super) fn push(&mut self, form: Arc<F>, shown: (u64, u64)) {
        if shown.0 == shown.1 {
            return;
        }
        if self.0.len() == MOST {
            self.0.remove(0);
        }
        self.0.push(Sent { form, shown });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes the one that a snapshot had; those before it are of no use any more.
    pub(super) fn take_shown(&mut self, sequence: u64) -> Option<Arc<F>> {
        self.take(|sent| (sent.shown.0..sent.shown.1).contains(&sequence))
    }

    /// Takes the one of this form; those before it are of no use any more.
    pub(super) fn take_like(&mut self, is_it: impl Fn(&F) -> bool) -> Option<Arc<F>> {
        self.take(|sent| is_it(&sent.form))
    }

    fn take(&mut self, is_it: impl Fn(&Sent<F>) -> bool) -> Option<Arc<F>> {
        let at = self.0.iter().position(is_it)?;
        self.0.drain(..=at).next_back().map(|sent| sent.form)
    }
}

impl<K: Clone + Eq + Hash + Ord, F> Trial<K, F> {
    /// A proxy has accepted what a snapshot had of things that are others by now: they can fall back to that. Tells whose placed
    /// form is another one.
    pub(super) fn accept_underway(&mut self, sequence: u64, next: u64) -> Vec<K> {
        let mut better = Vec::new();
        let (things, acked) = (&mut self.things, self.acked);
        self.underway.retain(|key| {
            let Some(thing) = things.get_mut(key) else {
                return false;
            };
            if let Some(form) = thing.underway.take_shown(sequence) {
                thing.good = Some(form);
                better.push(key.clone());
            }
            // It was held meanwhile, and is let out again.
            let shown = thing.shown.0..thing.shown.1;
            thing.accepted |= !thing.held && shown.contains(&sequence);
            let is_accepted = thing.accepted || (!thing.held && thing.since <= acked);
            !thing.underway.is_empty() || !is_accepted
        });
        better.retain(|key| self.falls_back_anew(key, next));
        better
    }

    /// A proxy has a form of a thing that is not the wanted one. Tells whether another form is placed now.
    pub fn accept_other(&mut self, key: &K, is_it: impl Fn(&F) -> bool, next: u64) -> bool {
        let Some(thing) = self.things.get_mut(key) else {
            return false;
        };
        match thing.underway.take_like(is_it) {
            Some(form) => {
                thing.good = Some(form);
                self.falls_back_anew(key, next)
            }
            None => {
                thing.elsewhere = true;
                false
            }
        }
    }

    /// A thing has another form to fall back to. Tells whether it is in force.
    fn falls_back_anew(&mut self, key: &K, next: u64) -> bool {
        let held = self.things.get_mut(key).filter(|thing| thing.held);
        let is_held = held.is_some();
        if let Some(thing) = held {
            thing.since = next;
            self.fresh.insert(key.clone());
        }
        is_held
    }
}
