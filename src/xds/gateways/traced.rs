//! What proxies add to the traces of changes: that they were sent one, and accepted or refused it. One span for all proxies that are
//! served the same, which ends with the last of them; who refuses is named, up to a bound. Pure: moments are arguments.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::snapshot::ResourceType;
use crate::telemetry::traces::{Context, Span, Step};

use super::Place;

/// How many proxies that refuse the same have a span each.
const NAMED: usize = 8;

/// What a proxy said of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub at: Instant,
    /// From the hand-out of the response.
    pub took: Duration,
    pub of: ResourceType,
    pub node: Arc<str>,
}

/// Traced changes, published at once, on their way to the proxies of a place.
#[derive(Debug)]
pub struct Push {
    steps: Vec<Step>,
    published: Instant,
    /// How many proxies were sent something of it and have all of it.
    accepted: usize,
    /// The last of them.
    last: Option<Answer>,
    refused: usize,
    /// When the last refusal was handed out.
    refused_from: Option<Instant>,
}

/// One that is over.
#[derive(Debug)]
pub struct Pushed {
    pub place: Place,
    pub push: Box<Push>,
    /// When it was given up, if some proxy had not answered by then.
    pub overdue: Option<Instant>,
}

impl Answer {
    fn from(&self) -> Instant {
        self.at.checked_sub(self.took).unwrap_or(self.at)
    }

    fn span(&self, step: Step, name: &'static str, since: Instant) -> Span {
        let span = Span::new(step, name, self.from().max(since), self.at);
        let named = span.with("chancery.node", &self.node);
        named.with("chancery.type", self.of.as_str())
    }
}

impl Push {
    pub fn new(contexts: &[Context], published: Instant) -> Self {
        Self {
            steps: contexts.iter().copied().map(Step::below).collect(),
            published,
            accepted: 0,
            last: None,
            refused: 0,
            refused_from: None,
        }
    }

    /// A proxy has all of it.
    pub fn accept(&mut self, answer: &Answer) {
        self.accepted += 1;
        if self.last.as_ref().is_none_or(|last| last.at <= answer.at) {
            self.last = Some(answer.clone());
        }
    }

    /// A proxy refused some of it.
    pub fn refuse(&mut self, answer: &Answer, error: &str) -> Vec<Span> {
        self.refused += 1;
        self.refused_from = self.refused_from.max(Some(answer.from()));
        if self.refused > NAMED {
            return Vec::new();
        }
        let nack = |step: &Step| {
            let span = answer.span(Step::below(step.own), "nack", self.published);
            span.failed(Some(error.to_owned()))
        };
        self.steps.iter().map(nack).collect()
    }
}

impl Pushed {
    /// Nothing where nobody was sent anything.
    pub fn spans(&self) -> Vec<Span> {
        let Push {
            steps,
            published,
            accepted,
            last,
            refused,
            refused_from,
        } = &*self.push;
        let (until, error, ack) = match (self.overdue, refused_from, last) {
            (Some(now), ..) => (now, Some("some proxy has not answered".to_owned()), None),
            (None, Some(from), _) => (*from, Some(format!("refused {refused} times")), None),
            (None, None, Some(last)) => (last.from(), None, Some(last)),
            (None, None, None) => return Vec::new(),
        };
        let (gateway, cohort) = &self.place;
        let mut spans = Vec::new();
        for step in steps {
            let mut push = Span::new(*step, "xds.push", *published, until)
                .with("chancery.gateway", gateway)
                .with("chancery.accepted", *accepted)
                .failed(error.clone());
            if let Some(cohort) = cohort {
                push = push.with("chancery.cohort", &*cohort.to_string());
            }
            spans.push(push);
            if let Some(last) = ack {
                let span = last.span(Step::below(step.own), "ack", *published);
                spans.push(span.with("chancery.accepted", *accepted));
            }
        }
        spans
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cohort::Cohort;

    const MS: Duration = Duration::from_millis(1);

    fn answer(at: Instant, node: &str) -> Answer {
        Answer {
            at,
            took: 2 * MS,
            of: ResourceType::RouteConfiguration,
            node: node.into(),
        }
    }

    fn over(push: Push, overdue: Option<Instant>) -> Vec<Span> {
        let cohort = Cohort::envoy((1, 40, 0), None).unwrap();
        let place = ("edge".into(), Some(cohort));
        let push = Box::new(push);
        let pushed = Pushed {
            place,
            push,
            overdue,
        };
        pushed.spans()
    }

    #[test]
    fn four_thousand_proxies_are_two_spans_that_end_with_the_last_of_them() {
        let (publish, published) = (Step::first().own, Instant::now());
        let mut push = Push::new(&[publish], published);
        for n in 0..4_000 {
            push.accept(&answer(published + 5 * MS, &format!("proxy-{n}")));
        }
        push.accept(&answer(published + 9 * MS, "slow"));
        push.accept(&answer(published + 7 * MS, "late to say so"));
        let spans = over(push, None);
        let [push, ack] = &spans[..] else {
            panic!("{spans:?}")
        };
        assert_eq!((push.name, ack.name), ("xds.push", "ack"));
        assert_eq!(push.step.parent, Some(publish.span));
        assert_eq!(ack.step.parent, Some(push.step.own.span));
        assert_eq!(push.ended, published + 7 * MS);
        assert_eq!((ack.began, ack.ended), (push.ended, published + 9 * MS));
        let says = |span: &Span, name, value| span.attributes.contains(&(name, value));
        assert!(says(ack, "chancery.node", "slow".into()));
        assert!(says(push, "chancery.accepted", 4_002_usize.into()));
        assert!(says(push, "chancery.gateway", "edge".into()));
    }

    #[test]
    fn who_refuses_is_named_up_to_a_bound_and_what_becomes_of_it_is_no_ack() {
        let (contexts, published) = ([Step::first().own, Step::first().own], Instant::now());
        let mut push = Push::new(&contexts, published);
        let mut nacks = Vec::new();
        for n in 0..20 {
            let refusal = answer(published + 4 * MS, &format!("proxy-{n}"));
            nacks.extend(push.refuse(&refusal, "no such thing"));
        }
        assert_eq!(nacks.len(), 2 * NAMED);
        assert_eq!(nacks[0].error.as_deref(), Some("no such thing"));
        // What they accept in its place is another form.
        push.accept(&answer(published + 9 * MS, "proxy-0"));
        let spans = over(push, None);
        assert_eq!(spans.len(), 2);
        assert_eq!(spans[0].error.as_deref(), Some("refused 20 times"));
        assert_eq!(nacks[0].step.parent, Some(spans[0].step.own.span));
        assert_eq!(nacks[1].step.own.trace, contexts[1].trace);
    }

    #[test]
    fn what_is_not_answered_says_so_and_what_nobody_was_sent_says_nothing() {
        let (contexts, published) = ([Step::first().own], Instant::now());
        assert_eq!(over(Push::new(&contexts, published), None), []);
        let mut push = Push::new(&contexts, published);
        push.accept(&answer(published + 9 * MS, "proxy"));
        let spans = over(push, Some(published + 60 * MS));
        assert_eq!(spans.len(), 1);
        let error = "some proxy has not answered";
        assert_eq!(spans[0].error.as_deref(), Some(error));
    }
}
