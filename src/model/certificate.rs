//! Certificates and private keys inside documents, as PEM. What they hold is checked when a document is read, so that a
//! proxy never meets one that it cannot load. Nothing here shows a key: not `Debug`, not an error.

mod leaf;

use std::fmt;
use std::sync::Arc;

use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use schemars::JsonSchema;
use serde::Deserialize;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::bounds::{CERTIFICATES, KEY, LongText};

/// One certificate or more, as PEM.
#[derive(Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "LongText<CERTIFICATES>")]
#[schemars(with = "LongText<CERTIFICATES>")]
pub struct Certificates(Arc<str>);

/// A private key, as PEM.
#[derive(Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "LongText<KEY>")]
#[schemars(with = "LongText<KEY>")]
pub struct PrivateKey(Arc<str>);

/// A certificate with what signed it, and the key that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate first.
    pub certificates: Certificates,
    pub key: PrivateKey,
}

impl Certificates {
    /// The PEM, as it is written.
    pub fn pem(&self) -> &str {
        &self.0
    }

    fn der(&self) -> Vec<CertificateDer<'static>> {
        let found = CertificateDer::pem_slice_iter(self.0.as_bytes());
        found.filter_map(Result::ok).collect()
    }
}

impl Certificates {
    /// The public key of the first, as DER. Read here rather than by rustls, which knows certificates of version 3 only.
    fn public(&self) -> Option<Vec<u8>> {
        let der = self.der();
        let (_, first) = X509Certificate::from_der(der.first()?).ok()?;
        Some(first.public_key().raw.to_vec())
    }
}

impl PrivateKey {
    /// The public key that belongs to it, as DER.
    fn public(&self) -> Option<Vec<u8>> {
        let der = PrivateKeyDer::from_pem_slice(self.0.as_bytes()).ok()?;
        let key = any_supported_type(&der).ok()?;
        Some(key.public_key()?.to_vec())
    }
}

impl TryFrom<LongText<CERTIFICATES>> for Certificates {
    type Error = String;

    fn try_from(LongText(pem): LongText<CERTIFICATES>) -> Result<Self, String> {
        Self::try_from(pem)
    }
}

impl TryFrom<LongText<KEY>> for PrivateKey {
    type Error = String;

    fn try_from(LongText(pem): LongText<KEY>) -> Result<Self, String> {
        Self::try_from(pem)
    }
}

impl TryFrom<String> for Certificates {
    type Error = String;

    fn try_from(pem: String) -> Result<Self, String> {
        let mut count = 0;
        for found in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            count += 1;
            let read = found.ok().is_some_and(|der| {
                X509Certificate::from_der(&der).is_ok_and(|(rest, _)| rest.is_empty())
            });
            if !read {
                return Err(format!(
                    "found a certificate (the {count}. in it) that cannot be read, allowed: X.509 certificates as PEM"
                ));
            }
        }
        match count {
            0 => Err("found no certificate, allowed: X.509 certificates as PEM".into()),
            _ => Ok(Self(pem.into())),
        }
    }
}

impl PrivateKey {
    /// The PEM, as it is written. A secret.
    pub fn pem(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for PrivateKey {
    type Error = String;

    fn try_from(pem: String) -> Result<Self, String> {
        let known = PrivateKeyDer::from_pem_slice(pem.as_bytes())
            .is_ok_and(|key| any_supported_type(&key).is_ok());
        if known {
            Ok(Self(pem.into()))
        } else {
            Err(unreadable(&pem).into())
        }
    }
}

/// Why a private key is none, without a word of it.
fn unreadable(text: &str) -> &'static str {
    if text.starts_with('$') {
        "cannot be read: a reference to a secret elsewhere is not followed, allowed: a private key (RSA, ECDSA) as PEM"
    } else if !text.is_empty() && !text.contains("-----") {
        "cannot be read, allowed: a private key (RSA, ECDSA) as PEM; APISIX stores keys encrypted unless its `data_encryption` is off: give its keys as `data-encryption-keyring`"
    } else {
        "cannot be read, allowed: a private key (RSA, ECDSA) as PEM, not encrypted"
    }
}

impl Identity {
    /// Puts the two together; says so when they do not belong together.
    pub fn new(certificates: Certificates, key: PrivateKey) -> Result<Self, String> {
        match key.public() {
            Some(own) if certificates.public() == Some(own.clone()) => {
                Ok(Self { certificates, key })
            }
            _ => Err("is not the key of the certificate beside it".into()),
        }
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificates({})", self.der().len())
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(…)")
    }
}

#[cfg(test)]
mod tests;
