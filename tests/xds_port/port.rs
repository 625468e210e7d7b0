//! A served xDS port, and clients of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chancery::cohort::Cohort;
use chancery::snapshot::{Change, Resource, ResourceType, Snapshot};
use chancery::telemetry::{Metrics, Tracer, metrics};
use chancery::tls;
use chancery::xds::admission::Admission;
use chancery::xds::{Ads, Clients, Gateways, Limits, Nodes, server};
use envoy_types::pb::envoy::config::core::v3::Node;
use envoy_types::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse,
};
use http::uri::PathAndQuery;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status, Streaming};
use tonic_prost::ProstCodec;

use crate::support::PATIENCE;

pub const SOTW: &str =
    "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources";
pub const DELTA: &str =
    "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";
pub const CLUSTERS: &str = ResourceType::Cluster.type_url();

/// A served xDS port; it closes when dropped.
pub struct Port {
    pub address: SocketAddr,
    pub ads: Ads,
    _shutdown: DropGuard,
}

impl Port {
    pub async fn open(limits: Limits) -> Self {
        Self::with(limits, Clients::default(), None).await
    }

    pub async fn with(limits: Limits, clients: Clients, files: Option<tls::Files>) -> Self {
        let shutdown = CancellationToken::new();
        let metrics = Arc::new(Metrics::default());
        let (gateways, _) = Gateways::counting(metrics.change_seconds.clone(), Tracer::default());
        let ads = Ads {
            gateways: Arc::new(gateways),
            nodes: Arc::new(Nodes::default()),
            metrics,
            admission: Arc::new(Admission::new(limits.clone())),
            limits,
            clients: Arc::new(clients),
            shutdown: shutdown.clone(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut current = None;
        if let Some(files) = files {
            let certificates = tls::Certificates::load(files).await.unwrap();
            current = Some(certificates.current());
            tokio::spawn(certificates.watch(shutdown.clone()));
        }
        tokio::spawn(server::serve(listener, current, ads.clone()));
        Self {
            address,
            ads,
            _shutdown: shutdown.drop_guard(),
        }
    }

    /// A port whose gateway `default` has one resource of each type, named after the type.
    pub async fn with_one_of_each(limits: Limits) -> Self {
        let port = Self::open(limits).await;
        port.publish(ResourceType::ALL.map(|each| (each, each.as_str(), b"".as_slice())));
        port
    }

    /// Publishes the next snapshot of gateway `default`.
    pub fn publish<'a>(&self, all: impl IntoIterator<Item = (ResourceType, &'a str, &'a [u8])>) {
        let changes = all.into_iter().map(|(resource_type, name, value)| Change {
            resource_type,
            name: name.into(),
            resource: Some(Resource::new(resource_type, name, value, Box::default()).into()),
        });
        let gateways = &self.ads.gateways;
        // What clients say nothing of themselves are.
        let cohort = Cohort::foreign("");
        let before = gateways.watch("default", Some(&cohort)).borrow().clone();
        let before = before.unwrap_or_else(|| Arc::new(Snapshot::empty("default".into())));
        let (mut snapshot, _) = before.next(changes, 7);
        snapshot.cohort = Some(cohort.clone());
        gateways.begin_change(Instant::now(), [&snapshot], None);
        gateways.publish("default", Some(&cohort), Some(Arc::new(snapshot)));
    }

    pub async fn channel(&self) -> Channel {
        self.try_channel().await.unwrap()
    }

    pub async fn try_channel(&self) -> Result<Channel, tonic::transport::Error> {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address))?;
        endpoint.connect().await
    }

    /// How many clients were refused for that reason.
    pub fn refused(&self, reason: &'static str) -> u64 {
        let counters = &self.ads.metrics.requests_refused;
        counters.get_or_create(&metrics::Reason { reason }).get()
    }
}

/// One stream of a client.
pub struct Client<Req, Res> {
    requests: mpsc::Sender<Req>,
    responses: Streaming<Res>,
}

pub type Sotw = Client<DiscoveryRequest, DiscoveryResponse>;
pub type Delta = Client<DeltaDiscoveryRequest, DeltaDiscoveryResponse>;

impl<Req: prost::Message + 'static, Res: prost::Message + Default + 'static> Client<Req, Res> {
    /// Opens a stream, or tells why it was refused at once.
    pub async fn try_open(channel: &Channel, path: &'static str) -> Result<Self, Status> {
        let (requests, outgoing) = mpsc::channel(1);
        let mut grpc = Grpc::new(channel.clone());
        grpc.ready().await.unwrap();
        let outgoing = tonic::Request::new(ReceiverStream::new(outgoing));
        let path = PathAndQuery::from_static(path);
        let codec = ProstCodec::<Req, Res>::default();
        let opened = grpc.streaming(outgoing, path, codec).await?;
        Ok(Self {
            requests,
            responses: opened.into_inner(),
        })
    }

    pub async fn open(channel: &Channel, path: &'static str) -> Self {
        Self::try_open(channel, path).await.unwrap()
    }

    /// Sends a request; a stream that has ended takes none.
    pub async fn send(&self, request: Req) -> bool {
        self.requests.send(request).await.is_ok()
    }

    /// The next response.
    pub async fn next(&mut self) -> Result<Option<Res>, Status> {
        let next = timeout(PATIENCE, self.responses.message()).await;
        next.expect("an answer or an end")
    }

    /// Waits for the status that the stream ends with.
    pub async fn ends(&mut self) -> Status {
        loop {
            match self.next().await {
                Ok(Some(_)) => {}
                Ok(None) => return Status::ok(""),
                Err(status) => return status,
            }
        }
    }

    /// Whether nothing comes within `time`.
    pub async fn is_silent(&mut self, time: Duration) -> bool {
        timeout(time, self.responses.message()).await.is_err()
    }
}

/// Who speaks: a node of gateway `default`.
pub fn node(id: &str) -> Option<Node> {
    Some(Node {
        id: id.into(),
        ..Node::default()
    })
}

/// The first request of a SotW client.
pub fn wish(type_url: &str) -> DiscoveryRequest {
    DiscoveryRequest {
        node: node("one"),
        type_url: type_url.into(),
        ..DiscoveryRequest::default()
    }
}

pub fn assert_code(status: &Status, code: Code) {
    assert_eq!(status.code(), code, "{status:?}");
}
