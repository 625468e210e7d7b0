//! What of a certificate, and of the authorities, Envoy is told. No golden case holds any: none is in the repository.

use envoy_types::pb::envoy::config::core::v3::data_source::Specifier;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::CertificateValidationContext;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::common_tls_context::ValidationContextType;
use rcgen::{CertificateParams, KeyPair};

use super::{by_host, context};
use crate::model::certificate::{Certificates, Identity, PrivateKey};
use crate::model::upstream::{ServerName, Tls, Trust};

fn tls(name: ServerName, verify: Option<Trust>) -> Tls {
    Tls {
        name,
        verify,
        identity: None,
        client_cert: None,
    }
}

fn validation(tls: &Tls) -> CertificateValidationContext {
    let common = context(tls, &[]).common_tls_context.unwrap();
    match common.validation_context_type.unwrap() {
        ValidationContextType::ValidationContext(validation) => validation,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_certificate_is_shown_as_it_is_written() {
    let key = KeyPair::generate().unwrap();
    let pem = CertificateParams::default()
        .self_signed(&key)
        .unwrap()
        .pem();
    let certificates = Certificates::try_from(pem.clone()).unwrap();
    let private = PrivateKey::try_from(key.serialize_pem()).unwrap();
    let tls = Tls {
        identity: Some(Identity::new(certificates.clone(), private).unwrap()),
        ..tls(ServerName::Nameless, Some(Trust::Authorities(certificates)))
    };
    let common = context(&tls, &["h2"]).common_tls_context.unwrap();
    assert_eq!(common.alpn_protocols, ["h2"]);
    let shown = &common.tls_certificates[0];
    let text = |specifier: &Option<Specifier>| match specifier {
        Some(Specifier::InlineString(text)) => text.clone(),
        other => panic!("{other:?}"),
    };
    let chain = shown.certificate_chain.as_ref().unwrap();
    assert_eq!(text(&chain.specifier), pem);
    let private = shown.private_key.as_ref().unwrap();
    assert_eq!(text(&private.specifier), key.serialize_pem());
    let authorities = validation(&tls).trusted_ca.unwrap();
    assert_eq!(text(&authorities.specifier), pem);
}

#[test]
fn nothing_is_verified_without_a_name() {
    let system = || Some(Trust::System);
    let fixed = |name: &str| tls(ServerName::Fixed(name.into()), system());
    for (name, kind, sni) in [("a.example.com", 2, "a.example.com"), ("10.0.0.1", 4, "")] {
        let tls = fixed(name);
        let names = validation(&tls).match_typed_subject_alt_names;
        assert_eq!((names.len(), names[0].san_type), (1, kind), "of {name}");
        assert_eq!(context(&tls, &[]).sni, sni);
    }
    let node = context(&tls(ServerName::Node, system()), &[]);
    assert!(node.auto_host_sni && node.auto_sni_san_validation);
    let host = by_host(&tls(ServerName::Host, system())).unwrap();
    assert!(host.auto_sni && host.auto_san_validation);
}

#[test]
fn unverified_is_unverified() {
    for name in [ServerName::Host, ServerName::Node, ServerName::Nameless] {
        let tls = tls(name, None);
        let context = context(&tls, &[]);
        let common = context.common_tls_context.unwrap();
        assert!(common.validation_context_type.is_none() && !context.auto_sni_san_validation);
        assert!(by_host(&tls).is_none_or(|host| !host.auto_san_validation));
    }
}
