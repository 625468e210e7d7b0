//! A route as the gateway uses it: references followed, its service's fields merged in, defaults applied.

pub(super) mod form;
mod path;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::registry::ServiceKey;

use super::{Cluster, Id, plugin::Plugins, vars::Vars};
pub use path::{Parameters, Path};

/// A host that a route answers to, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
pub enum Host {
    /// `www.example.com`
    Exact(Arc<str>),
    /// `*.example.com`, kept without the star: `.example.com`
    Suffix(Arc<str>),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Suffix(suffix) => write!(f, "*{suffix}"),
        }
    }
}

/// How long Envoy waits, each for a side that stays silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeout {
    /// For a connection to be set up.
    pub connect: Duration,
    /// Between two pieces of a request.
    pub send: Duration,
    /// Between two pieces of an answer; 504 after it.
    pub read: Duration,
}

impl Default for Timeout {
    /// A minute each, as in APISIX.
    fn default() -> Self {
        let minute = Duration::from_secs(60);
        Self {
            connect: minute,
            send: minute,
            read: minute,
        }
    }
}

/// A route that is in force.
#[derive(Debug, Clone)]
pub struct Route {
    /// The document's id.
    pub id: Id,
    /// The store's revision that wrote the document.
    pub revision: i64,
    /// The gateways that it belongs to, at least one.
    pub gateways: Vec<Id>,
    /// The hosts; any host when empty.
    pub hosts: Vec<Host>,
    /// The paths, at least one.
    pub paths: Vec<Path>,
    /// The methods; any method when empty.
    pub methods: BTreeSet<String>,
    /// The clients' addresses; any address when empty.
    pub addresses: Vec<IpNet>,
    /// What else a request must fulfil.
    pub vars: Option<Arc<Vars>>,
    /// Higher goes first among routes of the same host and path.
    pub priority: i32,
    /// Whether a request may be upgraded to a WebSocket.
    pub websocket: bool,
    /// `send` and `read` hold for the route, `connect` is its cluster's.
    pub timeout: Timeout,
    /// What it is called in statistics of its own; nothing when it has none.
    pub counted_as: Option<Arc<str>>,
    /// What is done to requests and answers on the way.
    pub plugins: Plugins,
    /// Where requests go; nothing when a plugin answers every request by itself.
    pub cluster: Option<Arc<Cluster>>,
}

impl Route {
    /// Every cluster that requests can go to: the route's own, then those of its plugins.
    pub fn clusters(&self) -> impl Iterator<Item = &Arc<Cluster>> {
        self.cluster.iter().chain(self.plugins.clusters())
    }

    /// The services that its instances come from.
    pub fn services(&self) -> impl Iterator<Item = &ServiceKey> {
        self.clusters().flat_map(|cluster| cluster.services())
    }
}
