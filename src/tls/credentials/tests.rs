use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::server::WebPkiClientVerifier;
use std::time::Duration;

use super::*;

/// When the certificates of these tests end.
const END: u64 = 2_000_000_000;

fn authority() -> (CertificateDer<'static>, Issuer<'static, KeyPair>) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).unwrap();
    (certificate.der().clone(), Issuer::new(params, key))
}

fn in_force(authority: &CertificateDer<'static>) -> Arc<InForce> {
    let provider = Arc::new(ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(authority.clone()).unwrap();
    let builder = ServerConfig::builder_with_provider(provider.clone());
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::default().self_signed(&key).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let server = builder.with_no_client_auth();
    let server = server.with_single_cert(vec![own.der().clone()], key);
    let clients = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
    Arc::new(InForce {
        listener: Listener::Admin,
        server: server.unwrap().into(),
        clients: Some(clients.build().unwrap()),
    })
}

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

#[test]
fn a_certificate_is_good_until_it_ends_or_its_authority_is_none_any_more() {
    let (certificate, issuer) = authority();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.not_after = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(END);
    let client = params.signed_by(&key, &issuer).unwrap().der().clone();
    let (ours, theirs) = (in_force(&certificate), in_force(&authority().0));
    let mut credentials = Credentials::new(vec![client]);
    for seconds in [END - 100, END - 1, END] {
        assert_eq!(credentials.check(&ours, at(seconds)), Ok(()), "{seconds}");
    }
    let other = credentials.check(&theirs, at(END)).unwrap_err();
    assert!(
        other.contains("its authority is none of those in --admin-client-ca"),
        "{other}"
    );
    assert_eq!(credentials.check(&ours, at(END)), Ok(()));
    let ended = credentials.check(&ours, at(END + 1)).unwrap_err();
    assert_eq!(ended, "it has ended");
}
