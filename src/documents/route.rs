//! A route as the gateway uses it: references followed, its service's fields merged in, defaults applied.

pub(super) mod form;
pub(super) mod size;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::cohort::Envoy;
use crate::model::problem::Remark;
use crate::model::vars::Vars;
use crate::model::{Cluster, Document, Host, Id, Path, ServiceKey, Timeout};
use crate::plugin::Plugins;
use crate::plugin::shared::narrow;
use ipnet::IpNet;

/// A route that is in force.
#[derive(Debug, Clone)]
pub struct Route {
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
    /// What it was made of.
    pub sources: Sources,
}

/// The texts that a route was made of.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// Its own, and those that it refers to, directly or through others.
    pub own: Box<[Document]>,
    /// Those of the global rules, the same for all routes.
    pub rules: Arc<[Document]>,
}

impl Sources {
    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Document> {
        self.own.iter().chain(self.rules.iter())
    }
}

impl Route {
    /// Every cluster that requests can go to: the route's own, then those of its plugins.
    pub fn clusters(&self) -> impl Iterator<Item = &Arc<Cluster>> {
        self.cluster.iter().chain(self.plugins.clusters())
    }

    /// What of it an Envoy cannot do, each with its field: nothing of a route is served where that is not nothing, as a document
    /// never means something else.
    pub fn lacking(&self, envoy: Envoy) -> Vec<String> {
        let vars = self
            .vars
            .as_ref()
            .map_or(&[][..], |vars| vars.alternatives());
        let asked = narrow::needs(vars).into_iter();
        let asked = asked.filter(|one| !envoy.can(*one));
        let asked = asked.map(|one| Remark::new("vars", one.needed()));
        let lacking = asked.into_iter().chain(self.plugins.lacking(envoy));
        lacking.map(Remark::said).collect()
    }

    /// The services that its instances come from.
    pub fn services(&self) -> impl Iterator<Item = &ServiceKey> {
        self.clusters().flat_map(|cluster| cluster.services())
    }
}
