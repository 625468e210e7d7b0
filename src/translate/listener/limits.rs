//! What clients can hold on to.

use envoy_types::pb::envoy::config::core::v3::{
    Http1ProtocolOptions, Http2ProtocolOptions, Http3ProtocolOptions, HttpProtocolOptions,
    QuicProtocolOptions, http_protocol_options::HeadersWithUnderscoresAction,
};
use envoy_types::pb::envoy::config::listener::v3::{Filter, filter::ConfigType};
use envoy_types::pb::envoy::extensions::filters::network::connection_limit::v3::ConnectionLimit;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;

use crate::envoy::any;
use crate::envoy::proto::{duration, uint32, uint64};
use crate::model::gateway::Http;
use crate::model::gateway::http::{Http2, Underscores};

/// What one client can hold on to.
pub(super) fn limits(http: &Http, manager: HttpConnectionManager) -> HttpConnectionManager {
    let underscores = match http.headers_with_underscores {
        Underscores::Allow => HeadersWithUnderscoresAction::Allow,
        Underscores::Reject => HeadersWithUnderscoresAction::RejectRequest,
        Underscores::Drop => HeadersWithUnderscoresAction::DropHeader,
    };
    HttpConnectionManager {
        common_http_protocol_options: Some(HttpProtocolOptions {
            idle_timeout: Some(duration(http.idle_timeout)),
            max_connection_duration: http.max_connection_duration.map(duration),
            max_requests_per_connection: http.max_requests_per_connection.map(uint32),
            max_headers_count: Some(uint32(http.max_headers_count)),
            headers_with_underscores_action: underscores.into(),
            ..HttpProtocolOptions::default()
        }),
        http_protocol_options: Some(http1()),
        http2_protocol_options: Some(http2(http.http2)),
        max_request_headers_kb: Some(uint32(http.max_request_headers_kb)),
        request_headers_timeout: Some(duration(http.request_headers_timeout)),
        request_timeout: http.request_timeout.map(duration),
        // Until the route is known; then the route's own.
        stream_idle_timeout: Some(duration(http.stream_idle_timeout)),
        ..manager
    }
}

/// Old health checkers, and nginx as a proxy unless told, speak HTTP/1.0, where requests need no host. They get the name that a
/// server without one has in nginx; no route can have it.
fn http1() -> Http1ProtocolOptions {
    Http1ProtocolOptions {
        accept_http_10: true,
        default_host_for_http_10: "_".to_owned(),
        ..Http1ProtocolOptions::default()
    }
}

fn http2(http2: Http2) -> Http2ProtocolOptions {
    Http2ProtocolOptions {
        max_concurrent_streams: Some(uint32(http2.max_concurrent_streams)),
        initial_stream_window_size: Some(uint32(http2.initial_stream_window_size)),
        initial_connection_window_size: Some(uint32(http2.initial_connection_window_size)),
        ..Http2ProtocolOptions::default()
    }
}

/// The same bounds as for HTTP/2.
pub(super) fn http3(http2: Http2) -> Http3ProtocolOptions {
    Http3ProtocolOptions {
        quic_protocol_options: Some(QuicProtocolOptions {
            max_concurrent_streams: Some(uint32(http2.max_concurrent_streams)),
            initial_stream_window_size: Some(uint32(http2.initial_stream_window_size)),
            initial_connection_window_size: Some(uint32(http2.initial_connection_window_size)),
            ..QuicProtocolOptions::default()
        }),
        ..Http3ProtocolOptions::default()
    }
}

/// How many connections all clients can hold on to.
pub(super) fn connection_limit(name: &str, connections: u32) -> Filter {
    let limit = ConnectionLimit {
        stat_prefix: name.to_owned(),
        max_connections: Some(uint64(connections.into())),
        ..ConnectionLimit::default()
    };
    Filter {
        name: "envoy.filters.network.connection_limit".to_owned(),
        config_type: Some(ConfigType::TypedConfig(any(&limit))),
    }
}
