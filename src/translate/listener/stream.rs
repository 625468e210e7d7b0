//! TCP and TLS listeners: a filter chain for the connections of each stream route.
//!
//! Envoy looks for a chain by the address that the client connected to, then by the name that it asks for, then by where it
//! is, and never goes back: a name that only clients of one network may use would be closed to the others, though a route
//! without a name takes them. So every combination that routes can take stands there with the route that is nearest.

mod clients;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use envoy_types::pb::envoy::config::core::v3::CidrRange;
use envoy_types::pb::envoy::config::listener::v3::{
    Filter, FilterChain, FilterChainMatch, filter::ConfigType,
};
use envoy_types::pb::envoy::extensions::filters::network::tcp_proxy::v3::{
    TcpProxy, tcp_proxy::ClusterSpecifier,
};
use envoy_types::pb::envoy::r#type::v3::{HashPolicy, hash_policy};
use ipnet::IpNet;

use super::limits::connection_limit;
use super::{Opened, shell, tls};
use crate::cohort::Envoy;
use crate::envoy::any;
use crate::envoy::proto::{cidr_range, duration, uint32};
use crate::model::gateway::{self, Protocol};
use crate::model::upstream::Balancer;
use crate::model::{Gateway, Host, StreamRoute};
use crate::translate::retry;
use clients::{Part, parts};

/// The listener; nothing without a stream route.
pub(super) fn listener(
    name: Arc<str>,
    gateway: &Gateway,
    listener: &gateway::Listener,
    envoy: Envoy,
) -> Option<Opened> {
    let routes: Vec<&StreamRoute> = gateway
        .stream_routes
        .iter()
        .map(|route| &**route)
        .filter(|route| route.is_on(listener))
        .collect();
    let mut opened = shell(&name, listener, envoy);
    if listener.protocol == Protocol::Tls {
        opened.listener_filters.push(tls::inspector());
    }
    let chosen = chosen(&routes);
    let chains = chosen.iter().flat_map(|(on, route)| {
        let beside = chosen.iter().map(|(other, _)| other);
        let beside = beside.filter(|other| (other.address, other.sni) == (on.address, on.sni));
        let sources: Vec<_> = match &route.clients {
            Some(_) => beside.map(|other| other.source).collect(),
            None => Vec::new(),
        };
        let parts = parts(route.clients.as_ref(), on.source, &sources).into_iter();
        let name = &name;
        let chains = parts.enumerate();
        chains.map(move |(at, part)| chain(name, listener, on, route, (at, part)))
    });
    opened.filter_chains = chains.collect();
    (!routes.is_empty()).then_some(Opened {
        name,
        listener: opened,
        routes: false,
        secrets: Vec::new(),
    })
}

/// Connections, in the order in which Envoy looks at them.
#[derive(Clone, Copy)]
struct On<'a> {
    address: Option<IpAddr>,
    sni: Option<&'a Host>,
    source: Option<IpNet>,
}

/// The connections that have a chain of their own, each with the route that is nearest.
fn chosen<'a>(routes: &[&'a StreamRoute]) -> Vec<(On<'a>, &'a StreamRoute)> {
    let matching = || routes.iter().map(|route| &route.matching);
    let addresses: BTreeSet<_> = matching().map(|on| on.address).chain([None]).collect();
    let names: BTreeSet<_> = matching().map(|on| on.sni.as_ref()).chain([None]).collect();
    let sources: BTreeSet<_> = matching().map(|on| on.source).chain([None]).collect();
    let mut chosen = Vec::new();
    for address in addresses {
        for sni in &names {
            let mut here: Vec<(On<'a>, &'a StreamRoute)> = Vec::new();
            for source in &sources {
                let on = On {
                    address,
                    sni: *sni,
                    source: *source,
                };
                here.extend(nearest(routes, on).map(|route| (on, route)));
            }
            let all = here.clone();
            here.retain(|(on, route)| !is_implied(on, route, &all));
            chosen.extend(here);
        }
    }
    chosen
}

/// The route that takes all of these connections and says most about them; of several the first by id.
fn nearest<'a>(routes: &[&'a StreamRoute], on: On<'_>) -> Option<&'a StreamRoute> {
    let takes = |route: &&&StreamRoute| {
        let matching = &route.matching;
        matching.address.is_none_or(|own| on.address == Some(own))
            && matching
                .sni
                .as_ref()
                .is_none_or(|own| on.sni.is_some_and(|sni| covers(own, sni)))
            && matching
                .source
                .is_none_or(|own| on.source.is_some_and(|range| own.contains(&range)))
    };
    let says = |route: &&&StreamRoute| {
        let matching = &route.matching;
        let sni = matching.sni.as_ref().map(|sni| match sni {
            Host::Exact(_) => (true, 0),
            Host::Suffix(suffix) => (false, suffix.len()),
        });
        let source = matching.source.map(|range| range.prefix_len());
        (
            matching.address.is_some(),
            sni,
            source,
            std::cmp::Reverse(route.id.clone()),
        )
    };
    routes.iter().filter(takes).max_by_key(says).copied()
}

/// Whether Envoy comes to the same route by the next wider range.
fn is_implied(on: &On<'_>, route: &StreamRoute, all: &[(On<'_>, &StreamRoute)]) -> bool {
    let width = |range: Option<IpNet>| range.map(|range| range.prefix_len());
    let wider = all
        .iter()
        .filter(|(other, _)| match (other.source, on.source) {
            (None, Some(_)) => true,
            (Some(other), Some(own)) => other != own && other.contains(&own),
            (_, None) => false,
        });
    let next = wider.max_by_key(|(other, _)| width(other.source));
    next.is_some_and(|(_, other)| other.id == route.id)
}

fn covers(own: &Host, asked: &Host) -> bool {
    match (own, asked) {
        (Host::Exact(own), Host::Exact(asked)) => own == asked,
        (Host::Exact(_), Host::Suffix(_)) => false,
        (Host::Suffix(own), Host::Exact(asked) | Host::Suffix(asked)) => asked.ends_with(&**own),
    }
}

fn chain(
    name: &str,
    listener: &gateway::Listener,
    on: &On<'_>,
    route: &StreamRoute,
    (at, part): (usize, Part),
) -> FilterChain {
    let limit = listener
        .max_connections
        .map(|most| connection_limit(name, most));
    let filters = if part.go_on {
        limit.into_iter().chain([proxy(route)]).collect()
    } else {
        vec![clients::closed()]
    };
    // Clients that a plugin lists have the second chain.
    let listed = if at == 0 { "" } else { " listed" };
    FilterChain {
        name: format!("{}{listed}", chain_name(on, route)),
        filter_chain_match: Some(FilterChainMatch {
            prefix_ranges: on.address.map(IpNet::from).iter().map(cidr_range).collect(),
            server_names: on.sni.into_iter().flat_map(tls::server_names).collect(),
            source_prefix_ranges: part
                .sources
                .iter()
                .map(cidr_range)
                .collect::<Vec<CidrRange>>(),
            // What is no TLS has no business there.
            transport_protocol: match listener.protocol {
                Protocol::Tls => "tls".to_owned(),
                _ => String::new(),
            },
            ..FilterChainMatch::default()
        }),
        filters,
        ..FilterChain::default()
    }
}

/// Unique within a listener, and the same as long as the chain is for the same connections.
fn chain_name(on: &On<'_>, route: &StreamRoute) -> String {
    let parts = [
        on.address.map(|address| address.to_string()),
        on.sni.map(ToString::to_string),
        on.source.map(|range| range.to_string()),
    ];
    let shown = parts.map(|part| part.unwrap_or_else(|| "*".to_owned()));
    format!("stream_route/{} {}", route.id, shown.join(" "))
}

fn proxy(route: &StreamRoute) -> Filter {
    let upstream = &route.cluster.upstream;
    let timeout = upstream.timeout;
    let attempts = retry::attempts_to_connect(upstream, route.cluster.connect_timeout);
    let by_address = matches!(upstream.balancer, Balancer::Hash(_));
    let hash = HashPolicy {
        policy_specifier: Some(hash_policy::PolicySpecifier::SourceIp(
            hash_policy::SourceIp {},
        )),
    };
    let proxy = TcpProxy {
        stat_prefix: format!("stream_route/{}", route.id),
        cluster_specifier: Some(ClusterSpecifier::Cluster(route.cluster.name.to_string())),
        // Of both directions: silence of one alone is not silence.
        idle_timeout: Some(duration(timeout.read.max(timeout.send))),
        max_connect_attempts: Some(uint32(attempts)),
        hash_policy: by_address.then_some(hash).into_iter().collect(),
        ..TcpProxy::default()
    };
    Filter {
        name: "envoy.filters.network.tcp_proxy".to_owned(),
        config_type: Some(ConfigType::TypedConfig(any(&proxy))),
    }
}

#[cfg(test)]
mod tests;
