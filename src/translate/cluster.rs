//! Clusters: how Envoy talks to an upstream's instances. Who these are is a load assignment, over EDS, so that instances
//! come and go without a changed cluster; only nodes with DNS names stand in the cluster, for Envoy to resolve.

mod balancer;
mod breaker;
mod check;
mod checks;
mod credential;
mod tls;

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use super::static_load_assignment;
use crate::envoy::any;
use crate::envoy::proto::{BUFFER_BYTES, ads, duration, tcp_keepalive, uint32};
use crate::model::drain::TakenNodes;
use crate::model::upstream::Scheme;
use crate::model::{self, Members, Node};
use envoy_types::pb::envoy::config::cluster::v3::{
    CircuitBreakers, Cluster, OutlierDetection, UpstreamConnectionOptions,
    circuit_breakers::Thresholds,
    cluster::{
        ClusterDiscoveryType, CommonLbConfig, DiscoveryType, DnsLookupFamily, EdsClusterConfig,
    },
};
use envoy_types::pb::envoy::config::core::v3::{
    Http1ProtocolOptions, Http2ProtocolOptions, HttpProtocolOptions as CommonOptions,
};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;
use envoy_types::pb::envoy::extensions::upstreams::http::v3::{
    HttpProtocolOptions,
    http_protocol_options::{
        self, ExplicitHttpConfig, UpstreamProtocolOptions, explicit_http_config::ProtocolConfig,
    },
};
use envoy_types::pb::envoy::r#type::v3::Percent;

/// Connections that nobody uses are closed after that, where the document does not say otherwise.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// Envoy's own bound of 1,024 is met by an ordinary gateway and answered with 503. This one is there to be noticed before
/// the process runs out of descriptors.
const IN_FLIGHT: u32 = 100_000;

/// The Envoy cluster of an upstream, under the cluster's own name; `taken` are nodes that are taken out, where they stand in it.
pub fn cluster(cluster: &model::Cluster, taken: &TakenNodes) -> Cluster {
    let upstream = &cluster.upstream;
    let shell = Cluster {
        name: cluster.name.to_string(),
        connect_timeout: Some(duration(cluster.connect_timeout)),
        per_connection_buffer_limit_bytes: Some(uint32(BUFFER_BYTES)),
        lb_policy: balancer::policy(&upstream.balancer).into(),
        lb_config: balancer::config(upstream),
        common_lb_config: Some(CommonLbConfig {
            healthy_panic_threshold: Some(panic_threshold(cluster)),
            ..CommonLbConfig::default()
        }),
        health_checks: checks::active(upstream).into_iter().collect(),
        outlier_detection: outlier_detection(cluster),
        circuit_breakers: Some(circuit_breakers()),
        typed_extension_protocol_options: HashMap::from([(
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions".to_owned(),
            any(&http_options(cluster)),
        )]),
        upstream_connection_options: Some(UpstreamConnectionOptions {
            tcp_keepalive: Some(tcp_keepalive()),
            ..UpstreamConnectionOptions::default()
        }),
        // Whoever the registry takes out gets no further request.
        ignore_health_on_host_removal: true,
        transport_socket: upstream
            .tls
            .as_ref()
            .map(|tls| tls::socket(tls, upstream.scheme)),
        transport_socket_matches: checks::socket(upstream).into_iter().collect(),
        ..Cluster::default()
    };
    match &upstream.members {
        Members::Nodes(nodes) if resolved_by_envoy(nodes) => resolved(shell, nodes, taken),
        Members::Nodes(_) | Members::Service(_) => {
            discovered(shell, cluster.load_assignment().to_string())
        }
    }
}

fn discovered(shell: Cluster, load_assignment: String) -> Cluster {
    Cluster {
        cluster_discovery_type: Some(ClusterDiscoveryType::Type(DiscoveryType::Eds.into())),
        eds_cluster_config: Some(EdsClusterConfig {
            eds_config: Some(ads()),
            service_name: load_assignment,
        }),
        ..shell
    }
}

fn resolved(shell: Cluster, nodes: &[Node], taken: &TakenNodes) -> Cluster {
    Cluster {
        cluster_discovery_type: Some(ClusterDiscoveryType::Type(DiscoveryType::StrictDns.into())),
        load_assignment: Some(static_load_assignment(&shell.name, nodes, taken)),
        // An IPv6 address only where there is no other: networks that resolve them without routing them are common.
        dns_lookup_family: DnsLookupFamily::V4Preferred.into(),
        ..shell
    }
}

/// Whether these nodes stand in their cluster, because some have names that Envoy has to resolve; such a cluster asks for no
/// load assignment.
pub fn resolved_by_envoy(nodes: &[Node]) -> bool {
    nodes.iter().any(has_name)
}

fn has_name(node: &Node) -> bool {
    node.host.parse::<IpAddr>().is_err()
}

/// A breaker breaks, however few are left.
fn panic_threshold(cluster: &model::Cluster) -> Percent {
    match &cluster.breaker {
        Some(_) => Percent { value: 0.0 },
        None => checks::panic_threshold(&cluster.upstream.checks),
    }
}

/// A route's breaker wins over the upstream's own checks.
fn outlier_detection(cluster: &model::Cluster) -> Option<OutlierDetection> {
    let passive = cluster.upstream.checks.passive.as_ref();
    let breaker = cluster.breaker.as_ref().map(breaker::outlier_detection);
    breaker.or_else(|| passive.map(checks::passive))
}

/// Which answers count as errors there.
fn errors(cluster: &model::Cluster) -> Option<http_protocol_options::OutlierDetection> {
    let passive = cluster.upstream.checks.passive.as_ref();
    let breaker = cluster.breaker.as_ref().map(|breaker| &breaker.statuses);
    let statuses = breaker.or(passive.map(|passive| &passive.unhealthy));
    statuses.map(checks::errors)
}

fn circuit_breakers() -> CircuitBreakers {
    let thresholds = Thresholds {
        max_connections: Some(uint32(IN_FLIGHT)),
        max_pending_requests: Some(uint32(IN_FLIGHT)),
        max_requests: Some(uint32(IN_FLIGHT)),
        // By default three at a time: the fourth request that meets a dead instance would fail.
        max_retries: Some(uint32(IN_FLIGHT)),
        ..Thresholds::default()
    };
    CircuitBreakers {
        thresholds: vec![thresholds],
        ..CircuitBreakers::default()
    }
}

/// What stands before requests that are not those of clients.
fn filters(cluster: &model::Cluster) -> Vec<HttpFilter> {
    match (&cluster.check, &cluster.credential) {
        (Some(check), _) => check::filters(check),
        (None, Some(_)) => credential::filters(cluster),
        (None, None) => Vec::new(),
    }
}

fn http_options(cluster: &model::Cluster) -> HttpProtocolOptions {
    let upstream = &cluster.upstream;
    let pool = upstream.keepalive_pool;
    let requests = pool
        .map(|pool| pool.requests)
        .filter(|requests| *requests > 0);
    let protocol = match upstream.scheme {
        Scheme::Http | Scheme::Https | Scheme::Tcp | Scheme::Tls => {
            ProtocolConfig::HttpProtocolOptions(Http1ProtocolOptions::default())
        }
        Scheme::Grpc | Scheme::Grpcs => {
            ProtocolConfig::Http2ProtocolOptions(Http2ProtocolOptions::default())
        }
    };
    HttpProtocolOptions {
        common_http_protocol_options: Some(CommonOptions {
            idle_timeout: Some(duration(
                pool.map_or(IDLE_TIMEOUT, |pool| pool.idle_timeout),
            )),
            max_requests_per_connection: requests.map(uint32),
            ..CommonOptions::default()
        }),
        upstream_http_protocol_options: upstream.tls.as_ref().and_then(tls::by_host),
        outlier_detection: errors(cluster),
        upstream_protocol_options: Some(UpstreamProtocolOptions::ExplicitHttpConfig(
            ExplicitHttpConfig {
                protocol_config: Some(protocol),
            },
        )),
        http_filters: filters(cluster),
        ..HttpProtocolOptions::default()
    }
}
