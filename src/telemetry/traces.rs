//! Traces of changes: from a write to the last proxy that has it. Rooms make spans of moments that they know; here they are
//! handed to a task that sends them to a collector. Whoever hands over never waits: what there is no room for is counted.

mod context;
mod export;
mod span;

use std::fmt;
use std::sync::Arc;

use clap::ValueEnum;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::{self, error::TrySendError};

use super::metrics::Reason;

pub use context::{Context, Step, Traced};
pub use export::{Error, Export};
pub use span::{Span, Value};

/// How many spans may wait to be sent.
const QUEUE: usize = 4096;

/// How a collector is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// OTLP over gRPC.
    #[default]
    Grpc,
    /// OTLP as protobuf over HTTP; `/v1/traces` follows a URL without a path.
    Http,
}

/// Where traces go.
#[derive(Clone, PartialEq, Eq)]
pub struct Collector {
    pub url: String,
    pub protocol: Protocol,
}

impl fmt::Debug for Collector {
    /// Without the URL: a password may be in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Collector");
        shown.field("protocol", &self.protocol);
        shown.finish_non_exhaustive()
    }
}

/// Spans that no collector has, by reason.
pub type Dropped = Family<Reason, Counter>;

/// Takes spans, or nothing where there is no collector.
#[derive(Debug, Clone, Default)]
pub struct Tracer(Option<Arc<Queue>>);

#[derive(Debug)]
struct Queue {
    spans: mpsc::Sender<Span>,
    dropped: Dropped,
}

impl Tracer {
    /// One whose spans are received there; what is not received in time is counted.
    pub fn new(dropped: Dropped) -> (Self, mpsc::Receiver<Span>) {
        let (spans, received) = mpsc::channel(QUEUE);
        (Self(Some(Arc::new(Queue { spans, dropped }))), received)
    }

    /// Whether there is anybody to send spans to.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    pub fn send(&self, spans: impl IntoIterator<Item = Span>) {
        let Some(queue) = &self.0 else { return };
        let is_lost = |span| matches!(queue.spans.try_send(span), Err(TrySendError::Full(_)));
        let lost = spans.into_iter().map(is_lost);
        let lost = lost.filter(|is_lost| *is_lost).count();
        if lost > 0 {
            self.drop("queue", lost);
        }
    }

    /// So many were never made, for that reason.
    pub fn drop(&self, reason: &'static str, count: usize) {
        if let Some(queue) = &self.0 {
            drop_spans(&queue.dropped, reason, count);
        }
    }
}

fn drop_spans(dropped: &Dropped, reason: &'static str, count: usize) {
    let dropped = dropped.get_or_create(&Reason { reason });
    dropped.inc_by(u64::try_from(count).unwrap_or(u64::MAX));
}

#[cfg(test)]
mod tests;
