//! What all calls share: what they may look at, whom they ask, and how many of them there may be.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::control::question::Question;
use crate::drain::Drainer;
use crate::xds::{Gateways, Nodes};

use super::access::Access;
use super::replicas::Others;

/// How many calls may wait or watch at the same time.
const LONG_CALLS: usize = 256;
/// How many calls may read resources at the same time: each has a copy of what it reads.
const READS: usize = 4;

/// The control API of one replica. A clone is the same one.
#[derive(Debug, Clone)]
pub struct Api {
    pub(super) gateways: Arc<Gateways>,
    pub(super) nodes: Arc<Nodes>,
    pub(super) others: Others,
    pub(super) questions: mpsc::Sender<Question>,
    pub(super) drainer: Option<Arc<Drainer>>,
    pub(super) access: Arc<Access>,
    pub(super) long_calls: Arc<Semaphore>,
    pub(super) reads: Arc<Semaphore>,
    pub(super) shutdown: CancellationToken,
}

impl Api {
    /// Shows what these know, and what the loop answers to `questions`. Without a drainer nothing can be drained. `shutdown`
    /// ends calls that wait or watch.
    pub fn new(
        gateways: Arc<Gateways>,
        nodes: Arc<Nodes>,
        others: Others,
        questions: mpsc::Sender<Question>,
        drainer: Option<Arc<Drainer>>,
        access: Access,
        shutdown: CancellationToken,
    ) -> Self {
        Self {
            gateways,
            nodes,
            others,
            questions,
            drainer,
            access: Arc::new(access),
            long_calls: Arc::new(Semaphore::new(LONG_CALLS)),
            reads: Arc::new(Semaphore::new(READS)),
            shutdown,
        }
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

    /// Takes one of the places for calls that last.
    pub(super) fn lasting(&self) -> Result<OwnedSemaphorePermit, Status> {
        let permit = self.long_calls.clone().try_acquire_owned();
        permit.map_err(|_| {
            Status::resource_exhausted(format!(
                "{LONG_CALLS} calls wait or watch already: try again later"
            ))
        })
    }
}
