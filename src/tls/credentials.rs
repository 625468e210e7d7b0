//! What a client showed of itself, held to what is in force now: certificates end, and authorities are taken away.

use std::sync::Arc;

use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::{CertificateError, Error, ServerConfig};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::certificates::Listener;

/// The certificates in force.
#[derive(Debug)]
pub struct InForce {
    pub listener: Listener,
    pub server: Arc<ServerConfig>,
    /// What holds clients' certificates to the authorities; nothing where none are asked for.
    pub clients: Option<Arc<dyn ClientCertVerifier>>,
}

/// A client's certificate, with the chain that it sent.
#[derive(Debug)]
pub struct Credentials {
    chain: Vec<CertificateDer<'static>>,
    /// When each of them ends, in seconds since 1970.
    ends: Vec<u64>,
    /// By what, and when, it was found good: verifying costs signatures.
    good: Option<(Arc<InForce>, u64)>,
}

impl Credentials {
    /// A certificate, and what leads from it to an authority.
    pub fn new(chain: Vec<CertificateDer<'static>>) -> Self {
        Self {
            ends: chain.iter().filter_map(end).collect(),
            chain,
            good: None,
        }
    }

    /// Why it is not good, if it is not.
    pub fn check(&mut self, in_force: &Arc<InForce>, now: UnixTime) -> Result<(), String> {
        let Some(clients) = &in_force.clients else {
            return Ok(());
        };
        let seconds = now.as_secs();
        if let Some((by, at)) = &self.good
            && Arc::ptr_eq(by, in_force)
            && !self.ends.iter().any(|end| (*at..seconds).contains(end))
        {
            return Ok(());
        }
        let Some((first, others)) = self.chain.split_first() else {
            return Err("none was shown".to_owned());
        };
        let verified = clients.verify_client_cert(first, others, now);
        verified.map_err(|error| reason(&error, in_force.listener))?;
        self.good = Some((in_force.clone(), seconds));
        Ok(())
    }
}

fn end(certificate: &CertificateDer<'_>) -> Option<u64> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    parsed.validity().not_after.timestamp().try_into().ok()
}

fn reason(error: &Error, listener: Listener) -> String {
    use CertificateError::{
        BadSignature, Expired, ExpiredContext, Revoked, UnknownIssuer, UnknownRevocationStatus,
    };
    let listener = listener.as_str();
    match error {
        Error::InvalidCertificate(Expired | ExpiredContext { .. }) => "it has ended".to_owned(),
        // A signature is looked at where an authority has the issuer's name.
        Error::InvalidCertificate(UnknownIssuer | BadSignature) => {
            format!("its authority is none of those in --{listener}-client-ca")
        }
        Error::InvalidCertificate(Revoked) => {
            format!("it was revoked (--{listener}-client-crl)")
        }
        Error::InvalidCertificate(UnknownRevocationStatus) => {
            format!("--{listener}-client-crl has no list of its authority's")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
