//! The gRPC service: opens a stream, finds out who speaks, and ends it with a status. What is said is `conversation`'s.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use envoy_types::pb::envoy::config::core::v3::Node as NodeIdentity;
use envoy_types::pb::envoy::config::core::v3::node::UserAgentVersionType;
use envoy_types::pb::envoy::service::discovery::v3::{DeltaDiscoveryRequest, DiscoveryRequest};
use http::HeaderMap;
use tokio_util::sync::CancellationToken;
use tonic::server::NamedService;
use tonic::transport::server::TcpConnectInfo;
use tonic::{Status, Streaming};
use tonic_prost::ProstCodec;
use tracing::{info, warn};

use crate::telemetry::{Metrics, metrics};

use super::body::{self, Writer};
use super::conversation::Conversation;
use super::gateways::Gateways;
use super::nodes::{self, Node, Nodes};
use super::request::{Protocol, Refusal, Request};

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
pub(super) trait Message:
    prost::Message + Default + TryInto<Request, Error = Refusal> + 'static
{
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
        let peer = request.extensions().get::<TcpConnectInfo>();
        let peer = peer.and_then(TcpConnectInfo::remote_addr);
        let decoder = tonic::codec::Codec::decoder(&mut ProstCodec::<M, M>::default());
        let limit = Some(self.limits.request_bytes);
        let requests = Streaming::new_request(decoder, request.into_body(), None, limit);
        let (writer, body) = body::channel();
        tokio::spawn(self.clone().serve::<M>(requests, writer, peer));
        let mut response = http::Response::new(tonic::body::Body::new(body));
        let content_type = http::HeaderValue::from_static("application/grpc");
        response
            .headers_mut()
            .insert(http::header::CONTENT_TYPE, content_type);
        response
    }

    async fn serve<M: Message>(
        self,
        mut requests: Streaming<M>,
        mut writer: Writer,
        peer: Option<SocketAddr>,
    ) {
        let open = self
            .metrics
            .streams
            .get_or_create_owned(&metrics::Protocol {
                protocol: M::PROTOCOL.as_str(),
            });
        open.inc();
        let status = match self.converse(&mut requests, &mut writer, peer).await {
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
        peer: Option<SocketAddr>,
    ) -> Result<(), Status> {
        let first = tokio::select! {
            first = requests.message() => first?,
            () = self.shutdown.cancelled() => return Err(shutting_down()),
        };
        let Some(mut first) = first else {
            return Ok(());
        };
        let identity = first.node().unwrap_or_default();
        let node = self.identify(identity, M::PROTOCOL, peer)?;
        let (id, gateway) = (node.id.clone(), node.gateway.clone());
        info!(node = %id, %gateway, agent = %node.agent, protocol = %M::PROTOCOL.as_str(), "node connected");
        let mut conversation = Conversation::new(self, node, writer);
        let result = conversation.run(first, requests).await;
        let reason = match &result {
            Ok(()) => "closed by the node",
            Err(status) => status.message(),
        };
        info!(node = %id, %gateway, reason, "node disconnected");
        result
    }

    fn identify(
        &self,
        identity: NodeIdentity,
        protocol: Protocol,
        address: Option<SocketAddr>,
    ) -> Result<Node, Status> {
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
            address,
            agent: agent(&identity).into(),
            protocol,
            connected: SystemTime::now(),
            status: nodes::Status::default(),
        })
    }

    pub(super) fn refuse(&self, reason: &'static str, message: impl Into<String>) -> Status {
        self.metrics
            .requests_refused
            .get_or_create(&metrics::Reason { reason })
            .inc();
        let message = message.into();
        warn!(reason, message, "xds stream refused");
        Status::invalid_argument(message)
    }
}

/// The status of a stream that ends because the process does.
pub(super) fn shutting_down() -> Status {
    Status::unavailable("chancery is shutting down; what was sent stays in force")
}

/// What a node is, as it says: `envoy 1.40.0`.
fn agent(identity: &NodeIdentity) -> String {
    let version = match &identity.user_agent_version_type {
        Some(UserAgentVersionType::UserAgentVersion(version)) => version.clone(),
        Some(UserAgentVersionType::UserAgentBuildVersion(build)) => {
            let version = build.version.unwrap_or_default();
            format!(
                "{}.{}.{}",
                version.major_number, version.minor_number, version.patch
            )
        }
        None => String::new(),
    };
    let agent = format!("{} {version}", identity.user_agent_name);
    agent.trim().chars().take(64).collect()
}
