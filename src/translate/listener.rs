//! A gateway's listeners, safe at the edge, as Envoy's guidance for edge proxies has it.
//!
//! Nothing of a route may stand here: a changed listener drains its connections. What ssl documents and stream routes become
//! are filter chains of their own, so that only theirs are drained. Every filter that a route can need is in
//! the chain, disabled; a route enables it by its `typed_per_filter_config`.

mod access_log;
mod http;
mod http_filters;
mod https;
mod identity;
mod limits;
mod local_reply;
mod logs;
mod misdirected;
mod origin;
mod port;
mod routes;
mod stream;
mod tls;
mod tracing;

use std::sync::Arc;

use envoy_types::pb::envoy::config::listener::v3::{
    Listener, ListenerFilter, listener_filter::ConfigType,
};
use envoy_types::pb::envoy::extensions::filters::listener::proxy_protocol::v3::ProxyProtocol;

use crate::cohort::{Ability, Envoy};
use crate::envoy::any;
use crate::envoy::proto::{address, tcp_keepalive, uint32};
use crate::model::Gateway;
use crate::model::gateway::{self, Protocol};
use http::Carried;

/// An Envoy listener, and what it asks for by name.
#[derive(Debug)]
pub struct Opened {
    /// `<gateway>/<listener>`, and `<gateway>/<listener>/http3` for HTTP/3.
    pub name: Arc<str>,
    pub listener: Listener,
    /// Whether it takes its routes from the gateway's route table.
    pub routes: bool,
    pub secrets: Vec<Arc<str>>,
}

/// The gateway's Envoy listeners. One that has nothing to offer is not opened: HTTPS without a certificate, TCP and TLS
/// without a stream route.
pub fn listeners(gateway: &Gateway, envoy: Envoy) -> Vec<Opened> {
    #[cfg(test)]
    BUILT.set(BUILT.get() + 1);
    let listeners = gateway.listeners.iter();
    let opened = listeners.flat_map(|listener| {
        let name: Arc<str> = format!("{}/{}", gateway.id, listener.name).into();
        let over_quic = listener
            .http3
            .then(|| https::over_quic(&name, gateway, listener, envoy));
        let over_tcp = match listener.protocol {
            Protocol::Http => Some(in_the_clear(name, gateway, listener, envoy)),
            Protocol::Https => https::over_tcp(name, gateway, listener, envoy),
            Protocol::Tcp | Protocol::Tls => stream::listener(name, gateway, listener, envoy),
        };
        over_tcp.into_iter().chain(over_quic.flatten())
    });
    opened.collect()
}

fn in_the_clear(
    name: Arc<str>,
    gateway: &Gateway,
    listener: &gateway::Listener,
    envoy: Envoy,
) -> Opened {
    let carried = Carried {
        envoy,
        first: Vec::new(),
        quic: false,
    };
    Opened {
        listener: Listener {
            filter_chains: http::filter_chains(&name, gateway, listener, &carried),
            ..shell(&name, listener, envoy)
        },
        name,
        routes: true,
        secrets: Vec::new(),
    }
}

/// A listener without filter chains.
fn shell(name: &str, listener: &gateway::Listener, envoy: Envoy) -> Listener {
    Listener {
        name: name.to_owned(),
        address: Some(address(listener.address.to_string(), listener.port)),
        listener_filters: listener
            .proxy_protocol
            .then(proxy_protocol)
            .into_iter()
            .collect(),
        per_connection_buffer_limit_bytes: Some(uint32(listener.buffer_bytes)),
        tcp_keepalive: envoy.can(Ability::ListenerKeepalive).then(tcp_keepalive),
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

#[cfg(test)]
thread_local! {
    /// How often this thread has built a gateway's listeners: tests count work, not time.
    pub static BUILT: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}
