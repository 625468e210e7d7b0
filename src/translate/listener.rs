//! A gateway's listeners: HTTP connection managers that are safe at the edge, as Envoy's guidance for edge proxies has it.
//!
//! Nothing of a route may stand here: a changed listener drains its connections. Every filter that a route can need is in
//! the chain, disabled; a route enables it by its `typed_per_filter_config`.

use std::sync::Arc;
use std::time::Duration;

use envoy_types::pb::envoy::config::accesslog::v3::{
    AccessLogFilter, ResponseFlagFilter, access_log_filter::FilterSpecifier,
};
use envoy_types::pb::envoy::config::core::v3::{
    CidrRange, DataSource, Http2ProtocolOptions, HttpProtocolOptions, SubstitutionFormatString,
    data_source::Specifier as Source, http_protocol_options::HeadersWithUnderscoresAction,
    substitution_format_string::Format,
};
use envoy_types::pb::envoy::config::listener::v3::{Filter, FilterChain, Listener, filter};
use envoy_types::pb::envoy::extensions::filters::http::router::v3::Router;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    HttpConnectionManager, HttpFilter, LocalReplyConfig, Rds, ResponseMapper,
    http_connection_manager::{
        InternalAddressConfig, PathWithEscapedSlashesAction, RouteSpecifier,
        ServerHeaderTransformation, UpgradeConfig,
    },
    http_filter,
};

use super::any;
use super::proto::{BUFFER_BYTES, address, ads, boolean, duration, never, tcp_keepalive, uint32};
use super::retry;
use crate::model::{Gateway, gateway, plugin};

/// What a client is told when no route matches, whatever the host.
const NO_ROUTE: &str = r#"{"error_msg":"404 Route Not Found"}"#;

/// The gateway's Envoy listeners, by name: `<gateway>/<listener>`. All take their routes from the gateway's route table.
pub fn listeners(gateway: &Gateway) -> Vec<(Arc<str>, Listener)> {
    let listener = |listener: &gateway::Listener| {
        let name: Arc<str> = format!("{}/{}", gateway.id, listener.name).into();
        (name.clone(), translate(&name, gateway, listener))
    };
    gateway.listeners.iter().map(listener).collect()
}

fn translate(name: &str, gateway: &Gateway, listener: &gateway::Listener) -> Listener {
    let manager = connection_manager(name, gateway);
    let filter = Filter {
        name: "envoy.filters.network.http_connection_manager".to_owned(),
        config_type: Some(filter::ConfigType::TypedConfig(any(&manager))),
    };
    Listener {
        name: name.to_owned(),
        address: Some(address(listener.address.to_string(), listener.port)),
        filter_chains: vec![FilterChain {
            filters: vec![filter],
            ..FilterChain::default()
        }],
        per_connection_buffer_limit_bytes: Some(uint32(BUFFER_BYTES)),
        tcp_keepalive: Some(tcp_keepalive()),
        ..Listener::default()
    }
}

fn connection_manager(name: &str, gateway: &Gateway) -> HttpConnectionManager {
    let mut routes = ads();
    // A listener waits for its routes, however long that takes: without them it would answer 404 to everything.
    routes.initial_fetch_timeout = Some(never());
    HttpConnectionManager {
        stat_prefix: name.to_owned(),
        http_filters: http_filters(),
        route_specifier: Some(RouteSpecifier::Rds(Rds {
            config_source: Some(routes),
            route_config_name: gateway.id.to_string(),
        })),
        local_reply_config: Some(LocalReplyConfig {
            mappers: vec![no_route()],
            body_format: None,
        }),
        // One kind of upgrade, which a route has to allow.
        upgrade_configs: vec![UpgradeConfig {
            upgrade_type: "websocket".to_owned(),
            enabled: Some(boolean(false)),
            ..UpgradeConfig::default()
        }],
        // What tells the proxies apart is nobody's business: the answer's own header, or none.
        server_header_transformation: ServerHeaderTransformation::PassThrough.into(),
        ..limits(origin(HttpConnectionManager::default()))
    }
}

/// Who sent the request, and for which path: nothing of that is taken from the client.
fn origin(manager: HttpConnectionManager) -> HttpConnectionManager {
    HttpConnectionManager {
        use_remote_address: Some(boolean(true)),
        // By default Envoy obeys the `x-envoy-*` headers of clients with private addresses: they could ask for retries.
        // There is no client with this address.
        internal_address_config: Some(InternalAddressConfig {
            cidr_ranges: vec![CidrRange {
                address_prefix: "255.255.255.255".to_owned(),
                prefix_len: Some(uint32(32)),
            }],
            ..InternalAddressConfig::default()
        }),
        // Only what the client lacks is added.
        preserve_external_request_id: true,
        normalize_path: Some(boolean(true)),
        merge_slashes: true,
        // An upstream that decodes `/public%2F..%2Fadmin` must not see what the routes did not: the client is sent to the
        // decoded path.
        path_with_escaped_slashes_action: PathWithEscapedSlashesAction::UnescapeAndRedirect.into(),
        ..manager
    }
}

/// What one client can hold on to.
fn limits(manager: HttpConnectionManager) -> HttpConnectionManager {
    HttpConnectionManager {
        common_http_protocol_options: Some(HttpProtocolOptions {
            idle_timeout: Some(duration(Duration::from_secs(60 * 60))),
            max_headers_count: Some(uint32(100)),
            headers_with_underscores_action: HeadersWithUnderscoresAction::RejectRequest.into(),
            ..HttpProtocolOptions::default()
        }),
        http2_protocol_options: Some(Http2ProtocolOptions {
            max_concurrent_streams: Some(uint32(100)),
            initial_stream_window_size: Some(uint32(64 * 1024)),
            initial_connection_window_size: Some(uint32(1024 * 1024)),
            ..Http2ProtocolOptions::default()
        }),
        max_request_headers_kb: Some(uint32(60)),
        request_headers_timeout: Some(duration(Duration::from_secs(10))),
        // Until the route is known; then the route's own.
        stream_idle_timeout: Some(duration(Duration::from_secs(5 * 60))),
        ..manager
    }
}

/// The plugins' filters, all disabled, then the two that serve every route.
fn http_filters() -> Vec<HttpFilter> {
    let router = Router {
        suppress_envoy_headers: true,
        ..Router::default()
    };
    let last = [
        ("chancery.retry_idempotent", any(&retry::filter())),
        ("envoy.filters.http.router", any(&router)),
    ];
    let last = last.map(|(name, config)| HttpFilter {
        name: name.to_owned(),
        config_type: Some(http_filter::ConfigType::TypedConfig(config)),
        ..HttpFilter::default()
    });
    plugin::http_filters().into_iter().chain(last).collect()
}

/// Only for an answer of Envoy's own that says "no route": an upstream's 404 passes untouched.
fn no_route() -> ResponseMapper {
    let flags = ResponseFlagFilter {
        flags: vec!["NR".to_owned()],
    };
    let body = DataSource {
        specifier: Some(Source::InlineString(NO_ROUTE.to_owned())),
        ..DataSource::default()
    };
    ResponseMapper {
        filter: Some(AccessLogFilter {
            filter_specifier: Some(FilterSpecifier::ResponseFlagFilter(flags)),
        }),
        body_format_override: Some(SubstitutionFormatString {
            content_type: "application/json".to_owned(),
            format: Some(Format::TextFormatSource(body)),
            ..SubstitutionFormatString::default()
        }),
        ..ResponseMapper::default()
    }
}
