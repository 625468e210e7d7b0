//! Where instances live. A registry watches the services that documents name and tells who is healthy.
//!
//! An error, a time-out or a lost leader is not an answer: the instances that were known stay. Only what the registry
//! answered in full replaces them, an empty list included.

pub mod consul;
pub mod file;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Which registry a service is looked up in: a document's `discovery_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Discovery {
    /// Consul's health endpoint.
    Consul,
    /// A file per service.
    File,
}

impl Discovery {
    /// The name that documents use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Consul => "consul",
            Self::File => "file",
        }
    }
}

/// A service as documents name it: the registry and the name there. Written `consul/echo`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceKey {
    /// The registry.
    pub discovery: Discovery,
    /// The service's name there.
    pub name: Arc<str>,
}

impl fmt::Display for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.discovery.as_str(), self.name)
    }
}

/// One instance that may get traffic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instance {
    /// The registry's id of it, unique within its service.
    pub id: Arc<str>,
    /// An IP address.
    pub address: std::net::IpAddr,
    /// The port, never 0.
    pub port: u16,
    /// Its share of the traffic, relative to the others; 0 gets none.
    pub weight: u32,
    /// The zone that it stands in (Consul's datacenter), or empty.
    pub zone: Arc<str>,
    /// What the registry says of it besides (a version, a tag).
    pub metadata: BTreeMap<String, String>,
}

/// An authoritative answer: the healthy instances of one service, sorted by address
/// and port, each of those once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The service that was asked for.
    pub service: ServiceKey,
    /// Who is healthy; empty when nobody is.
    pub instances: Arc<[Instance]>,
}

impl Answer {
    /// Puts the instances in order, so that equal answers are equal; of those that share an address and port the first
    /// id stays, because Envoy takes an endpoint once.
    pub fn new(service: ServiceKey, mut instances: Vec<Instance>) -> Self {
        instances.sort_unstable_by(|a, b| {
            (a.address, a.port, &a.id, a).cmp(&(b.address, b.port, &b.id, b))
        });
        instances.dedup_by_key(|instance| (instance.address, instance.port));
        Self {
            service,
            instances: instances.into(),
        }
    }
}
