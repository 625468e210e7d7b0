//! Sends spans to a collector, some at a time. One that is away costs spans, which are counted, and a log line.

use std::time::{Duration, Instant, SystemTime};

use opentelemetry::KeyValue;
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanExporter as _;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tonic::transport::ClientTlsConfig;
use tracing::{info, warn};

use super::{Collector, Dropped, Protocol, QUEUE, Span, drop_spans};
use crate::telemetry::shown;

/// How many spans are sent at once, and how long after the first of them.
const BATCH: usize = 512;
const LINGER: Duration = Duration::from_secs(1);
/// How long the collector has to take them.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long it has at the end.
const LAST: Duration = Duration::from_secs(1);
/// As much of why it does not as is logged, in characters.
const SAID: usize = 300;
/// Where OTLP has traces over HTTP.
const PATH: &str = "v1/traces";

/// The collector cannot be spoken to as the settings say.
#[derive(Debug, thiserror::Error)]
#[error("--otlp-traces: {0}")]
pub struct Error(#[from] opentelemetry_otlp::ExporterBuildError);

/// A collector, and the spans that are to be sent to it.
#[derive(Debug)]
pub struct Export {
    collector: SpanExporter,
    spans: mpsc::Receiver<Span>,
    dropped: Dropped,
    /// Whether it took the last ones.
    takes: bool,
}

impl Export {
    /// Connects to nothing yet. Within a runtime.
    pub fn new(
        collector: &Collector,
        replica: &str,
        spans: mpsc::Receiver<Span>,
        dropped: Dropped,
    ) -> Result<Self, Error> {
        let builder = SpanExporter::builder();
        let mut exporter = match collector.protocol {
            Protocol::Grpc => {
                let mut builder = builder.with_tonic().with_endpoint(&collector.url);
                if collector.url.starts_with("https://") {
                    let roots = ClientTlsConfig::new().with_enabled_roots();
                    builder = builder.with_tls_config(roots);
                }
                builder.build()?
            }
            Protocol::Http => {
                let url = with_path(&collector.url);
                let builder = builder.with_http().with_endpoint(url);
                let protocol = opentelemetry_otlp::Protocol::HttpBinary;
                builder.with_protocol(protocol).build()?
            }
        };
        let instance = KeyValue::new("service.instance.id", replica.to_owned());
        let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let resource = Resource::builder().with_service_name("chancery");
        exporter.set_resource(&resource.with_attributes([instance, version]).build());
        Ok(Self {
            collector: exporter,
            spans,
            dropped,
            takes: true,
        })
    }

    /// Sends until the token is cancelled, and then what is left.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let received = shutdown.run_until_cancelled(self.fill(&mut batch)).await;
            if received.is_none() {
                break;
            }
            let sent = shutdown.run_until_cancelled(self.send(&mut batch)).await;
            if sent.is_none() {
                break;
            }
        }
        self.spans.close();
        while batch.len() < QUEUE && self.spans.recv_many(&mut batch, QUEUE).await > 0 {}
        if !batch.is_empty() && timeout(LAST, self.send(&mut batch)).await.is_err() {
            drop_spans(&self.dropped, "collector", batch.len());
        }
    }

    /// Waits for spans, and a while longer for those that come with them.
    async fn fill(&mut self, batch: &mut Vec<Span>) {
        if self.spans.recv_many(batch, BATCH).await == 0 {
            // Nobody makes any more.
            std::future::pending::<()>().await;
        }
        let more = async {
            while batch.len() < BATCH && self.spans.recv_many(batch, BATCH - batch.len()).await > 0
            {
            }
        };
        tokio::select! {
            () = more => {}
            () = sleep(LINGER) => {}
        }
    }

    /// Empties the batch once the collector has said whether it takes it.
    async fn send(&mut self, batch: &mut Vec<Span>) {
        let now = (Instant::now(), SystemTime::now());
        let data = batch.iter().map(|span| span.clone().data(now)).collect();
        let sent = timeout(PATIENCE, self.collector.export(data)).await;
        let failure = match sent {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some(format!("no answer within {} s", PATIENCE.as_secs())),
        };
        match failure {
            None => {
                if !self.takes {
                    info!("traces reach the collector again");
                }
                self.takes = true;
            }
            Some(error) => {
                if self.takes {
                    let error = shown(&error, SAID);
                    warn!(%error, "traces do not reach the collector: they are counted, and not kept");
                }
                self.takes = false;
                drop_spans(&self.dropped, "collector", batch.len());
            }
        }
        batch.clear();
    }
}

/// A URL without a path is the collector's own.
fn with_path(url: &str) -> String {
    match url::Url::parse(url) {
        Ok(mut parsed) if parsed.path() == "/" => {
            parsed.set_path(PATH);
            parsed.into()
        }
        _ => url.to_owned(),
    }
}
