//! What all calls share: what they may look at, whom they ask, and how many of them there may be.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::control::question::Question;
use crate::documents::Reader;
use crate::drain::Drainer;
use crate::editing::Editor;
use crate::model::Document;
use crate::telemetry::Source;
use crate::xds::{Gateways, Nodes};

use super::access::Access;
use super::expected::Expected;
use super::process::Process;
use super::replicas::Others;

/// How many calls of each kind may last at the same time.
const LONG_CALLS: usize = 256;
/// How many calls may read resources at the same time: each has a copy of what it reads.
const READS: usize = 4;

/// The control API of one replica. A clone is the same one.
#[derive(Debug, Clone)]
pub struct Api {
    pub(super) gateways: Arc<Gateways>,
    pub(super) nodes: Arc<Nodes>,
    pub(super) others: Others,
    pub(super) expected: Arc<Expected>,
    pub(super) questions: mpsc::Sender<Question>,
    pub(super) drainer: Option<Arc<Drainer>>,
    pub(super) editor: Option<Arc<Editor>>,
    pub(super) reader: Reader,
    pub(super) access: Arc<Access>,
    pub(super) lasting: Arc<Lasting>,
    pub(super) reads: Arc<Semaphore>,
    pub(super) shutdown: CancellationToken,
    pub(super) sources: Vec<Source>,
    pub(super) process: Process,
}

impl Api {
    /// Shows what these know, and what the loop answers to `questions`. `shutdown`
    /// ends calls that wait or watch.
    pub fn new(
        gateways: Arc<Gateways>,
        nodes: Arc<Nodes>,
        (others, expected): (Others, Arc<Expected>),
        questions: mpsc::Sender<Question>,
        writers: Writers,
        access: Access,
        shutdown: CancellationToken,
    ) -> Self {
        Self {
            gateways,
            nodes,
            others,
            expected,
            questions,
            drainer: writers.drainer,
            editor: writers.editor.map(Arc::new),
            reader: writers.reader,
            access: Arc::new(access),
            lasting: Arc::default(),
            reads: Arc::new(Semaphore::new(READS)),
            shutdown,
            sources: Vec::new(),
            process: Process::default(),
        }
    }

    /// The same, which tells how these fare, and of this process.
    pub fn telling_of(self, sources: Vec<Source>, process: Process) -> Self {
        Self {
            sources,
            process,
            ..self
        }
    }

    /// The text of every document, as the loop has it.
    pub(super) async fn texts(&self) -> Result<Vec<Document>, Status> {
        self.ask(Question::Texts).await
    }

    /// Asks the loop.
    pub(super) async fn ask<T>(
        &self,
        question: impl FnOnce(oneshot::Sender<T>) -> Question,
    ) -> Result<T, Status> {
        let (answer, answered) = oneshot::channel();
        let stopping = || Status::unavailable("Chancery is stopping");
        let asked = self.questions.send(question(answer)).await;
        asked.map_err(|_| stopping())?;
        answered.await.map_err(|_| stopping())
    }
}

/// What calls change things with.
#[derive(Debug)]
pub struct Writers {
    /// Without one nothing can be drained.
    pub drainer: Option<Arc<Drainer>>,
    /// Without one no document can be written.
    pub editor: Option<Editor>,
    /// What documents are checked by.
    pub reader: Reader,
}

/// Places for calls that last. Each kind has its own: who watches takes nothing away from who drains.
#[derive(Debug)]
pub struct Lasting {
    /// For those that read events.
    pub events: Places,
    /// For those that wait until proxies have something.
    pub waits: Places,
    /// For those that take an instance out, and wait for proxies.
    pub drains: Places,
}

impl Default for Lasting {
    fn default() -> Self {
        let places = |what| Places {
            what,
            free: Arc::new(Semaphore::new(LONG_CALLS)),
        };
        Self {
            events: places("calls read events"),
            waits: places("calls wait"),
            drains: places("drains are under way"),
        }
    }
}

/// Places for one kind of call.
#[derive(Debug)]
pub struct Places {
    what: &'static str,
    free: Arc<Semaphore>,
}

impl Places {
    /// Takes one.
    pub fn take(&self) -> Result<OwnedSemaphorePermit, Status> {
        let permit = self.free.clone().try_acquire_owned();
        permit.map_err(|_| {
            Status::resource_exhausted(format!(
                "{LONG_CALLS} {} already: try again later",
                self.what
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_reads_events_or_waits_leaves_the_places_of_drains() {
        let lasting = Lasting::default();
        let readers: Vec<_> = (0..LONG_CALLS).map(|_| lasting.events.take()).collect();
        assert!(readers.iter().all(Result::is_ok));
        let refused = lasting.events.take().unwrap_err();
        assert_eq!(
            refused.message(),
            "256 calls read events already: try again later"
        );
        let waiters: Vec<_> = (0..LONG_CALLS).map(|_| lasting.waits.take()).collect();
        assert!(waiters.iter().all(Result::is_ok));
        assert!(lasting.waits.take().is_err());
        assert!(lasting.drains.take().is_ok());
        drop(readers);
        assert!(lasting.events.take().is_ok());
    }
}
