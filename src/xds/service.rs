//! The gRPC shell of ADS: one task per stream, which waits for a request, a new snapshot or time, and writes what the
//! state machine hands out. The one file that knows `tonic::Status`.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use envoy_types::pb::envoy::config::core::v3::Node as NodeIdentity;
use envoy_types::pb::envoy::service::discovery::v3::{DeltaDiscoveryRequest, DiscoveryRequest};
use http::HeaderMap;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;
use tonic::server::NamedService;
use tonic::{Status, Streaming};
use tonic_prost::ProstCodec;
use tracing::{info, warn};

use crate::telemetry::{self, Metrics, metrics};

use super::body::{self, Closed, Writer};
use super::gateways::{Gateways, Newest};
use super::nodes::{Node, Nodes, Seat};
use super::request::{Protocol, Refusal, Request};
use super::stream::{Answer, Stream};

const SOTW: &str =
    "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources";
const DELTA: &str =
    "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";

/// The longest gateway name that is waited for.
const MAX_GATEWAY: usize = 64;
/// The gateway of a node that names none.
const DEFAULT_GATEWAY: &str = "default";

/// Bounds on what one client may do.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The largest request, in bytes; one with 200,000 names has 6 MB.
    pub request_bytes: usize,
    /// How long a client may leave what it was sent unread.
    pub slow_reader: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_bytes: 16 << 20,
            slow_reader: Duration::from_secs(60),
        }
    }
}

/// The aggregated discovery service.
#[derive(Debug, Clone)]
pub struct Ads {
    /// What is served.
    pub gateways: Arc<Gateways>,
    /// Who is served.
    pub nodes: Arc<Nodes>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Bounds on clients.
    pub limits: Limits,
    /// Ends every stream.
    pub shutdown: CancellationToken,
}

impl NamedService for Ads {
    const NAME: &'static str = "envoy.service.discovery.v3.AggregatedDiscoveryService";
}

impl tower::Service<http::Request<tonic::body::Body>> for Ads {
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        let response = match request.uri().path() {
            SOTW => self.open::<DiscoveryRequest>(request),
            DELTA => self.open::<DeltaDiscoveryRequest>(request),
            path => Status::unimplemented(format!("{path} is not served")).into_http(),
        };
        ready(Ok(response))
    }
}

/// What both protocols' requests have in common.
trait Message: prost::Message + Default + TryInto<Request, Error = Refusal> + 'static {
    const PROTOCOL: Protocol;
    fn node(&mut self) -> Option<NodeIdentity>;
}

impl Message for DiscoveryRequest {
    const PROTOCOL: Protocol = Protocol::Sotw;
    fn node(&mut self) -> Option<NodeIdentity> {
        self.node.take()
    }
}

impl Message for DeltaDiscoveryRequest {
    const PROTOCOL: Protocol = Protocol::Delta;
    fn node(&mut self) -> Option<NodeIdentity> {
        self.node.take()
    }
}

impl Ads {
    fn open<M: Message>(
        &self,
        request: http::Request<tonic::body::Body>,
    ) -> http::Response<tonic::body::Body> {
        let decoder = tonic::codec::Codec::decoder(&mut ProstCodec::<M, M>::default());
        let limit = Some(self.limits.request_bytes);
        let requests = Streaming::new_request(decoder, request.into_body(), None, limit);
        let (writer, body) = body::channel();
        tokio::spawn(self.clone().serve::<M>(requests, writer));
        let mut response = http::Response::new(tonic::body::Body::new(body));
        let content_type = http::HeaderValue::from_static("application/grpc");
        response
            .headers_mut()
            .insert(http::header::CONTENT_TYPE, content_type);
        response
    }

    async fn serve<M: Message>(self, mut requests: Streaming<M>, mut writer: Writer) {
        let open = self
            .metrics
            .streams
            .get_or_create_owned(&metrics::Protocol {
                protocol: M::PROTOCOL.as_str(),
            });
        open.inc();
        let status = match self.converse(&mut requests, &mut writer).await {
            Ok(()) => Status::ok(""),
            Err(status) => status,
        };
        open.dec();
        let mut trailers = HeaderMap::new();
        if status.add_header(&mut trailers).is_ok() {
            writer.end(trailers);
        }
    }

    async fn converse<M: Message>(
        &self,
        requests: &mut Streaming<M>,
        writer: &mut Writer,
    ) -> Result<(), Status> {
        let first = tokio::select! {
            first = requests.message() => first?,
            () = self.shutdown.cancelled() => return Err(shutting_down()),
        };
        let Some(mut first) = first else {
            return Ok(());
        };
        let identity = first.node().unwrap_or_default();
        let node = self.identify(identity, M::PROTOCOL)?;
        let mut conversation = Conversation {
            ads: self,
            newest: self.gateways.watch(&node.gateway),
            seat: self.nodes.enter(node.clone()),
            stream: Stream::new(M::PROTOCOL),
            refused: None,
            node,
            writer,
        };
        info!(node = %conversation.node.id, gateway = %conversation.node.gateway, protocol = %M::PROTOCOL.as_str(), "node connected");
        let result = conversation.run(first, requests).await;
        let reason = match &result {
            Ok(()) => "closed by the node",
            Err(status) => status.message(),
        };
        info!(node = %conversation.node.id, gateway = %conversation.node.gateway, reason, "node disconnected");
        result
    }

    fn identify(&self, identity: NodeIdentity, protocol: Protocol) -> Result<Node, Status> {
        if identity.id.is_empty() {
            let message = "the first request names no node.id; set it in the proxy's bootstrap (envoy --service-node)";
            return Err(self.refuse("no_node_id", message));
        }
        if identity.cluster.len() > MAX_GATEWAY {
            let message =
                "node.cluster is longer than 64 bytes, so that no gateway can have its name";
            return Err(self.refuse("gateway_name", message));
        }
        let gateway = match identity.cluster.as_str() {
            "" => DEFAULT_GATEWAY,
            cluster => cluster,
        };
        Ok(Node {
            id: identity.id.chars().take(256).collect::<String>().into(),
            gateway: gateway.into(),
            protocol,
            synced: false,
            refused: None,
        })
    }

    fn refuse(&self, reason: &'static str, message: impl Into<String>) -> Status {
        self.metrics
            .requests_refused
            .get_or_create(&metrics::Reason { reason })
            .inc();
        let message = message.into();
        warn!(reason, message, "xds stream refused");
        Status::invalid_argument(message)
    }
}

/// One stream and all it needs.
struct Conversation<'a> {
    ads: &'a Ads,
    node: Node,
    seat: Seat,
    newest: watch::Receiver<Newest>,
    stream: Stream,
    refused: Option<Arc<str>>,
    writer: &'a mut Writer,
}

impl Conversation<'_> {
    async fn run<M: Message>(
        &mut self,
        first: M,
        requests: &mut Streaming<M>,
    ) -> Result<(), Status> {
        self.take_newest();
        self.handle(first)?;
        let mut reading = interval(self.ads.limits.slow_reader / 2);
        reading.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut progress = (0, 0);
        loop {
            self.flush()?;
            let timeout = self.stream.poll_timeout();
            tokio::select! {
                request = requests.message() => match request? {
                    Some(request) => self.handle(request)?,
                    None => return Ok(()),
                },
                changed = self.newest.changed() => {
                    changed.map_err(|_| shutting_down())?;
                    self.take_newest();
                }
                () = sleep_until(timeout.unwrap_or_else(Instant::now).into()), if timeout.is_some() => {
                    warn!(node = %self.node.id, "clusters are not acknowledged in time; routes go ahead");
                }
                _ = reading.tick() => self.check_reader(&mut progress)?,
                () = self.writer.closed() => return Ok(()),
                () = self.ads.shutdown.cancelled() => return Err(shutting_down()),
            }
        }
    }

    fn take_newest(&mut self) {
        let newest = self.newest.borrow_and_update().clone();
        match newest {
            Some(snapshot) => self.stream.handle_snapshot(snapshot),
            None => {
                info!(node = %self.node.id, gateway = %self.node.gateway, "node waits: its gateway is not known (yet)");
            }
        }
    }

    fn handle<M: Message>(&mut self, request: M) -> Result<(), Status> {
        let request: Request = request.try_into().map_err(|refusal: Refusal| {
            let reason = match refusal {
                Refusal::NoTypeUrl => "no_type_url",
                Refusal::UnknownType(_) => "unknown_type",
            };
            self.ads.refuse(reason, refusal.to_string())
        })?;
        if let Some(answer) = self.stream.handle_request(request, Instant::now()) {
            self.note(&answer);
        }
        Ok(())
    }

    fn note(&mut self, answer: &Answer) {
        let r#type = answer.resource_type.as_str();
        let labels = metrics::Type { r#type };
        let metrics = &self.ads.metrics;
        metrics
            .ack_seconds
            .get_or_create(&labels)
            .observe(answer.took.as_secs_f64());
        let (node, gateway) = (&*self.node.id, &*self.node.gateway);
        let (version, revision) = (answer.version, answer.revision);
        let took_ms = telemetry::millis(answer.took);
        match &answer.error {
            None => {
                metrics.acks.get_or_create(&labels).inc();
                info!(%node, %gateway, %r#type, %version, revision, took_ms, "ACK");
                self.refused = None;
            }
            Some(error) => {
                metrics.nacks.get_or_create(&labels).inc();
                warn!(%node, %gateway, %r#type, %version, revision, took_ms, error, "NACK: the node keeps what it had");
                self.refused = Some(error.as_str().into());
            }
        }
    }

    fn flush(&mut self) -> Result<(), Status> {
        while let Some(response) = self.stream.poll_response(Instant::now()) {
            let labels = metrics::Type {
                r#type: response.resource_type.as_str(),
            };
            self.ads.metrics.responses.get_or_create(&labels).inc();
            self.ads
                .metrics
                .response_bytes
                .get_or_create(&labels)
                .inc_by(response.size() as u64);
            tracing::debug!(
                node = %self.node.id, r#type = %labels.r#type, version = %response.version, nonce = response.nonce,
                resources = response.resources, removed = response.removed, bytes = response.size(), "response sent",
            );
            self.writer
                .write(response.pieces)
                .map_err(|Closed| Status::cancelled("the client is gone"))?;
        }
        self.seat
            .note(self.stream.is_synced(), self.refused.clone());
        Ok(())
    }

    /// Ends the stream of a client that has left unread what it was sent since the last look.
    fn check_reader(&self, before: &mut (u64, u64)) -> Result<(), Status> {
        let (taken, given) = self.writer.progress();
        let stuck = taken < before.1 && taken == before.0;
        *before = (taken, given);
        if !stuck {
            return Ok(());
        }
        let reason = "slow_reader";
        self.ads
            .metrics
            .requests_refused
            .get_or_create(&metrics::Reason { reason })
            .inc();
        Err(Status::deadline_exceeded(
            "the client does not read what it is sent",
        ))
    }
}

fn shutting_down() -> Status {
    Status::unavailable("chancery is shutting down; what was sent stays in force")
}
