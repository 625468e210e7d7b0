//! A public key that verifies signatures, and by which algorithms it can.

use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::oid_registry::asn1_rs::oid;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey as Parsed;
use x509_parser::x509::SubjectPublicKeyInfo;

mod der;

/// Bytes of a number in a JSON Web Key: RSA of 8192 bits, and a sign.
const MEMBER: usize = 1025;

/// The curves by their names, with the bytes of a coordinate and the DER of their object identifiers.
const CURVES: [(&str, usize, &[u8]); 3] = [
    ("P-256", 32, &[6, 8, 42, 134, 72, 206, 61, 3, 1, 7]),
    ("P-384", 48, &[6, 5, 43, 129, 4, 0, 34]),
    ("P-521", 66, &[6, 5, 43, 129, 4, 0, 35]),
];

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
        Self::of_der(der.to_vec()).map_err(|said| said.unwrap_or_else(wrong))
    }

    /// The key that a JSON Web Key is (RFC 7517), by its members; nothing for what verifies nothing here.
    pub fn of_jwk(member: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let bytes = |name| {
            let text = member(name)?;
            let bytes = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()?;
            (bytes.len() <= MEMBER).then_some(bytes)
        };
        let key = match member("kty")?.as_str() {
            "RSA" => der::rsa(&bytes("n")?, &bytes("e")?),
            "EC" => {
                let curve = member("crv")?;
                let (_, length, oid) = CURVES.iter().find(|(name, ..)| *name == curve)?;
                let (x, y) = (bytes("x")?, bytes("y")?);
                let fits = x.len() == *length && y.len() == *length;
                fits.then(|| der::point(oid, &x, &y))?
            }
            _ => return None,
        };
        Self::of_der(key).ok()
    }

    /// Its bytes as a text: what a route tells a script is one.
    pub fn hexadecimal(&self) -> String {
        self.der.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// Reads a `SubjectPublicKeyInfo`; says what is wrong with a key that is one.
    fn of_der(der: Vec<u8>) -> Result<Self, Option<String>> {
        let (rest, info) = SubjectPublicKeyInfo::from_der(&der).map_err(|_| None)?;
        let key = info.parsed().ok().filter(|_| rest.is_empty());
        let algorithms: &[&str] = match (key.ok_or(None)?, curve_of(&info)) {
            (Parsed::RSA(key), _) if (2048..=8192).contains(&key.key_size()) => {
                &["RS256", "RS384", "RS512"]
            }
            (Parsed::RSA(key), _) => {
                let bits = key.key_size();
                return Err(Some(format!(
                    "found an RSA key of {bits} bits, allowed: 2048–8192"
                )));
            }
            (Parsed::EC(_), Some("P-256")) => &["ES256"],
            (Parsed::EC(_), Some("P-384")) => &["ES384"],
            (Parsed::EC(_), Some("P-521")) => &["ES512"],
            _ => {
                let said = "found another kind of key, allowed: of RSA, or on the curve P-256, P-384 or P-521";
                return Err(Some(said.to_owned()));
            }
        };
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

#[cfg(test)]
mod tests;
