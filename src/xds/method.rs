//! The methods that are served: ADS, and a discovery service of its own for each type. The one list of them.

use crate::snapshot::ResourceType;

use super::request::Protocol;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Method {
    pub protocol: Protocol,
    /// The one type that it is about; nothing for all of them.
    pub only: Option<ResourceType>,
}

/// The service, what its SotW and its delta method end in, and its type.
type Service = (&'static str, &'static str, Option<ResourceType>);

const SERVICES: [Service; 8] = [
    (
        "discovery.v3.AggregatedDiscoveryService",
        "AggregatedResources",
        None,
    ),
    (
        "cluster.v3.ClusterDiscoveryService",
        "Clusters",
        Some(ResourceType::Cluster),
    ),
    (
        "endpoint.v3.EndpointDiscoveryService",
        "Endpoints",
        Some(ResourceType::LoadAssignment),
    ),
    (
        "listener.v3.ListenerDiscoveryService",
        "Listeners",
        Some(ResourceType::Listener),
    ),
    (
        "route.v3.RouteDiscoveryService",
        "Routes",
        Some(ResourceType::RouteConfiguration),
    ),
    (
        "route.v3.ScopedRoutesDiscoveryService",
        "ScopedRoutes",
        Some(ResourceType::ScopedRouteConfiguration),
    ),
    (
        "secret.v3.SecretDiscoveryService",
        "Secrets",
        Some(ResourceType::Secret),
    ),
    (
        "extension.v3.ExtensionConfigDiscoveryService",
        "ExtensionConfigs",
        Some(ResourceType::ExtensionConfig),
    ),
];

impl Method {
    /// The full names of the services.
    pub fn services() -> impl Iterator<Item = String> {
        let names = SERVICES.iter().map(|(name, ..)| name);
        names.map(|name| format!("envoy.service.{name}"))
    }

    /// The method that a path names: `/envoy.service.<service>/Stream…` is SotW, `/Delta…` is delta.
    pub fn from_path(path: &str) -> Option<Self> {
        let (service, method) = path.strip_prefix("/envoy.service.")?.split_once('/')?;
        let (_, noun, only) = SERVICES.into_iter().find(|(name, ..)| *name == service)?;
        let protocol = match method.strip_suffix(noun)? {
            "Stream" => Protocol::Sotw,
            "Delta" => Protocol::Delta,
            _ => return None,
        };
        Some(Self { protocol, only })
    }
}
