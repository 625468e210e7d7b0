//! What Consul is asked: paths and parameters of its HTTP API. Pure.

use std::fmt;

use url::Url;

use crate::model::ServiceKey;
use crate::model::instance::Status;
use crate::model::service_key::Scope;

/// One thing to ask.
#[derive(Debug, Clone, Copy)]
pub enum Query<'a> {
    /// Every instance of a service with its checks.
    Service(&'a ServiceKey),
    /// Every check in this status, of all services and nodes.
    Checks(&'a Scope, Status),
    /// The names of all services.
    Services(&'a Scope),
    /// The names of all nodes.
    Nodes(&'a Scope),
    /// The services of one node.
    Node(&'a Scope, &'a str),
}

impl Query<'_> {
    /// The URL below the agent's own.
    pub fn url(&self, base: &Url) -> Url {
        let mut url = base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty();
            match self {
                Self::Service(service) => path.extend(["v1", "health", "service", &service.name]),
                Self::Checks(_, status) => path.extend(["v1", "health", "state", status.as_str()]),
                Self::Services(_) => path.extend(["v1", "catalog", "services"]),
                Self::Nodes(_) => path.extend(["v1", "catalog", "nodes"]),
                Self::Node(_, node) => path.extend(["v1", "catalog", "node", node]),
            };
        }
        let (scope, near) = self.place();
        let parameters = [
            ("dc", scope.datacenter.as_deref()),
            ("ns", scope.namespace.as_deref()),
            ("partition", scope.partition.as_deref()),
            ("near", near),
        ];
        for (name, value) in parameters {
            if let Some(value) = value {
                url.query_pairs_mut().append_pair(name, value);
            }
        }
        url
    }

    fn place(&self) -> (&Scope, Option<&str>) {
        match self {
            Self::Service(service) => (&service.scope, service.near.as_deref()),
            Self::Checks(scope, _)
            | Self::Services(scope)
            | Self::Nodes(scope)
            | Self::Node(scope, _) => (scope, None),
        }
    }
}

impl fmt::Display for Query<'_> {
    /// As an error names it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service(service) => write!(f, "service `{}`", service.name),
            Self::Checks(_, status) => write!(f, "the {} checks", status.as_str()),
            Self::Services(_) => f.write_str("the list of services"),
            Self::Nodes(_) => f.write_str("the list of nodes"),
            Self::Node(_, node) => write!(f, "node `{node}`"),
        }?;
        match &self.place().0.datacenter {
            Some(datacenter) => write!(f, " in datacenter `{datacenter}`"),
            None => Ok(()),
        }
    }
}
