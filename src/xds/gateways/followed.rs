//! From the streams to the changes that they accept, and to where it is counted how long these took.

use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::changes::{Changes, LONGEST, Took};
use super::times::Times;
use super::traced::{Answer, Pushed};
use super::{Gateways, Leave, Place, Watch};
use crate::snapshot::Snapshot;
use crate::telemetry::metrics;
use crate::telemetry::traces::Context;

/// How far one stream has followed.
#[derive(Debug, Default)]
pub struct Followed {
    /// Up to which snapshot it has accepted all that it wants; nothing before it has for the first time.
    upto: Option<u64>,
    /// What its client accepted last, since then.
    accepted: Option<Answer>,
}

impl Gateways {
    /// What follows from a source, which `began` to tell it then, is about to be published as these snapshots of one gateway. What
    /// is traced of it goes on below these contexts.
    pub fn begin_change<'a>(
        &self,
        began: Instant,
        snapshots: impl IntoIterator<Item = &'a Snapshot>,
        traced: Option<&Arc<[Context]>>,
    ) {
        let mut revision = None;
        let snapshots = snapshots.into_iter();
        let places = snapshots.map(|snapshot| {
            revision = Some(snapshot.revision);
            let place = (snapshot.gateway.clone(), snapshot.cohort.clone());
            (place, snapshot.sequence)
        });
        let traced = traced.map(|contexts| (&**contexts, Instant::now()));
        let number = self.changes().begin(began, places, traced);
        if let Some(revision) = revision {
            // What is settled was published before, if there was anything to publish.
            let after = self.revision();
            self.times().begin(number, (after, revision), began);
        }
        self.count_overdue(began);
    }

    /// Counts changes that some proxy has not accepted for too long.
    pub fn count_overdue(&self, now: Instant) {
        let took = self.changes().take_overdue(now);
        self.count(took);
    }

    pub(super) fn give_up(&self, place: &Place) {
        let took = self.changes().give_up(place);
        self.count(took);
    }

    pub(super) fn leave_changes(&self, place: &Place, followed: &Followed) {
        if let Some(upto) = followed.upto {
            let took = self.changes().leave(place, upto);
            self.count(took);
        }
    }

    /// How long a change of documents took until the last proxy had accepted it, by its revision.
    pub fn took(&self, revision: i64) -> Option<Duration> {
        self.times().of(revision)
    }

    fn times(&self) -> MutexGuard<'_, Times> {
        // Each of its steps is whole, as those of changes.
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changes(&self) -> MutexGuard<'_, Changes> {
        // Each of its steps is whole: a panic elsewhere has left none of them half-done.
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, took: Vec<Took>) {
        for Took {
            number,
            gateway,
            time,
        } in took
        {
            // What is overdue has not been accepted.
            if time < LONGEST {
                self.times().end(number, time);
            }
            let gateway = gateway.to_string();
            let label = metrics::Gateway { gateway };
            let seconds = self.change_seconds.get_or_create(&label);
            seconds.observe(time.as_secs_f64());
        }
        if self.tracer.is_on() {
            let pushed = self.changes().take_pushed();
            self.tracer.send(pushed.iter().flat_map(Pushed::spans));
        }
    }
}

impl Watch {
    /// The client accepted a response.
    pub fn note_accepted(&mut self, answer: Answer) {
        self.leave.followed.accepted = Some(answer);
    }

    /// The client refused a response that brought this snapshot.
    pub fn note_refused(&self, sequence: u64, answer: &Answer, error: &str) {
        let Leave {
            gateways, answered, ..
        } = &self.leave;
        if let (true, Some(upto)) = (gateways.tracer.is_on(), self.leave.followed.upto) {
            let mut changes = gateways.changes();
            let spans = changes.refuse(answered.place(), (upto, sequence), answer, error);
            drop(changes);
            gateways.tracer.send(spans);
        }
    }

    /// The client has accepted all that it wants up to this snapshot.
    pub fn advance(&mut self, sequence: u64) {
        let leave = &mut self.leave;
        let (gateways, place) = (&leave.gateways, leave.answered.place());
        match leave.followed.upto {
            Some(upto) if upto >= sequence => {}
            Some(upto) => {
                let accepted = leave.followed.accepted.take();
                let took = gateways
                    .changes()
                    .advance(place, (upto, sequence), accepted.as_ref());
                gateways.count(took);
                leave.followed.upto = Some(sequence);
            }
            None if sequence > 0 => {
                let newest = gateways.changes().join(place);
                leave.followed.upto = Some(newest.max(sequence));
            }
            None => {}
        }
    }
}
