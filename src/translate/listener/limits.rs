//! What one client can hold on to.

use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3::{
    Http2ProtocolOptions, HttpProtocolOptions, http_protocol_options::HeadersWithUnderscoresAction,
};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;

use super::super::proto::{duration, uint32};

/// What one client can hold on to.
pub(super) fn limits(manager: HttpConnectionManager) -> HttpConnectionManager {
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
