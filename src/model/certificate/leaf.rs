//! What a certificate says of itself: whom it is for, and until when.

use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::Certificates;
use crate::model::Host;

impl Certificates {
    /// Whether clients that ask for any of these names find it in the certificate.
    pub fn covers(&self, name: &Host) -> bool {
        let asked = name.to_string();
        let names = self.leaf(names).unwrap_or_default();
        let covers = |given: &String| {
            given.eq_ignore_ascii_case(&asked) || {
                // One label stands for the star.
                let suffix = given.strip_prefix('*').unwrap_or("?");
                let rest = asked.split_once('.').map_or("", |(_, rest)| rest);
                suffix.starts_with('.') && suffix[1..].eq_ignore_ascii_case(rest)
            }
        };
        names.iter().any(covers)
    }

    /// The DNS names that it is for.
    pub fn names(&self) -> Vec<String> {
        self.leaf(names).unwrap_or_default()
    }

    /// When it ends, in seconds since 1970.
    pub fn not_after(&self) -> Option<i64> {
        self.leaf(|leaf| leaf.validity().not_after.timestamp())
    }

    /// The certificate itself, which comes before what signed it.
    fn leaf<T>(&self, read: impl FnOnce(&X509Certificate<'_>) -> T) -> Option<T> {
        let der: CertificateDer<'static> = self.der().into_iter().next()?;
        let (_, leaf) = X509Certificate::from_der(&der).ok()?;
        Some(read(&leaf))
    }
}

/// The DNS names that it is for. The common name counts for no client of today.
fn names(leaf: &X509Certificate<'_>) -> Vec<String> {
    let extension = leaf.subject_alternative_name().ok().flatten();
    let alternatives = extension.map(|found| found.value.general_names.as_slice());
    let names = alternatives
        .unwrap_or_default()
        .iter()
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            _ => None,
        });
    names.collect()
}
