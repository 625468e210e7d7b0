use rcgen::{CertificateParams, KeyPair};

use super::{Certificates, Identity, PrivateKey};

fn pair() -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::default().self_signed(&key).unwrap();
    (certificate.pem(), key.serialize_pem())
}

#[test]
fn a_certificate_and_its_key_belong_together() {
    let (certificate, key) = pair();
    let (_, other) = pair();
    let identity = |key: String| {
        let certificates = Certificates::try_from(certificate.clone()).unwrap();
        Identity::new(certificates, PrivateKey::try_from(key).unwrap())
    };
    assert!(identity(key).is_ok());
    let said = identity(other).unwrap_err();
    assert_eq!(said, "is not the key of the certificate beside it");
}

#[test]
fn what_is_no_certificate_or_no_key_is_refused_without_showing_it() {
    let (certificate, key) = pair();
    let broken = certificate.replace("MII", "AAA");
    for text in ["", "secret", &key, &broken] {
        let said = Certificates::try_from(text.to_owned()).unwrap_err();
        assert!(
            said.contains("allowed: X.509 certificates as PEM"),
            "{said}"
        );
        assert!(!said.contains("secret"));
    }
    let cut = key.replace("MI", "AA");
    for text in ["", "secret", &certificate, &cut] {
        let said = PrivateKey::try_from(text.to_owned()).unwrap_err();
        assert!(said.starts_with("cannot be read, allowed:"), "{said}");
    }
}

#[test]
fn no_key_is_ever_shown() {
    let (certificate, key) = pair();
    let certificates = Certificates::try_from(format!("{certificate}{certificate}")).unwrap();
    let identity = Identity::new(certificates, PrivateKey::try_from(key).unwrap()).unwrap();
    assert_eq!(
        format!("{identity:?}"),
        "Identity { certificates: Certificates(2), key: PrivateKey(…) }"
    );
}
