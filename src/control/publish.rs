//! From the builders to the streams: each gateway's next snapshot, and up to which revision everything is published.

use std::sync::Arc;
use std::time::Instant;

use super::large::Large;
use super::pace::Pace;
use super::problems::problems;
use super::traced::Traced;
use super::{Control, report};
use crate::build::{Inputs, Next};
use crate::documents::Changes;
use crate::model::Id;
use crate::snapshot::Outcome;
use crate::xds::Gateways;
use crate::xds::gateways::{Said, Settled, What};

/// Of how many ssls it is told when they end.
pub const ENDS: usize = 100;

/// What is published, and when the next time is.
#[derive(Debug)]
pub struct Publication {
    pub(super) gateways: Arc<Gateways>,
    pub(super) pace: Pace,
    /// When a source told the first of what is to be published.
    since: Option<Instant>,
    /// What is to be told, or was.
    pub(super) settled: Settled,
    /// What is traced of it.
    pub(super) traced: Traced,
    /// Whether other documents may have a problem than was told.
    pub(super) reworded: bool,
}

impl Publication {
    pub fn new(gateways: Arc<Gateways>) -> Self {
        Self {
            traced: Traced::by(gateways.tracer().clone()),
            gateways,
            pace: Pace::default(),
            since: None,
            settled: Settled::default(),
            reworded: true,
        }
    }

    /// A source told something.
    pub fn tell(&mut self, at: Instant) {
        self.since = Some(self.since.map_or(at, |since| since.min(at)));
    }

    /// The store has reached a revision that is about documents.
    pub fn reach(&mut self, revision: i64) {
        self.settled.revision = revision;
        self.settled.documents = revision;
        // Whatever it wrote, a problem names the revision that wrote the text.
        self.reworded = true;
    }

    /// The store has reached a revision that is about nothing that it holds.
    pub fn pass(&mut self, revision: i64) {
        self.settled.revision = revision;
    }

    /// Documents have changed.
    pub fn reword(&mut self, changes: &Changes) {
        self.reworded |= !changes.problems.is_empty() || !changes.mended.is_empty();
        self.reworded |= changes.others_wait;
    }
}

impl Control {
    /// Publishes what the builders have to say, once enough is known and the pace admits it.
    pub(super) fn publish_if_due(&mut self, now: Instant) {
        if !self.readiness.check(now) {
            return;
        }
        self.restored.handle_published();
        let mut told = None;
        if self.builders.are_touched() {
            if !self.publication.pace.admits(now) {
                return;
            }
            told = self.publish(now);
        }
        let publication = &mut self.publication;
        // What nothing followed from, for proxies, is over.
        publication.since = None;
        publication.traced.pass(now);
        if std::mem::take(&mut publication.reworded) {
            let (documents, drains) = (&self.documents, &self.drains);
            let problems = problems(documents, drains, &self.builders, &self.refused);
            report::not_served(&self.metrics, &publication.settled.problems, &problems);
            publication.settled.problems = problems.into();
        }
        publication.gateways.settle(publication.settled.clone());
        // What proxies say touches a gateway, and mostly publishes nothing: nobody has to wait for that.
        if let Some(streams) = told {
            publication.pace.published(now, Instant::now(), streams);
        }
    }

    /// Tells how many streams were told, if there was anything to publish.
    fn publish(&mut self, began: Instant) -> Option<usize> {
        let mut publishing = self.publication.traced.begin(began);
        let contexts = publishing.contexts();
        let built = self.build();
        // Before anybody accepts what takes the place of what was refused: who waits for it is told so.
        if self.follow_refusals() {
            self.note_problems();
        }
        let Publication {
            gateways, since, ..
        } = &self.publication;
        let mut told = None;
        for (id, next) in built {
            let Some(builders) = self.builders.find_mut(&id) else {
                self.large.handle_gone(&id);
                continue;
            };
            let gateway = id.to_string();
            if !builders.exists() {
                // The builders stay: if the gateway returns, its snapshots go on counting where streams left them.
                for builder in builders.iter() {
                    *told.get_or_insert(0) += gateways.publish(&gateway, builder.cohort(), None);
                }
                self.large.handle_gone(&id);
                report::gone(&self.metrics, gateway);
                continue;
            }
            if !next.is_empty()
                && let Some(turn) = self.large.handle_published(&id, Large::of(builders))
            {
                report::large(&id, &turn);
            }
            if let Some(since) = since {
                let snapshots = next.iter().map(|(snapshot, _)| &**snapshot);
                gateways.begin_change(*since, snapshots, contexts.as_ref());
            }
            if !publishing.is_empty() {
                publishing.note_translated(Instant::now());
            }
            for (snapshot, tallies) in next {
                let took = began.elapsed();
                let cohort = snapshot.cohort.clone();
                *told.get_or_insert(0) +=
                    gateways.publish(&gateway, cohort.as_ref(), Some(snapshot.clone()));
                gateways.events().published(&snapshot, &tallies);
                report::published(&self.metrics, &snapshot, &tallies, took);
            }
        }
        if !publishing.is_empty() {
            let traced = &self.publication.traced;
            traced.publish(publishing, told, Instant::now());
        }
        let waiting = i64::try_from(self.builders.waiting().count()).unwrap_or(i64::MAX);
        self.metrics.routes_waiting.set(waiting);
        self.publication.reworded = true;
        told
    }

    /// What the gateways that something touched are to be sent.
    fn build(&mut self) -> Vec<(Id, Vec<Next>)> {
        let touched = self.builders.take_touched().into_iter();
        let built = touched.map(|id| {
            let next = self.builders.find_mut(&id).map(|builders| {
                builders.next(&Inputs {
                    revision: self.publication.settled.revision,
                    instances: self.services.instances(),
                    drains: &self.drains,
                })
            });
            (id, next.unwrap_or_default())
        });
        built.collect()
    }

    /// Tells which documents have a problem, at the revision that is published already.
    fn note_problems(&mut self) {
        let (documents, drains) = (&self.documents, &self.drains);
        let problems = problems(documents, drains, &self.builders, &self.refused);
        let gateways = &self.publication.gateways;
        let before = gateways.settled().borrow().clone();
        gateways.settle(Settled {
            problems: problems.into(),
            ..before
        });
    }

    /// A proxy came, went, or said something of its snapshot.
    fn handle_said(&mut self, said: &Said) {
        let instances = self.services.instances();
        let moved = self.builders.handle_said(said, instances);
        self.unsaved |= said.concerns_forms();
        let gateways = &self.publication.gateways;
        if let Some(snapshot) = moved.adopted.filter(|snapshot| snapshot.sequence > 0) {
            let cohort = snapshot.cohort.clone();
            gateways.publish(&said.gateway, cohort.as_ref(), Some(snapshot));
        }
        for cohort in moved.gone {
            gateways.publish(&said.gateway, cohort.as_ref(), None);
        }
        if let What::Left(node) = &said.what {
            for document in self.refused.handle_left(node) {
                self.documents.release(&document);
            }
        }
    }

    /// Takes in what a proxy says; what it refuses is judged later.
    pub(super) fn hear(&mut self, said: Said, now: Instant) {
        match said {
            Said {
                gateway,
                cohort,
                what: What::Answered(Outcome::Refused(refused)),
            } => self.unjudged.add((gateway, cohort), refused, now),
            said => {
                if let What::Left(node) = &said.what {
                    self.unjudged.handle_left(&said.gateway, node);
                }
                self.handle_said(&said);
            }
        }
    }

    /// Whether there are refusals that can be judged, once all that was said by now is taken in.
    pub(super) fn hear_out(&mut self, now: Instant) -> bool {
        let gateways = &self.publication.gateways;
        self.unjudged
            .hear_out(now, |place, of| gateways.answered(place, of))
    }

    /// Judges them.
    pub(super) fn judge(&mut self) {
        for refused in self.unjudged.take_heard_out() {
            self.handle_said(&refused);
        }
    }

    /// Tries a document again that proxies refuse. Tells whether any did.
    pub(super) fn release(&mut self, document: &str) -> bool {
        self.refused.release(document);
        let was_given_up = self.documents.release(document);
        let was_held = self.builders.release(document);
        self.settle();
        was_given_up || was_held
    }

    /// Tells what proxies refuse now, and looks for a form of what they never accepted in this process's time. Answers
    /// whether they refuse anything that they did not.
    fn follow_refusals(&mut self) -> bool {
        let difference = self.refused.handle_refused(self.builders.refused());
        report::refused(&self.metrics, &difference, self.refused.len());
        let withdrawn = self.builders.withdrawn().collect();
        for (document, error) in self.refused.handle_withdrawn(withdrawn) {
            self.documents.refuse(&document, &error);
        }
        self.settle();
        !difference.new.is_empty()
    }
}
