//! The control API, `proto/chancery/v1`: what is delivered, and who has it. Served as gRPC and as the JSON mapping of the
//! same messages; there is no second set of types. Reads what the other rooms know; what it changes, it has `drain` do.

pub mod access;
mod confirmed;
mod documents;
mod drains;
mod events;
mod explain;
pub mod json;
pub mod lag;
mod nodes;
mod problems;
mod redact;
pub mod replicas;
mod rest;
mod services;
mod snapshots;
mod wait;

use std::sync::Arc;

use futures_util::stream::BoxStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use crate::control::question::Question;
use crate::drain::Drainer;
use crate::xds::{Gateways, Nodes};

use access::Access;

use replicas::Others;
pub use rest::router;

/// The messages of the contract, and its gRPC service and client.
pub mod pb {
    #![allow(missing_docs, clippy::all, clippy::unwrap_used)]
    tonic::include_proto!("chancery.v1");
}

/// How many calls may wait or watch at the same time.
const LONG_CALLS: usize = 256;
/// How many calls may read resources at the same time: each has a copy of what it reads.
const READS: usize = 4;

/// The control API of one replica. A clone is the same one.
#[derive(Debug, Clone)]
pub struct Api {
    gateways: Arc<Gateways>,
    nodes: Arc<Nodes>,
    others: Others,
    questions: mpsc::Sender<Question>,
    drainer: Option<Arc<Drainer>>,
    access: Arc<Access>,
    long_calls: Arc<Semaphore>,
    reads: Arc<Semaphore>,
    shutdown: CancellationToken,
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
    async fn ask<T>(
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
    fn lasting(&self) -> Result<OwnedSemaphorePermit, Status> {
        let permit = self.long_calls.clone().try_acquire_owned();
        permit.map_err(|_| {
            Status::resource_exhausted(format!(
                "{LONG_CALLS} calls wait or watch already: try again later"
            ))
        })
    }

    /// Reads resources on a thread that may take its time.
    async fn read(&self, asked: pb::ReadSnapshotRequest) -> Result<pb::Snapshot, Status> {
        let place = self.reads.clone().acquire_owned().await;
        let gateways = self.gateways.clone();
        let read = tokio::task::spawn_blocking(move || {
            let _place = place;
            snapshots::read(&gateways, &asked)
        });
        read.await
            .unwrap_or_else(|_| Err(Status::internal("the resources could not be read")))
    }
}

#[tonic::async_trait]
impl pb::control_server::Control for Api {
    type WatchStream = BoxStream<'static, Result<pb::Event, Status>>;

    async fn list_nodes(
        &self,
        _: Request<pb::ListNodesRequest>,
    ) -> Result<Response<pb::ListNodesResponse>, Status> {
        Ok(Response::new(nodes::list(self)))
    }

    async fn list_snapshots(
        &self,
        _: Request<pb::ListSnapshotsRequest>,
    ) -> Result<Response<pb::ListSnapshotsResponse>, Status> {
        Ok(Response::new(snapshots::list(&self.gateways)))
    }

    async fn read_snapshot(
        &self,
        request: Request<pb::ReadSnapshotRequest>,
    ) -> Result<Response<pb::Snapshot>, Status> {
        self.read(request.into_inner()).await.map(Response::new)
    }

    async fn list_problems(
        &self,
        _: Request<pb::ListProblemsRequest>,
    ) -> Result<Response<pb::ListProblemsResponse>, Status> {
        Ok(Response::new(problems::list(self)))
    }

    async fn explain(
        &self,
        request: Request<pb::ExplainRequest>,
    ) -> Result<Response<pb::Explanation>, Status> {
        explain::explain(self, &request.into_inner())
            .await
            .map(Response::new)
    }

    async fn list_documents(
        &self,
        request: Request<pb::ListDocumentsRequest>,
    ) -> Result<Response<pb::ListDocumentsResponse>, Status> {
        let listed = documents::list(self, request.get_ref()).await?;
        Ok(Response::new(listed))
    }

    async fn list_services(
        &self,
        request: Request<pb::ListServicesRequest>,
    ) -> Result<Response<pb::ListServicesResponse>, Status> {
        let listed = services::list(self, request.get_ref()).await?;
        Ok(Response::new(listed))
    }

    async fn wait(
        &self,
        request: Request<pb::WaitRequest>,
    ) -> Result<Response<pb::WaitResponse>, Status> {
        wait::wait(self, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn watch(
        &self,
        _: Request<pb::WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        events::watch(self).map(Response::new)
    }

    async fn drain(
        &self,
        request: Request<pb::DrainRequest>,
    ) -> Result<Response<pb::DrainResponse>, Status> {
        drains::drain(self, request).await.map(Response::new)
    }

    async fn list_drains(
        &self,
        _: Request<pb::ListDrainsRequest>,
    ) -> Result<Response<pb::ListDrainsResponse>, Status> {
        drains::list(self).await.map(Response::new)
    }

    async fn read_drain(
        &self,
        request: Request<pb::ReadDrainRequest>,
    ) -> Result<Response<pb::DrainResponse>, Status> {
        let asked = request.into_inner();
        drains::read(self, &asked).await.map(Response::new)
    }

    async fn undrain(
        &self,
        request: Request<pb::UndrainRequest>,
    ) -> Result<Response<pb::UndrainResponse>, Status> {
        drains::undrain(self, request).await.map(Response::new)
    }

    async fn list_audit(
        &self,
        request: Request<pb::ListAuditRequest>,
    ) -> Result<Response<pb::ListAuditResponse>, Status> {
        let asked = request.into_inner();
        drains::audit(self, &asked).await.map(Response::new)
    }
}

#[cfg(test)]
mod tests;
