//! The key that verifies a consumer's tokens, as a JSON Web Key (RFC 7517): what Envoy takes of a PEM and of a secret.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use x509_parser::oid_registry::asn1_rs::oid;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::Secret;
use crate::model::public_key::curve_of;

/// How tokens are signed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(super) enum Algorithm {
    #[default]
    HS256,
    HS384,
    HS512,
    RS256,
    RS384,
    RS512,
    ES256,
    ES384,
    ES512,
    PS256,
    PS384,
    PS512,
    EdDSA,
}

impl Algorithm {
    fn as_str(self) -> &'static str {
        match self {
            Self::HS256 => "HS256",
            Self::HS384 => "HS384",
            Self::HS512 => "HS512",
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::ES512 => "ES512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::EdDSA => "EdDSA",
        }
    }

    /// Whether who verifies could sign as well.
    pub(super) fn is_symmetric(self) -> bool {
        matches!(self, Self::HS256 | Self::HS384 | Self::HS512)
    }

    /// The curve, with the length of a coordinate in bytes.
    fn curve(self) -> Option<(&'static str, usize)> {
        match self {
            Self::ES256 => Some(("P-256", 32)),
            Self::ES384 => Some(("P-384", 48)),
            Self::ES512 => Some(("P-521", 66)),
            _ => None,
        }
    }
}

/// The key set with a shared secret, which is as it is written or in base64.
pub(super) fn of_secret(
    algorithm: Algorithm,
    secret: &Secret,
    is_base64: bool,
) -> Result<Secret, &'static str> {
    let bytes = if is_base64 {
        STANDARD
            .decode(secret.reveal())
            .map_err(|_| "cannot be read as base64, which `base64_secret` says it is")?
    } else {
        secret.reveal().as_bytes().to_vec()
    };
    if bytes.is_empty() {
        return Err("is empty, allowed: at least one byte");
    }
    Ok(set(
        algorithm,
        json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode(bytes)}),
    ))
}

/// The key set with a public key, as PEM.
pub(super) fn of_public_key(algorithm: Algorithm, pem: &str) -> Result<Secret, String> {
    const ALLOWED: &str = "allowed: a public key as PEM (BEGIN PUBLIC KEY)";
    let der = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes())
        .map_err(|_| format!("cannot be read, {ALLOWED}"))?;
    let (rest, info) =
        SubjectPublicKeyInfo::from_der(&der).map_err(|_| format!("cannot be read, {ALLOWED}"))?;
    if algorithm == Algorithm::EdDSA {
        return of_edwards_key(&info, rest);
    }
    let key = info
        .parsed()
        .ok()
        .filter(|_| rest.is_empty())
        .ok_or_else(|| format!("cannot be read, {ALLOWED}"))?;
    let coded = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let curve = curve_of(&info);
    match (key, algorithm.curve()) {
        (PublicKey::RSA(key), None) if (2048..=8192).contains(&key.key_size()) => {
            let first = |bytes: &[u8]| bytes.iter().position(|byte| *byte != 0).unwrap_or(0);
            let whole = |bytes: &[u8]| coded(&bytes[first(bytes)..]);
            let (n, e) = (whole(key.modulus), whole(key.exponent));
            Ok(set(algorithm, json!({"kty": "RSA", "n": n, "e": e})))
        }
        (PublicKey::RSA(key), None) => Err(format!(
            "found an RSA key of {} bits, allowed: 2048–8192",
            key.key_size()
        )),
        (PublicKey::EC(point), Some((name, length))) if curve == Some(name) => {
            // 4: both coordinates, uncompressed.
            match point.data() {
                [4, both @ ..] if both.len() == 2 * length => {
                    let (x, y) = both.split_at(length);
                    Ok(set(
                        algorithm,
                        json!({"kty": "EC", "crv": name, "x": coded(x), "y": coded(y)}),
                    ))
                }
                _ => Err("found a compressed point, allowed: an uncompressed one".into()),
            }
        }
        (_, None) => Err(format!(
            "is not an RSA key, which {} needs",
            algorithm.as_str()
        )),
        (_, Some((name, _))) => Err(format!(
            "is not a key on the curve {name}, which {} needs",
            algorithm.as_str()
        )),
    }
}

/// The key set with a key on the one curve for which Envoy knows EdDSA.
fn of_edwards_key(info: &SubjectPublicKeyInfo, rest: &[u8]) -> Result<Secret, String> {
    let point = &*info.subject_public_key.data;
    if info.algorithm.algorithm != oid!(1.3.101.112) || point.len() != 32 || !rest.is_empty() {
        return Err("is not a key on the curve Ed25519, which EdDSA needs".into());
    }
    let x = URL_SAFE_NO_PAD.encode(point);
    let key = json!({"kty": "OKP", "crv": "Ed25519", "x": x});
    Ok(set(Algorithm::EdDSA, key))
}

/// A set of one key, for this algorithm only: a public key is never taken for a shared secret.
fn set(algorithm: Algorithm, mut key: Value) -> Secret {
    key["alg"] = algorithm.as_str().into();
    json!({"keys": [key]}).to_string().into()
}
