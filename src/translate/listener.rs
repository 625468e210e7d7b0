//! A gateway's listeners: HTTP connection managers that are safe at the edge, as Envoy's guidance for edge proxies has it.
//!
//! Nothing of a route may stand here: a changed listener drains its connections. Every filter that a route can need is in
//! the chain, disabled; a route enables it by its `typed_per_filter_config`.

mod http;
mod http_filters;
mod limits;
mod local_reply;
mod origin;

use std::sync::Arc;

use envoy_types::pb::envoy::config::listener::v3::{Filter, FilterChain, Listener, filter};

use super::any;
use super::proto::{BUFFER_BYTES, address, tcp_keepalive, uint32};
use crate::model::{Gateway, gateway};

/// The gateway's Envoy listeners, by name: `<gateway>/<listener>`. All take their routes from the gateway's route table.
pub fn listeners(gateway: &Gateway) -> Vec<(Arc<str>, Listener)> {
    let listener = |listener: &gateway::Listener| {
        let name: Arc<str> = format!("{}/{}", gateway.id, listener.name).into();
        (name.clone(), translate(&name, gateway, listener))
    };
    gateway.listeners.iter().map(listener).collect()
}

fn translate(name: &str, gateway: &Gateway, listener: &gateway::Listener) -> Listener {
    let manager = http::connection_manager(name, gateway);
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
