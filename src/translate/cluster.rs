//! Clusters: how Envoy talks to an upstream's instances. Who these are is a load assignment, over EDS, so that instances
//! come and go without a changed cluster; only nodes with DNS names stand in the cluster, for Envoy to resolve.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use envoy_types::pb::envoy::config::cluster::v3::{
    CircuitBreakers, Cluster, UpstreamConnectionOptions,
    circuit_breakers::Thresholds,
    cluster::{
        ClusterDiscoveryType, CommonLbConfig, DiscoveryType, DnsLookupFamily, EdsClusterConfig,
        LbPolicy,
    },
};
use envoy_types::pb::envoy::config::core::v3::{
    Http1ProtocolOptions, Http2ProtocolOptions, HttpProtocolOptions as CommonOptions,
    TransportSocket, UpstreamHttpProtocolOptions, transport_socket::ConfigType,
};
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{
    CommonTlsContext, UpstreamTlsContext,
};
use envoy_types::pb::envoy::extensions::upstreams::http::v3::{
    HttpProtocolOptions,
    http_protocol_options::{
        ExplicitHttpConfig, UpstreamProtocolOptions, explicit_http_config::ProtocolConfig,
    },
};
use envoy_types::pb::envoy::r#type::v3::Percent;

use super::proto::{BUFFER_BYTES, ads, duration, tcp_keepalive, uint32};
use super::{any, static_load_assignment};
use crate::model::upstream::{Balancer, PassHost, Scheme};
use crate::model::{self, Members, Node, Upstream};

/// Connections that nobody uses are closed after that, where the document does not say otherwise.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// Envoy's own bound of 1,024 is met by an ordinary gateway and answered with 503. This one is there to be noticed before
/// the process runs out of descriptors.
const IN_FLIGHT: u32 = 100_000;

/// The Envoy cluster of an upstream, under the cluster's own name.
pub fn cluster(cluster: &model::Cluster) -> Cluster {
    let upstream = &cluster.upstream;
    let shell = Cluster {
        name: cluster.name.to_string(),
        connect_timeout: Some(duration(cluster.connect_timeout)),
        per_connection_buffer_limit_bytes: Some(uint32(BUFFER_BYTES)),
        lb_policy: policy(&upstream.balancer).into(),
        common_lb_config: Some(CommonLbConfig {
            // The registry decides who is healthy; nobody else is asked, however few these are.
            healthy_panic_threshold: Some(Percent { value: 0.0 }),
            ..CommonLbConfig::default()
        }),
        circuit_breakers: Some(circuit_breakers()),
        typed_extension_protocol_options: HashMap::from([(
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions".to_owned(),
            any(&http_options(upstream)),
        )]),
        upstream_connection_options: Some(UpstreamConnectionOptions {
            tcp_keepalive: Some(tcp_keepalive()),
            ..UpstreamConnectionOptions::default()
        }),
        // Whoever the registry takes out gets no further request.
        ignore_health_on_host_removal: true,
        transport_socket: tls(upstream),
        ..Cluster::default()
    };
    match &upstream.members {
        Members::Nodes(nodes) if resolved_by_envoy(nodes) => resolved(shell, nodes),
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

fn resolved(shell: Cluster, nodes: &[Node]) -> Cluster {
    Cluster {
        cluster_discovery_type: Some(ClusterDiscoveryType::Type(DiscoveryType::StrictDns.into())),
        load_assignment: Some(static_load_assignment(&shell.name, nodes)),
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

fn policy(balancer: &Balancer) -> LbPolicy {
    match balancer {
        Balancer::RoundRobin => LbPolicy::RoundRobin,
        Balancer::LeastConnections => LbPolicy::LeastRequest,
        Balancer::Hash(_) => LbPolicy::RingHash,
    }
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

fn http_options(upstream: &Upstream) -> HttpProtocolOptions {
    let pool = upstream.keepalive_pool;
    let requests = pool
        .map(|pool| pool.requests)
        .filter(|requests| *requests > 0);
    let protocol = match upstream.scheme {
        Scheme::Http | Scheme::Https => {
            ProtocolConfig::HttpProtocolOptions(Http1ProtocolOptions::default())
        }
        Scheme::Grpc => ProtocolConfig::Http2ProtocolOptions(Http2ProtocolOptions::default()),
    };
    HttpProtocolOptions {
        common_http_protocol_options: Some(CommonOptions {
            idle_timeout: Some(duration(
                pool.map_or(IDLE_TIMEOUT, |pool| pool.idle_timeout),
            )),
            max_requests_per_connection: requests.map(uint32),
            ..CommonOptions::default()
        }),
        // The name that TLS asks for is the Host that the instance sees; for `pass_host: node` see `tls`.
        upstream_http_protocol_options: (upstream.scheme == Scheme::Https
            && upstream.pass_host != PassHost::Node)
            .then(|| UpstreamHttpProtocolOptions {
                auto_sni: true,
                ..UpstreamHttpProtocolOptions::default()
            }),
        upstream_protocol_options: Some(UpstreamProtocolOptions::ExplicitHttpConfig(
            ExplicitHttpConfig {
                protocol_config: Some(protocol),
            },
        )),
        ..HttpProtocolOptions::default()
    }
}

/// TLS without verification of the certificate, as documents mean it that do not ask for any.
fn tls(upstream: &Upstream) -> Option<TransportSocket> {
    let names = matches!(&upstream.members, Members::Nodes(nodes) if resolved_by_envoy(nodes));
    let context = UpstreamTlsContext {
        common_tls_context: Some(CommonTlsContext::default()),
        // The node's name; an address is no name that TLS could ask for.
        auto_host_sni: names && upstream.pass_host == PassHost::Node,
        ..UpstreamTlsContext::default()
    };
    (upstream.scheme == Scheme::Https).then(|| TransportSocket {
        name: "envoy.transport_sockets.tls".to_owned(),
        config_type: Some(ConfigType::TypedConfig(any(&context))),
    })
}
