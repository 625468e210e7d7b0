use rcgen::{CertificateParams, KeyPair, SanType};

use super::*;

#[test]
fn the_names_of_a_client_are_its_dns_names_and_uris() {
    let mut params = CertificateParams::new(["edge.example.com".to_owned()]).unwrap();
    params.subject_alt_names.extend([
        SanType::URI("spiffe://example.com/edge".try_into().unwrap()),
        SanType::IpAddress([127, 0, 0, 1].into()),
        SanType::Rfc822Name("someone@example.com".try_into().unwrap()),
    ]);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    assert_eq!(
        names(certificate.der()),
        ["edge.example.com", "spiffe://example.com/edge"]
    );
}

#[test]
fn a_certificate_without_names_has_none_and_its_common_name_is_none() {
    let params = CertificateParams::default();
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    assert!(names(certificate.der()).is_empty());
}
