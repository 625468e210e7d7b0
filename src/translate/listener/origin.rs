//! Who sent a request, and for which path.

use envoy_types::pb::envoy::config::common::mutation_rules::v3::{
    HeaderMutation, header_mutation::Action,
};
use envoy_types::pb::envoy::config::core::v3::{
    CidrRange, HeaderValue, HeaderValueOption, TypedExtensionConfig,
    header_value_option::HeaderAppendAction,
};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    HttpConnectionManager,
    http_connection_manager::{InternalAddressConfig, PathWithEscapedSlashesAction},
};
use envoy_types::pb::envoy::extensions::http::early_header_mutation::header_mutation::v3::HeaderMutation as EarlyHeaderMutation;
use envoy_types::pb::envoy::extensions::http::original_ip_detection::custom_header::v3::CustomHeaderConfig;
use envoy_types::pb::envoy::extensions::http::original_ip_detection::xff::v3::{
    XffConfig, XffTrustedCidrs,
};
use ipnet::IpNet;

use crate::envoy::proto::{boolean, cidr_range, extension, uint32};
use crate::model::gateway::http::EscapedSlashes;
use crate::model::gateway::real_ip::By;
use crate::model::gateway::{Http, RealIp};
use crate::model::vars::ADDRESS_HEADER;

/// A connection manager that knows who sent the request, and for which path. Nothing of that is taken from the client,
/// unless it is a proxy that is trusted.
pub(super) fn origin(http: &Http, trusted: Option<&RealIp>) -> HttpConnectionManager {
    let manager = HttpConnectionManager {
        // By default Envoy obeys the `x-envoy-*` headers of clients with private addresses: they could ask for retries.
        // There is no client with this address.
        internal_address_config: Some(InternalAddressConfig {
            cidr_ranges: vec![CidrRange {
                address_prefix: "255.255.255.255".to_owned(),
                prefix_len: Some(uint32(32)),
            }],
            ..InternalAddressConfig::default()
        }),
        // `example.com.` is `example.com`, to routes and to checks of hosts.
        strip_trailing_host_dot: true,
        // Only what the client lacks is added.
        preserve_external_request_id: true,
        ..path(http)
    };
    let Some(RealIp {
        trusted_addresses,
        by,
    }) = trusted
    else {
        return connected(0, manager);
    };
    let (detection, early) = match by {
        By::TrustedHops(hops) => return connected(*hops, manager),
        By::TrustedAddresses => (forwarded_for(Some(trusted_addresses)), vec![peer()]),
        By::Last => (forwarded_for(None), vec![peer()]),
        By::Header(name) => (header(name), vec![peer(), forwarded()]),
    };
    // Envoy refuses it beside `use_remote_address`.
    HttpConnectionManager {
        original_ip_detection_extensions: vec![detection],
        early_header_mutation_extensions: early,
        ..manager
    }
}

/// The client is whoever connects, or whom so many proxies name.
fn connected(hops: u32, manager: HttpConnectionManager) -> HttpConnectionManager {
    HttpConnectionManager {
        use_remote_address: Some(boolean(true)),
        xff_num_trusted_hops: hops,
        ..manager
    }
}

/// Puts the connection's address where routes look for the client's: beside a detected address Envoy would leave there what
/// the client says.
fn peer() -> TypedExtensionConfig {
    early(
        ADDRESS_HEADER,
        "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
        HeaderAppendAction::OverwriteIfExistsOrAdd,
    )
}

/// Adds the connection's address to those that a request came by: without `use_remote_address` Envoy would not.
fn forwarded() -> TypedExtensionConfig {
    early(
        "x-forwarded-for",
        "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%",
        HeaderAppendAction::AppendIfExistsOrAdd,
    )
}

fn early(name: &str, value: &str, action: HeaderAppendAction) -> TypedExtensionConfig {
    let header = HeaderValue {
        key: name.to_owned(),
        value: value.to_owned(),
        ..HeaderValue::default()
    };
    let mutation = HeaderMutation {
        action: Some(Action::Append(HeaderValueOption {
            header: Some(header),
            append_action: action.into(),
            ..HeaderValueOption::default()
        })),
    };
    let config = EarlyHeaderMutation {
        mutations: vec![mutation],
    };
    extension("envoy.http.early_header_mutation.header_mutation", &config)
}

fn path(http: &Http) -> HttpConnectionManager {
    // An upstream that decodes `/public%2F..%2Fadmin` must not see what the routes did not.
    let slashes = match http.path_with_escaped_slashes {
        EscapedSlashes::UnescapeAndRedirect => PathWithEscapedSlashesAction::UnescapeAndRedirect,
        EscapedSlashes::Unescape => PathWithEscapedSlashesAction::UnescapeAndForward,
        EscapedSlashes::Keep => PathWithEscapedSlashesAction::KeepUnchanged,
        EscapedSlashes::Reject => PathWithEscapedSlashesAction::RejectRequest,
    };
    HttpConnectionManager {
        normalize_path: Some(boolean(true)),
        merge_slashes: http.merge_slashes,
        path_with_escaped_slashes_action: slashes.into(),
        ..HttpConnectionManager::default()
    }
}

/// The last address that is not trusted; the last one where that is not asked.
fn forwarded_for(trusted: Option<&Vec<IpNet>>) -> TypedExtensionConfig {
    let config = XffConfig {
        xff_trusted_cidrs: trusted.map(|trusted| XffTrustedCidrs {
            cidrs: trusted.iter().map(cidr_range).collect(),
        }),
        // The upstream sees the proxy in the list, as it does without this extension.
        skip_xff_append: Some(boolean(false)),
        ..XffConfig::default()
    };
    extension("envoy.http.original_ip_detection.xff", &config)
}

fn header(name: &str) -> TypedExtensionConfig {
    let config = CustomHeaderConfig {
        header_name: name.to_owned(),
        ..CustomHeaderConfig::default()
    };
    extension("envoy.http.original_ip_detection.custom_header", &config)
}
