//! The service that hands on what proxies write down of requests: Envoy's access log service on one side, the servers that documents
//! name on the other. A process of its own, as Chancery sees no traffic.

mod buffer;
mod encode;
mod entry;
mod kafka;
mod post;
mod send;
mod socket;
mod targets;
mod trusting;
mod variable;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response as HttpResponse};
use axum::routing::get;
use envoy_types::pb::envoy::service::accesslog::v3::access_log_service_server::{
    AccessLogService, AccessLogServiceServer,
};
use envoy_types::pb::envoy::service::accesslog::v3::stream_access_logs_message::LogEntries;
use envoy_types::pb::envoy::service::accesslog::v3::{
    StreamAccessLogsMessage, StreamAccessLogsResponse,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Server, ServerTlsConfig};
use tonic::{Request, Response, Status, Streaming};

use crate::telemetry::metrics::LogMetrics;
use crate::telemetry::process;
use entry::{Entry, Proxy};
pub use post::Unusable;
pub use send::Sinks;
pub use targets::Targets;

/// Bytes of a message: proxies send what is written down in pieces of 16 KiB, and of one request more if its headers are.
const MESSAGE: usize = 4 << 20;
/// Streams of one connection: each thread of a proxy has one.
const STREAMS: u32 = 4096;

/// Takes entries until `shutdown` is cancelled; then those that wait are posted.
pub async fn serve(
    listener: TcpListener,
    tls: Option<ServerTlsConfig>,
    targets: Arc<Targets>,
    shutdown: CancellationToken,
) -> Result<(), tonic::transport::Error> {
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<AccessLogServiceServer<Logger>>().await;
    let logger = Logger {
        targets: targets.clone(),
        shutdown: shutdown.clone(),
    };
    let service = AccessLogServiceServer::new(logger).max_decoding_message_size(MESSAGE);
    let mut server = Server::builder();
    if let Some(tls) = tls {
        server = server.tls_config(tls)?;
    }
    let scraped = axum::Router::new()
        .route("/metrics", get(metrics))
        .with_state(targets.metrics.clone());
    let telling = tokio::spawn(tell(targets.clone()));
    let served = server
        // For whoever scrapes.
        .accept_http1(true)
        .max_concurrent_streams(STREAMS)
        // A proxy that vanished without a word is noticed after 40 s.
        .http2_keepalive_interval(Some(Duration::from_secs(30)))
        .http2_keepalive_timeout(Some(Duration::from_secs(10)))
        .tcp_nodelay(true)
        .add_routes(Routes::from(scraped))
        .add_service(health_service)
        .add_service(service)
        .serve_with_incoming_shutdown(
            TcpIncoming::from(listener).with_nodelay(Some(true)),
            shutdown.cancelled_owned(),
        )
        .await;
    telling.abort();
    targets.end().await;
    served
}

async fn metrics(State(metrics): State<Arc<LogMetrics>>) -> HttpResponse {
    match metrics.encode(&process::read()) {
        Ok(text) => {
            let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, content_type)], text).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// Says again and again what was lost.
async fn tell(targets: Arc<Targets>) {
    let mut turn = tokio::time::interval(Duration::from_secs(10));
    loop {
        turn.tick().await;
        targets.tell_losses();
    }
}

/// Takes what proxies write down.
struct Logger {
    targets: Arc<Targets>,
    shutdown: CancellationToken,
}

#[tonic::async_trait]
impl AccessLogService for Logger {
    /// A stream goes on for as long as its proxy does, so it ends here when this process is to.
    async fn stream_access_logs(
        &self,
        request: Request<Streaming<StreamAccessLogsMessage>>,
    ) -> Result<Response<StreamAccessLogsResponse>, Status> {
        let mut messages = request.into_inner();
        let mut proxy = Proxy::default();
        loop {
            let message = tokio::select! {
                message = messages.message() => message?,
                () = self.shutdown.cancelled() => None,
            };
            let Some(message) = message else {
                return Ok(Response::new(StreamAccessLogsResponse::default()));
            };
            if let Some(node) = message.identifier.and_then(|said| said.node) {
                proxy = Proxy::of(&node);
            }
            let Some(LogEntries::HttpLogs(logs)) = message.log_entries else {
                continue;
            };
            for entry in &logs.log_entry {
                let entry = Entry::read(entry, &proxy);
                self.targets.take(&entry);
            }
        }
    }
}
