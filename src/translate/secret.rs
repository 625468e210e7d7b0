//! Certificates and keys as secrets of their own, so that a renewed one changes nothing else: no listener, no cluster, no
//! connection.

use std::sync::Arc;

use envoy_types::pb::envoy::config::core::v3::{DataSource, data_source::Specifier};
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{
    CertificateValidationContext, GenericSecret, SdsSecretConfig, Secret, TlsCertificate, secret,
};

use crate::envoy::proto::{ads, uint32};
use crate::model;
use crate::model::certificate::Identity;
use crate::model::upstream::Tls;
use crate::model::{Cluster, Ssl, ssl};

/// The secrets of an ssl document, each with its name: `ssl/<id>`, `ssl/<id>/1` and so on for its further certificates,
/// `ssl/<id>/client_ca` for who has to have signed those of clients.
pub fn secrets(ssl: &Ssl) -> Vec<(Arc<str>, Secret)> {
    let certificates = ssl.identities.iter().map(of);
    let clients = ssl.clients.iter().map(authorities);
    let secrets = secret_names(ssl).zip(certificates.chain(clients));
    secrets
        .map(|(name, of)| (name.clone(), secret(name.to_string(), of)))
        .collect()
}

pub fn secret_names(ssl: &Ssl) -> impl Iterator<Item = Arc<str>> {
    let clients = ssl.clients.iter().map(|_| client_ca_name(ssl));
    certificate_names(ssl).chain(clients).map(Into::into)
}

/// The secrets that a cluster asks for, or who logs people in with it, each with its name: `ssl/<id>/client`, after the ssl document
/// that its upstream refers to, or `credential/<cluster>`, and `session/<cluster>` beside it.
pub fn client_secrets(cluster: &Cluster) -> Vec<(Arc<str>, Secret)> {
    let shown = cluster.credential.as_ref();
    let shown = shown.map(|shown| generic(cluster.credential_name(), shown));
    let login = cluster.login.iter().flat_map(|login| {
        [
            generic(cluster.credential_name(), &login.client),
            generic(cluster.session_name(), &login.session),
        ]
    });
    let own: Vec<_> = shown.into_iter().chain(login).collect();
    if own.is_empty() {
        return certificate_shown(cluster).into_iter().collect();
    }
    own
}

fn certificate_shown(cluster: &Cluster) -> Option<(Arc<str>, Secret)> {
    let tls = cluster.upstream.tls.as_ref()?;
    let name = client_name(tls)?;
    let identity = tls.identity.as_ref()?;
    Some((name.clone().into(), secret(name, of(identity))))
}

fn generic(name: String, text: &model::consumer::Secret) -> (Arc<str>, Secret) {
    let generic = GenericSecret {
        secret: Some(inline(text.reveal())),
        ..GenericSecret::default()
    };
    let of = secret::Type::GenericSecret(generic);
    (name.as_str().into(), secret(name, of))
}

/// The names of the certificates that the document's listeners ask for.
pub(super) fn certificate_names(ssl: &Ssl) -> impl Iterator<Item = String> {
    (0..ssl.identities.len()).map(|at| certificate_name(ssl, at))
}

pub(super) fn client_ca_name(ssl: &Ssl) -> String {
    format!("ssl/{}/client_ca", ssl.id)
}

pub(super) fn client_name(tls: &Tls) -> Option<String> {
    let id = tls.client_cert.as_ref()?;
    Some(format!("ssl/{id}/client"))
}

/// Asks for a secret. The source is the same for all: with another one Envoy would want the same secret anew.
pub(super) fn sds(name: String) -> SdsSecretConfig {
    SdsSecretConfig {
        name,
        sds_config: Some(ads()),
    }
}

/// The certificate and its key as they stand in a context or in a secret.
pub(super) fn certificate(identity: &Identity) -> TlsCertificate {
    TlsCertificate {
        certificate_chain: Some(inline(identity.certificates.pem())),
        private_key: Some(inline(identity.key.pem())),
        ..TlsCertificate::default()
    }
}

pub(super) fn inline(text: &str) -> DataSource {
    DataSource {
        specifier: Some(Specifier::InlineString(text.to_owned())),
        ..DataSource::default()
    }
}

fn certificate_name(ssl: &Ssl, at: usize) -> String {
    match at {
        0 => format!("ssl/{}", ssl.id),
        further => format!("ssl/{}/{further}", ssl.id),
    }
}

fn of(identity: &Identity) -> secret::Type {
    secret::Type::TlsCertificate(certificate(identity))
}

fn authorities(clients: &ssl::Clients) -> secret::Type {
    secret::Type::ValidationContext(CertificateValidationContext {
        trusted_ca: Some(inline(clients.authorities.pem())),
        max_verify_depth: Some(uint32(clients.depth)),
        ..CertificateValidationContext::default()
    })
}

fn secret(name: String, of: secret::Type) -> Secret {
    #[cfg(test)]
    BUILT.set(BUILT.get() + 1);
    Secret {
        name,
        r#type: Some(of),
    }
}

#[cfg(test)]
thread_local! {
    /// How many secrets this thread has built: tests count work, not time.
    pub static BUILT: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}
