//! A gateway's listeners, safe at the edge, as Envoy's guidance for edge proxies has it.
//!
//! Nothing of a route may stand here: a changed listener drains its connections. Every filter that a route can need is in
//! the chain, disabled; a route enables it by its `typed_per_filter_config`.

mod access_log;
mod http;
mod http_filters;
mod limits;
mod local_reply;
mod origin;
mod port;
mod tracing;

use std::sync::Arc;

use envoy_types::pb::envoy::config::listener::v3::{
    Listener, ListenerFilter, listener_filter::ConfigType,
};
use envoy_types::pb::envoy::extensions::filters::listener::proxy_protocol::v3::ProxyProtocol;

use super::any;
use super::proto::{address, tcp_keepalive, uint32};
use crate::model::{Gateway, gateway};

/// The gateway's Envoy listeners, by name: `<gateway>/<listener>`. All take their routes from the gateway's route table.
/// One that has nothing to offer is not opened: HTTPS without a certificate, TCP and TLS without a stream route.
pub fn listeners(gateway: &Gateway) -> Vec<(Arc<str>, Listener)> {
    let opened = gateway
        .listeners
        .iter()
        .filter(|listener| listener.protocol == gateway::Protocol::Http);
    let named = opened.map(|listener| {
        let name: Arc<str> = format!("{}/{}", gateway.id, listener.name).into();
        (name.clone(), translate(&name, gateway, listener))
    });
    named.collect()
}

fn translate(name: &str, gateway: &Gateway, listener: &gateway::Listener) -> Listener {
    Listener {
        name: name.to_owned(),
        address: Some(address(listener.address.to_string(), listener.port)),
        listener_filters: listener
            .proxy_protocol
            .then(proxy_protocol)
            .into_iter()
            .collect(),
        filter_chains: http::filter_chains(name, gateway, listener),
        per_connection_buffer_limit_bytes: Some(uint32(listener.buffer_bytes)),
        tcp_keepalive: Some(tcp_keepalive()),
        ..Listener::default()
    }
}

/// Both versions, and nothing without either.
fn proxy_protocol() -> ListenerFilter {
    ListenerFilter {
        name: "envoy.filters.listener.proxy_protocol".to_owned(),
        config_type: Some(ConfigType::TypedConfig(any(&ProxyProtocol::default()))),
        ..ListenerFilter::default()
    }
}
