//! Where requests go: an upstream, and the cluster that it becomes for the routes that use it.

mod checks;
pub mod discovery;
pub(crate) mod form;
mod hash;
mod nodes;
mod slow_start;
mod tls;

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::certificate::Identity;
use super::consumer::Secret;
use super::key::{Id, Key};
use super::problem::Remark;
use super::{ServiceKey, Timeout};

pub use checks::{Active, Checks, Header, HttpProbe, Passive, Probe, Verify};
pub use discovery::{Discovered, LeftOut, Selection};
pub use hash::{Hash, HashAlgorithm, HashKey};
pub(crate) use nodes::HostName;
pub use slow_start::SlowStart;
pub use tls::{ServerName, Tls, Trust};

/// One node that a document lists by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// An IP address or a DNS name.
    pub host: Arc<str>,
    /// The port, never 0.
    pub port: u16,
    /// Its share of the traffic, relative to the others; 0 gets none.
    pub weight: u32,
    /// Higher is preferred; lower ones get traffic when the higher fail.
    pub priority: i32,
    /// Free for whoever wrote the document.
    pub metadata: Map<String, Value>,
    /// What is different when it is asked for its health.
    pub check: NodeCheck,
    /// Whether its own name as Host (`pass_host: node`) has the port.
    pub is_named_with_port: bool,
}

/// What is different for a node when it is asked for its health.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct NodeCheck {
    /// The Host that it sees, where nodes see different ones.
    pub host: Option<Arc<str>>,
    /// The port, where it is another one.
    pub port: Option<u16>,
}

impl Node {
    /// A node about which nothing else is said.
    pub fn new(host: Arc<str>, port: u16, weight: u32) -> Self {
        Self {
            host,
            port,
            weight,
            priority: 0,
            metadata: Map::new(),
            check: NodeCheck::default(),
            is_named_with_port: false,
        }
    }

    /// Where it listens; nothing where Envoy has to resolve its name.
    pub fn place(&self) -> Option<SocketAddr> {
        let address: IpAddr = self.host.parse().ok()?;
        Some(SocketAddr::new(address.to_canonical(), self.port))
    }
}

/// Who the instances are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Members {
    /// Listed in the document.
    Nodes(Vec<Node>),
    /// Those of a service of the registry.
    Service(Discovered),
}

/// How an instance is chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Balancer {
    /// In turn, by weight.
    RoundRobin,
    /// Whoever has the fewest requests in flight.
    LeastConnections,
    Hash(Hash),
}

/// How Envoy talks to the instances.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// HTTP/1.1
    #[default]
    Http,
    /// HTTP/1.1 over TLS
    Https,
    /// HTTP/2
    Grpc,
    /// HTTP/2 over TLS
    Grpcs,
    /// Bytes, for stream routes.
    Tcp,
    /// Bytes over TLS, for stream routes.
    Tls,
}

impl Scheme {
    /// The name that documents use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Grpc => "grpc",
            Self::Grpcs => "grpcs",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }

    pub fn is_tls(self) -> bool {
        matches!(self, Self::Https | Self::Grpcs | Self::Tls)
    }

    /// Whether it carries requests, and not bytes.
    pub fn is_http(self) -> bool {
        !matches!(self, Self::Tcp | Self::Tls)
    }

    /// The port of a node that names none.
    pub fn port(self) -> Option<u16> {
        match self {
            Self::Http | Self::Grpc => Some(80),
            Self::Https | Self::Grpcs => Some(443),
            Self::Tcp | Self::Tls => None,
        }
    }
}

/// Which Host the instances see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PassHost {
    /// The client's.
    Pass,
    /// The node's own.
    Node,
    Rewrite(Arc<str>),
}

/// How long connections to instances live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeepalivePool {
    /// Closed after being idle that long.
    pub idle_timeout: Duration,
    /// Closed after that many requests; 0 is no limit.
    pub requests: u32,
}

/// An upstream, checked and with its defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    pub members: Members,
    pub balancer: Balancer,
    pub scheme: Scheme,
    pub pass_host: PassHost,
    /// Further attempts after the first, where the document says so; else one less than there are nodes, at most 3.
    pub retries: Option<u32>,
    /// A bound on all attempts together.
    pub retry_timeout: Option<Duration>,
    /// Time-outs of the upstream; a route's own win.
    pub timeout: Timeout,
    pub keepalive_pool: Option<KeepalivePool>,
    pub checks: Checks,
    pub slow_start: Option<SlowStart>,
    /// There when the scheme is one over TLS.
    pub tls: Option<Tls>,
}

impl Upstream {
    /// Whether a route of requests can use it.
    pub(crate) fn check_http(&self) -> Result<(), Remark> {
        if self.scheme.is_http() {
            Ok(())
        } else {
            Err(Remark::new(
                "scheme",
                format!(
                    "found \"{}\", which is for stream routes, allowed: http, https, grpc, grpcs",
                    self.scheme.as_str()
                ),
            ))
        }
    }
}

/// When an instance that answers with errors gets no requests for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breaker {
    /// The statuses that are errors, at least one.
    pub statuses: BTreeSet<u32>,
    /// So many of them in a row.
    pub failures: u32,
    /// The longest while.
    pub longest: Duration,
}

/// An upstream as an Envoy cluster: the upstream, and what the routes that use it demand of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// `upstream/<id>`, `service/<id>` or `route/<id>`, after the document that holds the upstream; `route/<id>` as well
    /// when a route demands something of it that the upstream which it refers to does not have.
    pub name: Arc<str>,
    pub upstream: Arc<Upstream>,
    pub connect_timeout: Duration,
    /// What its requests ask, where they are not those of clients.
    pub check: Option<Arc<Check>>,
    /// What a route's `api-breaker` demands.
    pub breaker: Option<Breaker>,
    /// What its requests show as `Authorization`, where they are not those of clients.
    pub credential: Option<Secret>,
    /// What the filter knows that logs people in with it.
    pub login: Option<Login>,
}

/// The secrets of a filter that logs people in: neither stands in its configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// What the provider is shown.
    pub client: Secret,
    /// What keeps sessions from being forged.
    pub session: Secret,
}

/// Requests that ask whether another request may pass: a 2xx says yes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Of HTTP.
    pub method: &'static str,
    /// The Host that they have: letters, digits and `-._:[]`.
    pub host: String,
    /// Headers that the other request has from the answer, or not at all; in lower case.
    pub replaced: Vec<String>,
    /// Headers that the answer loses when it says no; in lower case.
    pub hidden: Vec<String>,
}

/// Where the fields of a document send requests.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    /// `upstream`
    Inline(Arc<Cluster>),
    /// `upstream_id`
    Reference(Id),
}

impl Cluster {
    /// The cluster of the upstream that the document `key` holds.
    pub(super) fn new(key: &Key, upstream: Upstream) -> Self {
        Self {
            name: format!("{}/{}", key.kind.singular(), key.id).into(),
            connect_timeout: upstream.timeout.connect,
            breaker: None,
            upstream: Arc::new(upstream),
            check: None,
            credential: None,
            login: None,
        }
    }

    /// One of this name that has no instances.
    pub(crate) fn of_nobody(name: &str) -> Self {
        let timeout = Timeout::default();
        Self {
            name: name.into(),
            connect_timeout: timeout.connect,
            upstream: Arc::new(Upstream {
                members: Members::Nodes(Vec::new()),
                balancer: Balancer::RoundRobin,
                scheme: Scheme::Http,
                pass_host: PassHost::Pass,
                retries: Some(0),
                retry_timeout: None,
                timeout,
                keepalive_pool: None,
                checks: Checks::default(),
                slow_start: None,
                tls: None,
            }),
            check: None,
            breaker: None,
            credential: None,
            login: None,
        }
    }

    /// The name of what its requests show, or of what the provider is shown in a login.
    pub(crate) fn credential_name(&self) -> String {
        format!("credential/{}", self.name)
    }

    /// The name of what keeps sessions from being forged.
    pub(crate) fn session_name(&self) -> String {
        format!("session/{}", self.name)
    }

    /// The ssl document that it refers to for what instances are shown.
    pub(crate) fn client_cert(&self) -> Option<&Id> {
        self.upstream.tls.as_ref()?.client_cert.as_ref()
    }

    /// The cluster that shows this to instances.
    pub(crate) fn showing(&self, identity: Identity) -> Self {
        let mut upstream = Upstream::clone(&self.upstream);
        if let Some(tls) = &mut upstream.tls {
            tls.identity = Some(identity);
        }
        Self {
            upstream: Arc::new(upstream),
            ..self.clone()
        }
    }

    /// The services that its members come from, in order of preference; none when its nodes stand in the document.
    pub fn services(&self) -> impl Iterator<Item = &ServiceKey> {
        let discovered = match &self.upstream.members {
            Members::Service(discovered) => Some(discovered),
            Members::Nodes(_) => None,
        };
        discovered.into_iter().flat_map(Discovered::services)
    }

    /// The name of its load assignment: the service's (`consul/echo`, see [`Discovered`]), so that clusters of the same
    /// instances share it, or its own when the nodes stand in the document.
    pub fn load_assignment(&self) -> Arc<str> {
        match &self.upstream.members {
            Members::Service(service) => service.load_assignment(),
            Members::Nodes(_) => self.name.clone(),
        }
    }
}
