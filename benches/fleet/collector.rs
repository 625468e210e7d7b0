//! A collector of traces that counts spans.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use tokio::net::TcpListener;

/// A collector, for as long as this process runs.
pub struct Collector {
    /// Where it listens.
    pub address: SocketAddr,
    spans: Arc<AtomicUsize>,
}

impl Collector {
    /// Starts one on a free port.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let spans = Arc::<AtomicUsize>::default();
        let counted = spans.clone();
        let count = async move |body: Bytes| {
            let sent = ExportTraceServiceRequest::decode(body).unwrap_or_default();
            let scopes = sent.resource_spans.iter().flat_map(|it| &it.scope_spans);
            let count = scopes.map(|scope| scope.spans.len()).sum();
            counted.fetch_add(count, Ordering::Relaxed);
        };
        // Both what it is given as a whole, and what exporters add.
        let router = Router::new()
            .route("/", post(count.clone()))
            .route("/v1/traces", post(count));
        tokio::spawn(async { axum::serve(listener, router).await });
        Ok(Self { address, spans })
    }

    /// How many spans it was sent.
    pub fn spans(&self) -> usize {
        self.spans.load(Ordering::Relaxed)
    }
}
