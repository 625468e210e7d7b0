//! The service of the contract: each of its methods, and the file that does it.

use futures_util::stream::BoxStream;
use tonic::{Request, Response, Status};

use super::redact::Headers;
use super::shared::Api;
use super::{
    certificates, changes, documents, drains, effective, events, explain, history, nodes, pb,
    problems, services, snapshots, status, wait,
};

#[tonic::async_trait]
impl pb::control_server::Control for Api {
    type WatchStream = BoxStream<'static, Result<pb::Event, Status>>;
    type WaitStreamStream = BoxStream<'static, Result<pb::WaitResponse, Status>>;

    async fn read_status(
        &self,
        request: Request<pb::ReadStatusRequest>,
    ) -> Result<Response<pb::ReplicaStatus>, Status> {
        let caller = drains::caller(&request);
        Ok(Response::new(status::read(self, caller)))
    }

    async fn list_nodes(
        &self,
        request: Request<pb::ListNodesRequest>,
    ) -> Result<Response<pb::ListNodesResponse>, Status> {
        nodes::list(self, request.get_ref()).map(Response::new)
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
        let headers = headers(&request);
        let asked = request.into_inner();
        read(self, asked, headers).await.map(Response::new)
    }

    async fn list_problems(
        &self,
        request: Request<pb::ListProblemsRequest>,
    ) -> Result<Response<pb::ListProblemsResponse>, Status> {
        let headers = headers(&request);
        problems::list(self, request.into_inner(), headers)
            .await
            .map(Response::new)
    }

    async fn release(
        &self,
        request: Request<pb::ReleaseRequest>,
    ) -> Result<Response<pb::ReleaseResponse>, Status> {
        problems::release(self, request.into_inner())
            .await
            .map(Response::new)
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

    async fn wait_stream(
        &self,
        request: Request<pb::WaitRequest>,
    ) -> Result<Response<Self::WaitStreamStream>, Status> {
        wait::follow(self, request.get_ref()).map(Response::new)
    }

    async fn watch(
        &self,
        request: Request<pb::WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        events::watch(self, request.into_inner()).map(Response::new)
    }

    async fn read_effective(
        &self,
        request: Request<pb::ReadEffectiveRequest>,
    ) -> Result<Response<pb::EffectiveDocument>, Status> {
        let asked = request.into_inner();
        effective::read(self, asked.document)
            .await
            .map(Response::new)
    }

    async fn list_certificates(
        &self,
        _: Request<pb::ListCertificatesRequest>,
    ) -> Result<Response<pb::ListCertificatesResponse>, Status> {
        certificates::list(self).await.map(Response::new)
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

    async fn accept(
        &self,
        request: Request<pb::AcceptRequest>,
    ) -> Result<Response<pb::AcceptResponse>, Status> {
        documents::accept(self, request).await.map(Response::new)
    }

    async fn list_texts(
        &self,
        request: Request<pb::ListTextsRequest>,
    ) -> Result<Response<pb::ListTextsResponse>, Status> {
        changes::list(self, request).await.map(Response::new)
    }

    async fn apply(
        &self,
        request: Request<pb::ApplyRequest>,
    ) -> Result<Response<pb::ApplyResponse>, Status> {
        changes::apply(self, request).await.map(Response::new)
    }

    async fn list_history(
        &self,
        request: Request<pb::ListHistoryRequest>,
    ) -> Result<Response<pb::ListHistoryResponse>, Status> {
        history::list(self, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn diff(
        &self,
        request: Request<pb::DiffRequest>,
    ) -> Result<Response<pb::DiffResponse>, Status> {
        history::diff(self, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn roll_back(
        &self,
        request: Request<pb::RollBackRequest>,
    ) -> Result<Response<pb::RollBackResponse>, Status> {
        history::roll_back(self, request).await.map(Response::new)
    }

    async fn undrain(
        &self,
        request: Request<pb::UndrainRequest>,
    ) -> Result<Response<pb::UndrainResponse>, Status> {
        drains::undrain(self, request).await.map(Response::new)
    }

    async fn prolong(
        &self,
        request: Request<pb::ProlongRequest>,
    ) -> Result<Response<pb::ProlongResponse>, Status> {
        drains::prolong(self, request).await.map(Response::new)
    }

    async fn list_audit(
        &self,
        request: Request<pb::ListAuditRequest>,
    ) -> Result<Response<pb::ListAuditResponse>, Status> {
        let asked = request.into_inner();
        drains::audit(self, &asked).await.map(Response::new)
    }

    async fn read_process(
        &self,
        _: Request<pb::ReadProcessRequest>,
    ) -> Result<Response<pb::ProcessReport>, Status> {
        Ok(Response::new(self.process.read()))
    }
}

/// What of headers whoever calls is shown.
fn headers<M>(request: &Request<M>) -> Headers {
    if drains::caller(request).operates {
        Headers::Plain
    } else {
        Headers::Hidden
    }
}

/// Reads resources on a thread that may take its time.
async fn read(
    api: &Api,
    asked: pb::ReadSnapshotRequest,
    headers: Headers,
) -> Result<pb::Snapshot, Status> {
    let place = api.reads.clone().acquire_owned().await;
    let (gateways, lookup) = (api.gateways.clone(), api.reader.lookup().clone());
    let read = tokio::task::spawn_blocking(move || {
        let _place = place;
        snapshots::read(&gateways, &asked, headers, &lookup)
    });
    read.await
        .unwrap_or_else(|_| Err(Status::internal("the resources could not be read")))
}
