//! What the loop adds to the traces of changes: that the store told of them, that they were translated, and published. Pure: moments
//! are arguments.

use std::sync::Arc;
use std::time::Instant;

use crate::telemetry::Tracer;
use crate::telemetry::traces::{self, Context, Span, Step};

/// How many changes are traced that are published at once. Of others it is only counted how many they are.
const MOST: usize = 64;

/// The changes that are traced and not published yet.
#[derive(Debug, Default)]
pub struct Traced {
    tracer: Tracer,
    told: Vec<Told>,
}

/// One change, and when the store told of it.
#[derive(Debug)]
struct Told {
    revision: i64,
    event: Step,
    at: Instant,
}

/// The changes that are being published.
#[derive(Debug, Default)]
pub struct Publishing {
    told: Vec<(Told, Step, Step)>,
    began: Option<Instant>,
    translated: Option<Instant>,
    /// From when on it was published.
    sent: Option<Instant>,
}

impl Traced {
    pub fn by(tracer: Tracer) -> Self {
        Self {
            tracer,
            told: Vec::new(),
        }
    }

    /// The store told this.
    pub fn tell(&mut self, traced: &[traces::Traced], at: Instant) {
        if !self.tracer.is_on() {
            return;
        }
        let room = MOST.saturating_sub(self.told.len());
        let wanted = traced.iter().filter_map(|one| {
            let event = Step::of(one.context)?;
            Some(Told {
                revision: one.revision,
                event,
                at,
            })
        });
        let mut wanted = wanted.fuse();
        self.told.extend(wanted.by_ref().take(room));
        let lost = wanted.count();
        if lost > 0 {
            self.tracer.drop("changes", lost);
        }
    }

    /// Nothing followed from what was told, for proxies.
    pub fn pass(&mut self, now: Instant) {
        let told = self.told.drain(..);
        self.tracer.send(told.map(|told| told.span(now)));
    }

    /// Translation begins.
    pub fn begin(&mut self, now: Instant) -> Publishing {
        let told = self.told.drain(..).map(|told| {
            let translate = Step::below(told.event.own);
            (told, translate, Step::below(translate.own))
        });
        Publishing {
            told: told.collect(),
            began: Some(now),
            ..Publishing::default()
        }
    }

    /// All is published that is to be.
    pub fn publish(&self, publishing: Publishing, streams: Option<usize>, now: Instant) {
        self.tracer.send(publishing.spans(streams, now));
    }
}

impl Told {
    /// From the store's word until something is made of it: until then it waits for the loop, and is read.
    fn span(&self, until: Instant) -> Span {
        let span = Span::new(self.event, "store.event", self.at, until);
        span.with("chancery.revision", self.revision)
    }
}

impl Publishing {
    /// Whether anything is traced: if not, nobody has to look at the clock.
    pub fn is_empty(&self) -> bool {
        self.told.is_empty()
    }

    /// What proxies are about to be sent is below these.
    pub fn contexts(&self) -> Option<Arc<[Context]>> {
        let contexts = self.told.iter().map(|(_, _, publish)| publish.own);
        (!self.told.is_empty()).then(|| contexts.collect())
    }

    /// A gateway is translated: it is published from now on.
    pub fn note_translated(&mut self, now: Instant) {
        self.translated = Some(now);
        self.sent.get_or_insert(now);
    }

    /// `streams` is how many were told, if there was anything to tell.
    fn spans(&self, streams: Option<usize>, now: Instant) -> Vec<Span> {
        let began = self.began.unwrap_or(now);
        let translated = self.translated.unwrap_or(now);
        let mut spans = Vec::new();
        for (told, translate, publish) in &self.told {
            spans.push(told.span(began));
            spans.push(Span::new(*translate, "translate", began, translated));
            if let Some(streams) = streams {
                let sent = self.sent.unwrap_or(translated);
                let span = Span::new(*publish, "publish", sent, now);
                spans.push(span.with("chancery.streams", streams));
            }
        }
        spans
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::telemetry::metrics::Reason;
    use crate::telemetry::traces::Dropped;

    const MS: Duration = Duration::from_millis(1);

    fn traced(revision: i64, context: Option<Context>) -> traces::Traced {
        traces::Traced { revision, context }
    }

    fn names(spans: &[Span]) -> Vec<&str> {
        spans.iter().map(|span| span.name).collect()
    }

    #[test]
    fn each_step_is_below_the_one_before() {
        let (tracer, mut received) = Tracer::new(Dropped::default());
        let mut changes = Traced::by(tracer);
        let (writer, at) = (Step::first().own, Instant::now());
        changes.tell(&[traced(7, Some(writer)), traced(8, None)], at);
        let mut publishing = changes.begin(at + MS);
        publishing.note_translated(at + 3 * MS);
        publishing.note_translated(at + 5 * MS);
        let contexts = publishing.contexts().unwrap();
        changes.publish(publishing, Some(2), at + 6 * MS);
        let mut spans = Vec::new();
        while let Ok(span) = received.try_recv() {
            spans.push(span);
        }
        let (first, second) = spans.split_at(3);
        for one in [first, second] {
            assert_eq!(names(one), ["store.event", "translate", "publish"]);
            for pair in one.windows(2) {
                assert_eq!(pair[1].step.parent, Some(pair[0].step.own.span));
            }
        }
        assert_eq!(first[0].step.parent, Some(writer.span));
        assert_eq!(first[2].step.own, contexts[0]);
        // One beside the Admin API begins a trace.
        assert_eq!(second[0].step.parent, None);
        assert_ne!(second[0].step.own.trace, writer.trace);
        let times = |span: &Span| (span.began - at, span.ended - at);
        assert_eq!(times(&first[0]), (Duration::ZERO, MS));
        assert_eq!(times(&first[1]), (MS, 5 * MS));
        assert_eq!(times(&first[2]), (3 * MS, 6 * MS));
    }

    #[test]
    fn what_nothing_follows_from_ends_where_it_was_told() {
        let (tracer, mut received) = Tracer::new(Dropped::default());
        let mut changes = Traced::by(tracer);
        let at = Instant::now();
        changes.tell(&[traced(7, None)], at);
        changes.pass(at);
        assert_eq!(received.try_recv().unwrap().name, "store.event");
        changes.tell(&[traced(8, None)], at);
        let publishing = changes.begin(at);
        changes.publish(publishing, None, at);
        assert_eq!(received.try_recv().unwrap().name, "store.event");
        assert_eq!(received.try_recv().unwrap().name, "translate");
        assert!(received.try_recv().is_err());
    }

    #[test]
    fn no_more_are_traced_at_once_than_there_is_room_for() {
        let dropped = Dropped::default();
        let (tracer, _received) = Tracer::new(dropped.clone());
        let mut changes = Traced::by(tracer);
        let unwanted = Context {
            is_sampled: false,
            ..Step::first().own
        };
        let many = (0..200).map(|revision| traced(revision, (revision < 100).then_some(unwanted)));
        changes.tell(&many.collect::<Vec<_>>(), Instant::now());
        assert_eq!(changes.told.len(), MOST);
        let reason = "changes";
        assert_eq!(dropped.get_or_create(&Reason { reason }).get(), 36);
        // Without a collector nothing is kept.
        let mut nobody = Traced::default();
        nobody.tell(&[traced(7, None)], Instant::now());
        assert!(nobody.begin(Instant::now()).is_empty());
    }
}
