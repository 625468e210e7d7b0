//! Short forms of what Envoy's messages wrap.

use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3::{
    Address, AggregatedConfigSource, ApiVersion, CidrRange, ConfigSource, SocketAddress,
    TcpKeepalive, TypedExtensionConfig, address, config_source::ConfigSourceSpecifier,
    socket_address::PortSpecifier,
};
use envoy_types::pb::google::protobuf::{
    self, BoolValue, ListValue, Struct, UInt32Value, UInt64Value, value::Kind,
};
use envoy_types::pb::xds::core::v3 as xds;
use ipnet::IpNet;
use prost::{Message, Name};
use serde_json::{Map, Value};

use super::any;

/// What a connection may buffer on either side before the other side is slowed down.
pub const BUFFER_BYTES: u32 = 32 * 1024;

/// A time-out, within what Envoy takes: it counts milliseconds, reads 0 as "none", and has an upper end.
pub fn duration(duration: Duration) -> protobuf::Duration {
    let duration = duration.clamp(
        Duration::from_millis(1),
        Duration::from_secs(365 * 24 * 60 * 60),
    );
    exactly(duration)
}

/// A duration as it is, also none at all.
pub fn exactly(duration: Duration) -> protobuf::Duration {
    protobuf::Duration {
        seconds: duration.as_secs().try_into().unwrap_or(i64::MAX),
        nanos: duration.subsec_nanos().try_into().unwrap_or(0),
    }
}

/// What Envoy reads as no time-out.
pub fn never() -> protobuf::Duration {
    protobuf::Duration::default()
}

pub fn uint32(value: u32) -> UInt32Value {
    UInt32Value { value }
}

pub fn uint64(value: u64) -> UInt64Value {
    UInt64Value { value }
}

pub fn boolean(value: bool) -> BoolValue {
    BoolValue { value }
}

pub fn extension<M: Message + Name>(name: &str, config: &M) -> TypedExtensionConfig {
    TypedExtensionConfig {
        name: name.to_owned(),
        typed_config: Some(any(config)),
    }
}

/// An input or an action of a match tree: that is xDS's own message, with the same fields.
pub fn tree_extension<M: Message + Name>(name: &str, config: &M) -> xds::TypedExtensionConfig {
    xds::TypedExtensionConfig {
        name: name.to_owned(),
        typed_config: Some(any(config)),
    }
}

/// An IP address, or a DNS name where the cluster resolves it.
pub fn address(host: String, port: u16) -> Address {
    Address {
        address: Some(address::Address::SocketAddress(SocketAddress {
            // `::` listens on IPv4 as well, as it does elsewhere.
            ipv4_compat: host == "::",
            address: host,
            port_specifier: Some(PortSpecifier::PortValue(port.into())),
            ..SocketAddress::default()
        })),
    }
}

pub fn cidr_range(range: &IpNet) -> CidrRange {
    CidrRange {
        address_prefix: range.network().to_string(),
        prefix_len: Some(uint32(range.prefix_len().into())),
    }
}

/// Over the stream that everything else comes over.
pub fn ads() -> ConfigSource {
    ConfigSource {
        resource_api_version: ApiVersion::V3.into(),
        config_source_specifier: Some(ConfigSourceSpecifier::Ads(AggregatedConfigSource {})),
        ..ConfigSource::default()
    }
}

/// A JSON object as a message.
pub fn structure(fields: &Map<String, Value>) -> Struct {
    let field = |(name, of): (&String, &Value)| (name.clone(), value(of));
    Struct {
        fields: fields.iter().map(field).collect(),
    }
}

fn value(value: &Value) -> protobuf::Value {
    let kind = match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(value) => Kind::BoolValue(*value),
        Value::Number(number) => Kind::NumberValue(number.as_f64().unwrap_or_default()),
        Value::String(text) => Kind::StringValue(text.clone()),
        Value::Array(values) => Kind::ListValue(ListValue {
            values: values.iter().map(self::value).collect(),
        }),
        Value::Object(fields) => Kind::StructValue(structure(fields)),
    };
    protobuf::Value { kind: Some(kind) }
}

/// A peer that vanished without a word is noticed after 90 s of silence.
pub fn tcp_keepalive() -> TcpKeepalive {
    TcpKeepalive {
        keepalive_probes: Some(uint32(3)),
        keepalive_time: Some(uint32(60)),
        keepalive_interval: Some(uint32(10)),
    }
}
