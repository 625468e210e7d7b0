//! One instance of a service, as a registry has it. Says what it is and how it fares, not whether it gets traffic: that
//! is the choice of the document that names the service.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// What the registry's checks say of an instance, all of them together and those of its node included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Every check passes.
    #[default]
    Passing,
    /// A check warns, and none is worse.
    Warning,
    /// A check is critical, or says something that nobody knows.
    Critical,
    /// Someone took it, or its node, out on purpose.
    Maintenance,
}

impl Status {
    /// Every status, the best first.
    pub const ALL: [Self; 4] = [
        Self::Passing,
        Self::Warning,
        Self::Critical,
        Self::Maintenance,
    ];

    /// The word that Consul uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passing => "passing",
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::Maintenance => "maintenance",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instance {
    /// The registry's id of it, unique within its service: `<node>/<service id>` in Consul, where a service's id is unique
    /// on its node only.
    pub id: Arc<str>,
    pub address: IpAddr,
    /// The port, never 0.
    pub port: u16,
    pub status: Status,
    /// Its share of the traffic in this status, relative to the others; 0 gets none.
    pub weight: u32,
    /// The region that it stands in, or empty.
    pub region: Arc<str>,
    /// The zone that it stands in (Consul's datacenter where its node says no other), or empty.
    pub zone: Arc<str>,
    pub tags: BTreeSet<Arc<str>>,
    /// What the registry says of it besides (Consul's `Service.Meta`).
    pub metadata: BTreeMap<String, String>,
    /// Other addresses of it by name (Consul's tagged addresses), where they differ from its own.
    pub tagged: BTreeMap<Arc<str>, SocketAddr>,
    /// Its id on its own node (Consul's `Service.ID`); the same as `id` where there are no nodes.
    pub service_id: Arc<str>,
    /// The node that it is registered on; empty where there are none.
    pub node: Arc<str>,
    /// The address of that node, where its Consul agent listens; empty where there are none.
    pub node_address: Arc<str>,
}

impl Instance {
    /// A passing instance of weight 1 of which nothing else is known.
    pub fn new(id: impl Into<Arc<str>>, address: IpAddr, port: u16) -> Self {
        let service_id: Arc<str> = id.into();
        Self {
            id: service_id.clone(),
            service_id,
            address,
            port,
            status: Status::Passing,
            weight: 1,
            region: "".into(),
            zone: "".into(),
            tags: BTreeSet::new(),
            metadata: BTreeMap::new(),
            tagged: BTreeMap::new(),
            node: "".into(),
            node_address: "".into(),
        }
    }
}
