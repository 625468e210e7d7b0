//! The gRPC service: opens a stream, finds out who speaks, and ends it with a status. What is said is `conversation`'s.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::SystemTime;

use bytes::Bytes;
use envoy_types::pb::envoy::config::core::v3::Node as NodeIdentity;
use envoy_types::pb::envoy::service::discovery::v3::DiscoveryRequest;
use http::HeaderMap;
use tonic::Status;
use tower::BoxError;
use tracing::{info, warn};

use crate::telemetry::{self, metrics};

use super::admission::Peer;
use super::ads::{Ads, shutting_down};
use super::body::{self, Writer};
use super::conversation::Conversation;
use super::method::Method;
use super::nodes::{self, Identity, Node};
use super::refusal::NotAdmitted;
use super::request::{DeltaRequest, Message, Protocol, shown};
use super::requests::Requests;
use super::unheard;

/// As much of a node's id as is kept.
const MAX_ID: usize = 256;
/// The longest gateway name that is waited for.
const MAX_GATEWAY: usize = 64;
/// The gateway of a node that names none.
const DEFAULT_GATEWAY: &str = "default";

impl<B> tower::Service<http::Request<B>> for Ads
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let path = request.uri().path();
        let response = match Method::from_path(path) {
            Some(method) => match method.protocol {
                Protocol::Sotw => self.open::<DiscoveryRequest, B>(method, request),
                Protocol::Delta => self.open::<DeltaRequest, B>(method, request),
            },
            None => {
                let address = request
                    .extensions()
                    .get()
                    .and_then(|peer: &Peer| peer.address);
                self.unserved(path, address).into_http()
            }
        };
        ready(Ok(response))
    }
}

impl Ads {
    /// Counts a call of a service that nobody serves.
    fn unserved(&self, path: &str, address: Option<SocketAddr>) -> Status {
        let name = unheard::service(path);
        self.metrics
            .unserved
            .get_or_create(&metrics::Name { name })
            .inc();
        let path = shown(path);
        if self.admission.said.first(name) {
            let address = address.map(tracing::field::display);
            warn!(
                address,
                path,
                "a proxy calls a service that is not served: it is told so, and what it reports goes nowhere"
            );
        }
        Status::unimplemented(format!("{path} is not served"))
    }

    fn open<M: Message, B>(
        &self,
        method: Method,
        request: http::Request<B>,
    ) -> http::Response<tonic::body::Body>
    where
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let peer = request
            .extensions()
            .get::<Peer>()
            .cloned()
            .unwrap_or_default();
        let room = match self.admission.stream(&peer) {
            Ok(room) => room,
            Err(refusal) => return self.refuse(&refusal).into_http(),
        };
        let requests = Requests::new(
            request.into_body(),
            self.admission.requests.clone(),
            self.limits.request_bytes,
            self.limits.first_request,
        );
        let (writer, body) = body::channel();
        let serving = self.clone().serve::<M>(method, requests, writer, peer);
        tokio::spawn(async move {
            serving.await;
            drop(room);
        });
        let mut response = http::Response::new(tonic::body::Body::new(body));
        let content_type = http::HeaderValue::from_static("application/grpc");
        response
            .headers_mut()
            .insert(http::header::CONTENT_TYPE, content_type);
        response
    }

    async fn serve<M: Message>(
        self,
        method: Method,
        mut requests: Requests<M>,
        mut writer: Writer,
        peer: Peer,
    ) {
        let open = self
            .metrics
            .streams
            .get_or_create_owned(&metrics::Protocol {
                protocol: method.protocol.as_str(),
            });
        open.inc();
        // Awaited where it is made: kept in a variable, it would have room twice in the task.
        let status = match self
            .converse(method, &mut requests, &mut writer, peer)
            .await
        {
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
        method: Method,
        requests: &mut Requests<M>,
        writer: &mut Writer,
        peer: Peer,
    ) -> Result<(), Status> {
        let patience = self.limits.first_request;
        let first = tokio::select! {
            first = requests.next() => first.map_err(|broken| self.broken(broken))?,
            () = tokio::time::sleep(patience) => return Err(self.refuse(&NotAdmitted::Silent(patience))),
            ended = peer.ending.said() => return Err(ended),
            () = self.shutdown.cancelled() => return Err(shutting_down()),
        };
        let Some(first) = first else {
            return Ok(());
        };
        let (mut conversation, begun) = self.meet(method, first, &peer, writer)?;
        let result = match begun {
            Err(status) => Err(status),
            Ok(()) => tokio::select! {
                result = conversation.run(requests) => result,
                ended = peer.ending.said() => Err(ended),
            },
        };
        let reason = match &result {
            Ok(()) => "closed by the node",
            Err(status) => status.message(),
        };
        if self.admission.may_tell_disconnected() {
            let Identity { id, gateway, .. } = conversation.node();
            info!(node = %id, %gateway, reason, "node disconnected");
        }
        result
    }

    /// Finds out who speaks, and begins to speak. Apart from what waits: all that is only needed here would be room in every
    /// stream's task.
    fn meet<'a, M: Message>(
        &'a self,
        method: Method,
        mut first: M,
        peer: &Peer,
        writer: &'a mut Writer,
    ) -> Result<(Conversation<'a>, Result<(), Status>), Status> {
        let identity = first.node().unwrap_or_default();
        let node =
            identify(identity, method.protocol, peer).map_err(|refusal| self.refuse(&refusal))?;
        let allowed = self.clients.check(peer, &node.gateway);
        allowed.map_err(|refusal| self.refuse(&refusal))?;
        if self.admission.may_tell_connected() {
            info!(node = %node.id, gateway = %node.gateway, agent = %node.agent, protocol = %method.protocol.as_str(), "node connected");
        }
        let mut conversation = Conversation::new(self, node, method.only, writer);
        let begun = conversation.begin(first);
        Ok((conversation, begun))
    }
}

fn identify(identity: NodeIdentity, protocol: Protocol, peer: &Peer) -> Result<Node, NotAdmitted> {
    if identity.id.is_empty() {
        return Err(NotAdmitted::NoNodeId);
    }
    if identity.cluster.len() > MAX_GATEWAY {
        return Err(NotAdmitted::GatewayName(MAX_GATEWAY));
    }
    let gateway = match identity.cluster.as_str() {
        "" => DEFAULT_GATEWAY,
        cluster => cluster,
    };
    let cohort = super::cohort::of(&identity)?;
    Ok(Node {
        id: telemetry::shown(&identity.id, MAX_ID).into(),
        gateway: telemetry::shown(gateway, MAX_GATEWAY).into(),
        address: peer.address,
        agent: cohort.name().clone(),
        cohort,
        protocol,
        connected: SystemTime::now(),
        status: nodes::NodeStatus::default(),
    })
}
