//! A gateway: a named set of listeners, and how they treat clients. An Envoy belongs to the gateway that its
//! `node.cluster` names.

pub mod access_log;
pub(crate) mod form;
pub mod http;
pub mod listener;
pub mod logs;
pub mod rate_limit;
pub mod real_ip;
pub mod tracing;

use std::sync::Arc;

pub use access_log::AccessLog;
pub use http::Http;
pub use listener::{Listener, Protocol};
pub use logs::Logs;
pub use rate_limit::RateLimit;
pub use real_ip::RealIp;
pub use tracing::Tracing;

use super::{Cluster, Id, Ssl};
use crate::model::StreamRoute;

/// A gateway that is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateway {
    /// The document's id, and the name of its route table.
    pub id: Id,
    /// At least one.
    pub listeners: Vec<Listener>,
    /// What all its HTTP listeners allow clients.
    pub http: Http,
    pub access_log: Option<AccessLog>,
    pub tracing: Option<Tracing>,
    /// The cluster of tracing's upstream, once that reference is followed.
    pub collector: Option<Arc<Cluster>>,
    pub rate_limit: Option<RateLimit>,
    /// The cluster of its upstream, likewise.
    pub limiter: Option<Arc<Cluster>>,
    pub logs: Option<Logs>,
    /// The cluster of its upstream, likewise.
    pub logger: Option<Arc<Cluster>>,
    /// Who may say on whose behalf a request comes; nobody without it.
    pub real_ip: Option<RealIp>,
    /// What a global rule says of that, for gateways that say nothing themselves.
    pub real_ip_of_rules: Option<RealIp>,
    /// The certificates that its HTTPS listeners show, by id; no name is in two of them.
    pub ssls: Vec<Arc<Ssl>>,
    /// Where the bytes of its TCP and TLS listeners go, by id.
    pub stream_routes: Vec<Arc<StreamRoute>>,
}

impl Gateway {
    /// `default`, as it is until a document says otherwise: HTTP on port 9080 of every address, HTTPS on 9443.
    pub fn built_in() -> Self {
        Self::new(
            Id::default_gateway(),
            vec![
                Listener::new("http", 9080, Protocol::Http),
                Listener::new("https", 9443, Protocol::Https),
            ],
        )
    }

    /// A gateway of which no more is said than where it listens.
    pub fn new(id: Id, listeners: Vec<Listener>) -> Self {
        Self {
            id,
            listeners,
            http: Http::default(),
            access_log: None,
            tracing: None,
            collector: None,
            rate_limit: None,
            limiter: None,
            logs: None,
            logger: None,
            real_ip: None,
            real_ip_of_rules: None,
            ssls: Vec::new(),
            stream_routes: Vec::new(),
        }
    }

    /// Who may say on whose behalf a request comes, whoever said so.
    pub fn trusted(&self) -> Option<&RealIp> {
        self.real_ip.as_ref().or(self.real_ip_of_rules.as_ref())
    }

    /// What it sends traffic to by itself, whatever routes there are.
    pub fn helpers(&self) -> impl Iterator<Item = &Arc<Cluster>> {
        let both = self.collector.iter().chain(&self.limiter);
        both.chain(&self.logger)
    }
}
