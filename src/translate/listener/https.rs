//! HTTPS listeners, over TCP and, for HTTP/3, over QUIC: filter chains for each ssl document.

use std::sync::Arc;

use envoy_types::pb::envoy::config::common::mutation_rules::v3::{
    HeaderMutation as Mutation, header_mutation::Action,
};
use envoy_types::pb::envoy::config::core::v3::{
    Address, HeaderValue, HeaderValueOption, address, header_value_option::HeaderAppendAction,
    socket_address::Protocol,
};
use envoy_types::pb::envoy::config::listener::v3::{
    FilterChain, Listener, QuicProtocolOptions, UdpListenerConfig,
};
use envoy_types::pb::envoy::extensions::filters::http::header_mutation::v3::{
    HeaderMutation, Mutations,
};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    HttpFilter, http_filter,
};

use super::http::{Carried, filter_chains};
use super::misdirected::misdirected;
use super::{Opened, shell, tls};
use crate::cohort::Envoy;
use crate::envoy::any;
use crate::model::{Gateway, Ssl, gateway};
use crate::translate::secret::{certificate_names, client_ca_name};

/// The listener; nothing without a certificate to show.
pub(super) fn over_tcp(
    name: Arc<str>,
    gateway: &Gateway,
    listener: &gateway::Listener,
    envoy: Envoy,
) -> Option<Opened> {
    let chains = |ssl: &Ssl| {
        let offered = listener.http3 && over_quic_too(ssl);
        let alternative = offered.then(|| alternative(listener.port));
        let first = misdirected(gateway, ssl).into_iter().chain(alternative);
        let carried = Carried {
            envoy,
            first: first.collect(),
            quic: false,
        };
        let plain = filter_chains(&name, gateway, listener, &carried);
        let secured = plain.into_iter().map(|chain| FilterChain {
            transport_socket: Some(tls::over_tcp(ssl)),
            ..chain
        });
        tls::for_names(ssl, &secured.collect::<Vec<_>>())
    };
    let filter_chains = gateway.ssls.iter().flat_map(|ssl| chains(ssl)).collect();
    let mut opened = shell(&name, listener, envoy);
    opened.listener_filters.push(tls::inspector());
    let ssls: Vec<&Ssl> = gateway.ssls.iter().map(|ssl| &**ssl).collect();
    open(
        name,
        &ssls,
        Listener {
            filter_chains,
            ..opened
        },
    )
}

/// The listener for HTTP/3, on the same port; nothing without a certificate to show.
pub(super) fn over_quic(
    of_tcp: &str,
    gateway: &Gateway,
    listener: &gateway::Listener,
    envoy: Envoy,
) -> Option<Opened> {
    let name: Arc<str> = format!("{of_tcp}/http3").into();
    let ssls: Vec<&Ssl> = gateway
        .ssls
        .iter()
        .map(|ssl| &**ssl)
        .filter(|ssl| over_quic_too(ssl))
        .collect();
    let chains = |ssl: &Ssl| {
        let carried = Carried {
            envoy,
            first: misdirected(gateway, ssl).into_iter().collect(),
            quic: true,
        };
        let plain = filter_chains(&name, gateway, listener, &carried);
        let secured = plain.into_iter().map(|chain| FilterChain {
            transport_socket: Some(tls::over_quic(ssl)),
            ..chain
        });
        tls::for_names(ssl, &secured.collect::<Vec<_>>())
    };
    let opened = Listener {
        filter_chains: ssls.iter().flat_map(|ssl| chains(ssl)).collect(),
        udp_listener_config: Some(UdpListenerConfig {
            quic_options: Some(QuicProtocolOptions::default()),
            ..UdpListenerConfig::default()
        }),
        tcp_keepalive: None,
        ..shell(&name, listener, envoy)
    };
    let address = opened.address.clone().map(over_udp);
    open(name, &ssls, Listener { address, ..opened })
}

/// Envoy does not ask for certificates of clients over QUIC.
fn over_quic_too(ssl: &Ssl) -> bool {
    ssl.clients.is_none()
}

fn open(name: Arc<str>, ssls: &[&Ssl], listener: Listener) -> Option<Opened> {
    let secrets = ssls.iter().flat_map(|ssl| {
        let clients = ssl.clients.as_ref().map(|_| client_ca_name(ssl));
        certificate_names(ssl).chain(clients)
    });
    (!ssls.is_empty()).then_some(Opened {
        name,
        listener,
        routes: true,
        secrets: secrets.map(Into::into).collect(),
    })
}

fn over_udp(mut address: Address) -> Address {
    if let Some(address::Address::SocketAddress(socket)) = &mut address.address {
        socket.protocol = Protocol::Udp.into();
    }
    address
}

/// Tells clients that HTTP/3 is spoken on the same port.
fn alternative(port: u16) -> HttpFilter {
    let header = HeaderValue {
        key: "alt-svc".to_owned(),
        value: format!("h3=\":{port}\"; ma=86400"),
        ..HeaderValue::default()
    };
    let tell = Mutation {
        action: Some(Action::Append(HeaderValueOption {
            header: Some(header),
            append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
            ..HeaderValueOption::default()
        })),
    };
    let config = HeaderMutation {
        mutations: Some(Mutations {
            response_mutations: vec![tell],
            ..Mutations::default()
        }),
        ..HeaderMutation::default()
    };
    HttpFilter {
        name: "chancery.http3_offer".to_owned(),
        config_type: Some(http_filter::ConfigType::TypedConfig(any(&config))),
        ..HttpFilter::default()
    }
}
