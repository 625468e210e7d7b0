//! What is read back of encoded messages, to be shown.

use envoy_types::pb::envoy::config::core::v3::TypedExtensionConfig;
use envoy_types::pb::envoy::config::core::v3::address::Address;
use envoy_types::pb::envoy::config::core::v3::socket_address::PortSpecifier;
use envoy_types::pb::envoy::config::endpoint::v3::ClusterLoadAssignment;
use envoy_types::pb::envoy::config::endpoint::v3::lb_endpoint::HostIdentifier;
use prost::{DecodeError, Message};

/// The addresses and ports of a load assignment; nothing when it is none.
pub fn endpoints(encoded: &[u8]) -> Option<Vec<String>> {
    let assignment = ClusterLoadAssignment::decode(encoded).ok()?;
    let groups = assignment.endpoints.iter();
    let endpoints = groups.flat_map(|group| &group.lb_endpoints);
    let told = endpoints.filter_map(|endpoint| address(endpoint.host_identifier.as_ref()?));
    Some(told.collect())
}

fn address(identifier: &HostIdentifier) -> Option<String> {
    let HostIdentifier::Endpoint(endpoint) = identifier else {
        return None;
    };
    let Address::SocketAddress(address) = endpoint.address.as_ref()?.address.as_ref()? else {
        return None;
    };
    let PortSpecifier::PortValue(port) = address.port_specifier.as_ref()? else {
        return None;
    };
    Some(host_and_port(&address.address, *port))
}

/// As in a URL: an IPv6 address stands in brackets.
pub fn host_and_port(host: &str, port: u32) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// An extension config with its name and type, and nothing of what it says.
pub fn without_config(encoded: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let mut message = TypedExtensionConfig::decode(encoded)?;
    if let Some(config) = &mut message.typed_config {
        config.value.clear();
    }
    Ok(message.encode_to_vec())
}
