//! A public key that verifies signatures, and by which algorithms it can.

use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::oid_registry::asn1_rs::oid;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey as Parsed;
use x509_parser::x509::SubjectPublicKeyInfo;

/// A public key of RSA, or on a curve.
#[derive(Debug)]
pub(crate) struct PublicKey {
    /// Its `SubjectPublicKeyInfo`.
    pub der: Vec<u8>,
    /// The algorithms of tokens that it verifies (RFC 7518).
    pub algorithms: &'static [&'static str],
}

impl PublicKey {
    /// Reads a PEM.
    pub fn of_pem(pem: &str) -> Result<Self, String> {
        const ALLOWED: &str = "allowed: a public key as PEM (BEGIN PUBLIC KEY)";
        let wrong = || format!("cannot be read, {ALLOWED}");
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes()).map_err(|_| wrong())?;
        let (rest, info) = SubjectPublicKeyInfo::from_der(&der).map_err(|_| wrong())?;
        let key = info.parsed().ok().filter(|_| rest.is_empty());
        let algorithms: &[&str] = match (key.ok_or_else(wrong)?, curve_of(&info)) {
            (Parsed::RSA(key), _) if (2048..=8192).contains(&key.key_size()) => {
                &["RS256", "RS384", "RS512"]
            }
            (Parsed::RSA(key), _) => {
                let bits = key.key_size();
                return Err(format!(
                    "found an RSA key of {bits} bits, allowed: 2048–8192"
                ));
            }
            (Parsed::EC(_), Some("P-256")) => &["ES256"],
            (Parsed::EC(_), Some("P-384")) => &["ES384"],
            (Parsed::EC(_), Some("P-521")) => &["ES512"],
            _ => {
                return Err("found another kind of key, allowed: of RSA, or on the curve P-256, P-384 or P-521".into());
            }
        };
        let der = der.to_vec();
        Ok(Self { der, algorithms })
    }
}

/// The curve of a key.
pub(super) fn curve_of(info: &SubjectPublicKeyInfo) -> Option<&'static str> {
    let parameters = info.algorithm.parameters.as_ref()?;
    let found = parameters.as_oid().ok()?;
    let curves = [
        (oid!(1.2.840.10045.3.1.7), "P-256"),
        (oid!(1.3.132.0.34), "P-384"),
        (oid!(1.3.132.0.35), "P-521"),
    ];
    let curve = curves.iter().find(|(oid, _)| *oid == found);
    curve.map(|(_, name)| *name)
}
