//! TLS of a cluster: the name that is asked for, who may have signed what instances show, and what they are shown.

use std::net::IpAddr;

use envoy_types::pb::envoy::config::core::v3::{
    DataSource, TransportSocket, UpstreamHttpProtocolOptions, data_source::Specifier,
    transport_socket::ConfigType,
};
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{
    CertificateValidationContext, CommonTlsContext, SubjectAltNameMatcher, UpstreamTlsContext,
    common_tls_context::ValidationContextType, subject_alt_name_matcher::SanType,
};
use envoy_types::pb::envoy::r#type::matcher::v3::{StringMatcher, string_matcher::MatchPattern};

use crate::envoy::any;
use crate::model::upstream::{Scheme, ServerName, Tls, Trust};
use crate::translate::secret::{self, certificate, inline, sds};

/// Where Debian, its relatives and Envoy's own images keep whom they trust. Envoy has `system_root_certs` in its contract
/// and not in its code: without a file it verifies nothing.
const SYSTEM_TRUST: &str = "/etc/ssl/certs/ca-certificates.crt";

/// The transport socket for requests.
pub(super) fn socket(tls: &Tls, scheme: Scheme) -> TransportSocket {
    let alpn: &[&str] = match scheme {
        Scheme::Grpcs => &["h2"],
        _ => &[],
    };
    transport_socket(&context(tls, alpn))
}

pub(super) fn transport_socket(context: &UpstreamTlsContext) -> TransportSocket {
    TransportSocket {
        name: "envoy.transport_sockets.tls".to_owned(),
        config_type: Some(ConfigType::TypedConfig(any(context))),
    }
}

/// The name is the Host of each request: only the cluster's HTTP side knows it.
pub(super) fn by_host(tls: &Tls) -> Option<UpstreamHttpProtocolOptions> {
    (tls.name == ServerName::Host).then(|| UpstreamHttpProtocolOptions {
        auto_sni: true,
        auto_san_validation: tls.verify.is_some(),
        ..UpstreamHttpProtocolOptions::default()
    })
}

/// The context, with these protocols offered.
pub(super) fn context(tls: &Tls, alpn: &[&str]) -> UpstreamTlsContext {
    let validation = tls
        .verify
        .as_ref()
        .map(|trust| validation(trust, &tls.name));
    let own = tls.identity.iter().filter(|_| tls.client_cert.is_none());
    UpstreamTlsContext {
        common_tls_context: Some(CommonTlsContext {
            tls_certificates: own.map(certificate).collect(),
            tls_certificate_sds_secret_configs: secret::client_name(tls)
                .map(sds)
                .into_iter()
                .collect(),
            alpn_protocols: alpn.iter().map(|&protocol| protocol.to_owned()).collect(),
            validation_context_type: validation.map(ValidationContextType::ValidationContext),
            ..CommonTlsContext::default()
        }),
        sni: match &tls.name {
            ServerName::Fixed(name) if !is_address(name) => name.to_string(),
            _ => String::new(),
        },
        // The node's name; an address is no name that TLS could ask for.
        auto_host_sni: tls.name == ServerName::Node,
        auto_sni_san_validation: tls.name == ServerName::Node && tls.verify.is_some(),
        ..UpstreamTlsContext::default()
    }
}

fn validation(trust: &Trust, name: &ServerName) -> CertificateValidationContext {
    let authorities = match trust {
        Trust::Authorities(authorities) => inline(authorities.pem()),
        Trust::System => DataSource {
            specifier: Some(Specifier::Filename(SYSTEM_TRUST.to_owned())),
            ..DataSource::default()
        },
    };
    let names = match name {
        ServerName::Fixed(name) => vec![exactly(name)],
        ServerName::Host | ServerName::Node | ServerName::Nameless => Vec::new(),
    };
    CertificateValidationContext {
        trusted_ca: Some(authorities),
        match_typed_subject_alt_names: names,
        ..CertificateValidationContext::default()
    }
}

fn exactly(name: &str) -> SubjectAltNameMatcher {
    let kind = if is_address(name) {
        SanType::IpAddress
    } else {
        SanType::Dns
    };
    SubjectAltNameMatcher {
        san_type: kind.into(),
        matcher: Some(StringMatcher {
            match_pattern: Some(MatchPattern::Exact(name.to_owned())),
            ..StringMatcher::default()
        }),
        ..SubjectAltNameMatcher::default()
    }
}

fn is_address(name: &str) -> bool {
    name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests;
