//! When what sources tell comes in: changes are as old as that.

use std::time::Instant;

use super::{Control, Input};
use crate::store;
use crate::telemetry::metrics;

/// What a source told, and when: the loop may be busy with what came before.
#[derive(Debug)]
pub struct Arrived<T> {
    pub at: Instant,
    pub what: T,
}

impl Control {
    /// Takes in what came `at` some time until now.
    pub(super) fn arrive(&mut self, input: Input, at: Instant, now: Instant) {
        let source = match &input {
            Input::Store(store::Event::Listed { .. } | store::Event::Changed { .. }) => {
                Some(self.restored.store())
            }
            Input::Registry(answer) => self.restored.registry(answer.service.discovery),
            Input::Outside(told) => self.outside.source(told),
            // Nothing changes, or a question is answered; and proxies are no source.
            Input::Store(_) | Input::Proxy(_) => None,
        };
        if let Some(source) = source {
            let source = metrics::Source {
                source: source.name(),
            };
            self.metrics.source_events.get_or_create(&source).inc();
            self.publication.tell(at);
        }
        if let Input::Store(store::Event::Changed { traced, .. }) = &input {
            self.publication.traced.tell(traced, at);
        }
        self.handle(input, now);
    }
}
