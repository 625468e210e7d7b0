//! TLS of HTTPS listeners: a filter chain for the names of each ssl document, with its certificates by name. A client that
//! asks for a name of none gets no handshake.

use envoy_types::pb::envoy::config::core::v3::{TransportSocket, transport_socket::ConfigType};
use envoy_types::pb::envoy::config::listener::v3::{
    FilterChain, FilterChainMatch, ListenerFilter, listener_filter,
};
use envoy_types::pb::envoy::extensions::filters::listener::tls_inspector::v3::TlsInspector;
use envoy_types::pb::envoy::extensions::transport_sockets::quic::v3::QuicDownstreamTransport;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{
    CommonTlsContext, DownstreamTlsContext, TlsParameters,
    common_tls_context::ValidationContextType, tls_parameters::TlsProtocol,
};

use crate::envoy::any;
use crate::envoy::proto::boolean;
use crate::model::ssl::Versions;
use crate::model::{Host, Ssl};
use crate::translate::secret::{certificate_names, client_ca_name, sds};

/// Looks into the first bytes of a connection for the name that the client asks for.
pub(super) fn inspector() -> ListenerFilter {
    ListenerFilter {
        name: "envoy.filters.listener.tls_inspector".to_owned(),
        config_type: Some(listener_filter::ConfigType::TypedConfig(any(
            &TlsInspector::default(),
        ))),
        ..ListenerFilter::default()
    }
}

/// A name as clients ask for it: some write the dot of the root behind it, which Envoy takes for another name.
pub(super) fn server_names(name: &Host) -> [String; 2] {
    [name.to_string(), format!("{name}.")]
}

/// The chains, each for connections that ask for the document's names.
pub(super) fn for_names(ssl: &Ssl, chains: &[FilterChain]) -> Vec<FilterChain> {
    let names = ssl.names.iter().flat_map(server_names).collect();
    let named = (!ssl.names.is_empty()).then_some(("", names));
    let any = ssl.any_name.then(|| ("/any", Vec::new()));
    let sets = named.into_iter().chain(any);
    sets.flat_map(|(suffix, names)| {
        let name = format!("{}{suffix}", ssl.id);
        let one = move |chain: &FilterChain| named_chain(chain, &name, &names);
        chains.iter().map(one).collect::<Vec<_>>()
    })
    .collect()
}

fn named_chain(chain: &FilterChain, suffix: &str, names: &[String]) -> FilterChain {
    let matching = chain.filter_chain_match.clone().unwrap_or_default();
    let trusted = if matching.source_prefix_ranges.is_empty() {
        ""
    } else {
        "/trusted"
    };
    FilterChain {
        name: format!("ssl/{suffix}{trusted}"),
        filter_chain_match: Some(FilterChainMatch {
            server_names: names.to_vec(),
            ..matching
        }),
        ..chain.clone()
    }
}

/// TLS with the document's certificates, over TCP.
pub(super) fn over_tcp(ssl: &Ssl) -> TransportSocket {
    TransportSocket {
        name: "envoy.transport_sockets.tls".to_owned(),
        config_type: Some(ConfigType::TypedConfig(any(&context(
            ssl,
            &["h2", "http/1.1"],
        )))),
    }
}

/// TLS with the document's certificates, over QUIC.
pub(super) fn over_quic(ssl: &Ssl) -> TransportSocket {
    let transport = QuicDownstreamTransport {
        downstream_tls_context: Some(context(ssl, &["h3"])),
        ..QuicDownstreamTransport::default()
    };
    TransportSocket {
        name: "envoy.transport_sockets.quic".to_owned(),
        config_type: Some(ConfigType::TypedConfig(any(&transport))),
    }
}

fn context(ssl: &Ssl, alpn: &[&str]) -> DownstreamTlsContext {
    let clients = ssl.clients.as_ref();
    let (least, most) = match ssl.versions {
        Versions::Both => (TlsProtocol::TlSv12, TlsProtocol::TlSv13),
        Versions::Only12 => (TlsProtocol::TlSv12, TlsProtocol::TlSv12),
        Versions::Only13 => (TlsProtocol::TlSv13, TlsProtocol::TlSv13),
    };
    DownstreamTlsContext {
        common_tls_context: Some(CommonTlsContext {
            tls_params: Some(TlsParameters {
                tls_minimum_protocol_version: least.into(),
                tls_maximum_protocol_version: most.into(),
                ..TlsParameters::default()
            }),
            tls_certificate_sds_secret_configs: certificate_names(ssl).map(sds).collect(),
            alpn_protocols: alpn.iter().map(|&protocol| protocol.to_owned()).collect(),
            validation_context_type: clients.map(|_| {
                ValidationContextType::ValidationContextSdsSecretConfig(sds(client_ca_name(ssl)))
            }),
            ..CommonTlsContext::default()
        }),
        require_client_certificate: clients.map(|_| boolean(true)),
        ..DownstreamTlsContext::default()
    }
}
