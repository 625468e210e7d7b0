//! The first steps of a change's trace: that it was asked for, and that etcd took it. Pure: moments are arguments.

use std::time::Instant;

use crate::telemetry::Tracer;
use crate::telemetry::traces::{Context, Span, Step};

use super::{Done, Refused};

/// A change that is traced.
#[derive(Debug)]
pub struct Traced {
    change: Step,
    txn: Step,
    began: Instant,
    /// When it was handed to etcd, and when that had answered.
    pub sent: Option<(Instant, Instant)>,
}

impl Traced {
    /// Begins with the caller's `traceparent`, or as a trace of its own; not at all where nobody wants it recorded.
    pub fn begin(tracer: &Tracer, caller: &str) -> Option<Self> {
        if !tracer.is_on() {
            return None;
        }
        let change = Step::of(caller.parse::<Context>().ok())?;
        Some(Self {
            change,
            txn: Step::below(change.own),
            began: Instant::now(),
            sent: None,
        })
    }

    /// What its record says, so that whoever sees the change goes on below it.
    pub fn kept(&self) -> String {
        self.txn.own.to_string()
    }

    pub fn spans(&self, done: &Result<Done, Refused>, now: Instant) -> Vec<Span> {
        let failure = done.as_ref().err().map(why);
        let change = Span::new(self.change, "change", self.began, now);
        let (documents, revision) = match done {
            Ok(done) => (done.changed.len(), done.revision),
            Err(_) => (0, 0),
        };
        let told = |span: Span| {
            let failed = span.failed(failure.map(str::to_owned));
            match done {
                Ok(_) => failed.with("chancery.revision", revision),
                Err(_) => failed,
            }
        };
        let mut spans = vec![told(change.with("chancery.documents", documents))];
        if let Some((began, ended)) = self.sent {
            spans.push(told(Span::new(self.txn, "etcd.txn", began, ended)));
        }
        spans
    }
}

/// Why a change was not made, without what is in it.
fn why(refused: &Refused) -> &'static str {
    match refused {
        Refused::Absent | Refused::NoConsumer => "there is no such document",
        Refused::Invalid(_) => "the change is refused",
        Refused::Stale(_) => "the document is another than the caller expected",
        Refused::Conflict => "others were faster, time and again",
        Refused::Away(_) => "etcd did not answer",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::telemetry::traces::Dropped;

    const CALLER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_change_goes_on_below_its_caller_and_its_record_below_the_change() {
        let (tracer, _received) = Tracer::new(Dropped::default());
        let mut traced = Traced::begin(&tracer, CALLER).unwrap();
        let (began, ms) = (traced.began, Duration::from_millis(1));
        traced.sent = Some((began + ms, began + 3 * ms));
        let done = Done {
            changed: Vec::new(),
            revision: 7,
            warnings: Vec::new(),
        };
        let spans = traced.spans(&Ok(done), began + 4 * ms);
        let [change, txn] = &spans[..] else {
            panic!("{spans:?}")
        };
        let caller: Context = CALLER.parse().unwrap();
        assert_eq!((change.name, txn.name), ("change", "etcd.txn"));
        assert_eq!(change.step.parent, Some(caller.span));
        assert_eq!(txn.step.parent, Some(change.step.own.span));
        assert_eq!(txn.step.own.trace, caller.trace);
        assert_eq!(traced.kept(), txn.step.own.to_string());
        assert_eq!(txn.ended - txn.began, 2 * ms);
        assert_eq!(txn.attributes, [("chancery.revision", 7_i64.into())]);
    }

    #[test]
    fn a_refused_change_says_so_without_what_was_in_it() {
        let (tracer, _received) = Tracer::new(Dropped::default());
        let traced = Traced::begin(&tracer, "not a traceparent").unwrap();
        let refused = Err(Refused::Invalid("uri: found \"planted\"".to_owned()));
        let spans = traced.spans(&refused, traced.began);
        assert_eq!((spans.len(), spans[0].step.parent), (1, None));
        assert!(!format!("{spans:?}").contains("planted"));
        assert_eq!(spans[0].error.as_deref(), Some("the change is refused"));
    }

    #[test]
    fn nobody_is_traced_against_the_will_of_the_caller_or_without_a_collector() {
        let (tracer, _received) = Tracer::new(Dropped::default());
        let unsampled = format!("{}00", &CALLER[..CALLER.len() - 2]);
        assert!(Traced::begin(&tracer, &unsampled).is_none());
        assert!(Traced::begin(&Tracer::default(), CALLER).is_none());
    }
}
