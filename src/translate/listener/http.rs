//! The HTTP connection manager and the filter chains that it ends, the same for every protocol that carries HTTP.

use envoy_types::pb::envoy::config::listener::v3::{
    Filter, FilterChain, FilterChainMatch, filter::ConfigType,
};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    HttpConnectionManager, HttpFilter,
    http_connection_manager::{CodecType, ServerHeaderTransformation, UpgradeConfig},
};

use super::access_log::access_log;
use super::http_filters::http_filters;
use super::identity::own_headers;
use super::limits::{connection_limit, http3, limits};
use super::local_reply::local_reply;
use super::logs::logs;
use super::origin::origin;
use super::port::port;
use super::routes::routes;
use super::tracing::tracing;
use crate::cohort::Envoy;
use crate::envoy::any;
use crate::envoy::proto::{boolean, cidr_range};
use crate::model::Gateway;
use crate::model::gateway::http::Tables;
use crate::model::gateway::{Listener, RealIp};

/// What differs between protocols.
pub(super) struct Carried {
    pub envoy: Envoy,
    /// The filters that requests pass first.
    pub first: Vec<HttpFilter>,
    pub quic: bool,
}

/// What happens to connections of the listener `name`, once they carry HTTP in the clear: a chain for proxies whose word is
/// taken, where the gateway names their addresses, and one for everybody else.
///
/// Two chains rather than one that looks at addresses, as whoever is behind the first may also say whether the client came
/// over TLS, and for whom.
pub(super) fn filter_chains(
    name: &str,
    gateway: &Gateway,
    listener: &Listener,
    carried: &Carried,
) -> Vec<FilterChain> {
    let chain = |trusted| filter_chain(name, gateway, listener, carried, trusted);
    match gateway.trusted() {
        Some(everybody) if everybody.trusted_addresses.is_empty() => vec![chain(Some(everybody))],
        Some(some) => {
            let ranges = some.trusted_addresses.iter();
            let trusted = FilterChain {
                filter_chain_match: Some(FilterChainMatch {
                    source_prefix_ranges: ranges.map(cidr_range).collect(),
                    ..FilterChainMatch::default()
                }),
                ..chain(Some(some))
            };
            vec![trusted, chain(None)]
        }
        None => vec![chain(None)],
    }
}

fn filter_chain(
    name: &str,
    gateway: &Gateway,
    listener: &Listener,
    carried: &Carried,
    trusted: Option<&RealIp>,
) -> FilterChain {
    let config = connection_manager(name, gateway, carried, trusted);
    let manager = Filter {
        name: "envoy.filters.network.http_connection_manager".to_owned(),
        config_type: Some(ConfigType::TypedConfig(any(&config))),
    };
    let limit = listener
        .max_connections
        .map(|most| connection_limit(name, most));
    FilterChain {
        filters: limit.into_iter().chain([port(), manager]).collect(),
        ..FilterChain::default()
    }
}

/// Takes its routes from the gateway's route tables.
fn connection_manager(
    name: &str,
    gateway: &Gateway,
    carried: &Carried,
    trusted: Option<&RealIp>,
) -> HttpConnectionManager {
    let tables = gateway.http.route_tables;
    let mut manager = limits(&gateway.http, origin(&gateway.http, trusted));
    let early = own_headers(tables == Tables::Divided);
    manager.early_header_mutation_extensions.push(early);
    HttpConnectionManager {
        stat_prefix: name.to_owned(),
        codec_type: if carried.quic {
            CodecType::Http3.into()
        } else {
            CodecType::Auto.into()
        },
        http3_protocol_options: carried.quic.then(|| http3(gateway.http.http2)),
        http_filters: carried
            .first
            .iter()
            .cloned()
            .chain(http_filters(gateway, carried.envoy))
            .collect(),
        route_specifier: Some(routes(&gateway.id, tables)),
        local_reply_config: Some(local_reply(carried.envoy)),
        access_log: gateway
            .access_log
            .iter()
            .map(access_log)
            .chain(logs(gateway))
            .collect(),
        tracing: tracing(gateway),
        // One kind of upgrade, which a route has to allow.
        upgrade_configs: vec![UpgradeConfig {
            upgrade_type: "websocket".to_owned(),
            enabled: Some(boolean(false)),
            ..UpgradeConfig::default()
        }],
        // What tells the proxies apart is nobody's business: the answer's own header, or none.
        server_header_transformation: ServerHeaderTransformation::PassThrough.into(),
        ..manager
    }
}
