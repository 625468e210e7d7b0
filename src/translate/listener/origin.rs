//! Who sent a request, and for which path.

use envoy_types::pb::envoy::config::core::v3::CidrRange;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    HttpConnectionManager,
    http_connection_manager::{InternalAddressConfig, PathWithEscapedSlashesAction},
};

use super::super::proto::{boolean, uint32};

/// Who sent the request, and for which path: nothing of that is taken from the client.
pub(super) fn origin(manager: HttpConnectionManager) -> HttpConnectionManager {
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
