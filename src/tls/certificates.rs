//! The certificates of a port: read from files, read again when these change, and the names in a client's.
//!
//! What cannot be used is never put in force: a renewal that is half written keeps the certificates before it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::credentials::InForce;

/// How often the files are looked at. They are small, and a look works however they are replaced: written in place,
/// renamed, or linked anew as in a container.
const LOOK: Duration = Duration::from_secs(2);

/// The port that certificates are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listener {
    Xds,
    Admin,
}

impl Listener {
    /// As logs and settings have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Xds => "xds",
            Self::Admin => "admin",
        }
    }

    /// What is spoken there.
    fn protocols(self) -> Vec<Vec<u8>> {
        let (h2, http1) = (b"h2".to_vec(), b"http/1.1".to_vec());
        match self {
            Self::Xds => vec![h2],
            Self::Admin => vec![h2, http1],
        }
    }
}

/// Where the certificates of a port are. All files are PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    pub listener: Listener,
    /// The certificate that Chancery shows, with its chain.
    pub cert: PathBuf,
    pub key: PathBuf,
    /// The authorities that clients' certificates must come from; without it none is asked for.
    pub client_ca: Option<PathBuf>,
    /// The lists of clients' certificates that their authorities have taken back.
    pub client_crl: Option<PathBuf>,
}

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}: {1}")]
    Unreadable(PathBuf, std::io::Error),
    /// A file does not hold what it should.
    #[error("{0}: found no usable PEM {1}: {2}")]
    Malformed(PathBuf, &'static str, String),
    /// Certificate and key do not go together, or TLS cannot use them.
    #[error("{0} and its key: {1}")]
    Unusable(PathBuf, rustls::Error),
    #[error("{0}: {1}")]
    Authorities(PathBuf, VerifierBuilderError),
}

#[derive(PartialEq, Eq)]
struct Contents {
    cert: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
    client_crl: Option<Vec<u8>>,
}

/// The certificates in force.
pub struct Certificates {
    files: Files,
    contents: Contents,
    current: watch::Sender<Arc<InForce>>,
}

impl Files {
    async fn read(&self) -> Result<Contents, Error> {
        let read = async |path: &PathBuf| {
            let contents = tokio::fs::read(path).await;
            contents.map_err(|error| Error::Unreadable(path.clone(), error))
        };
        let read_given = async |path: &Option<PathBuf>| match path {
            Some(path) => read(path).await.map(Some),
            None => Ok(None),
        };
        Ok(Contents {
            cert: read(&self.cert).await?,
            key: read(&self.key).await?,
            client_ca: read_given(&self.client_ca).await?,
            client_crl: read_given(&self.client_crl).await?,
        })
    }

    fn parse(&self, contents: &Contents) -> Result<InForce, Error> {
        let provider = Arc::new(ring::default_provider());
        let chain = all(&self.cert, &contents.cert, "certificate")?;
        let key = PrivateKeyDer::from_pem_slice(&contents.key)
            .map_err(|error| Error::Malformed(self.key.clone(), "key", error.to_string()))?;
        let unusable = |error| Error::Unusable(self.cert.clone(), error);
        let unverified = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(unusable)?;
        let clients = self.clients(contents, &provider)?;
        let builder = match clients.clone() {
            Some(clients) => unverified.with_client_cert_verifier(clients),
            None => unverified.with_no_client_auth(),
        };
        let mut config = builder.with_single_cert(chain, key).map_err(unusable)?;
        config.alpn_protocols = self.listener.protocols();
        Ok(InForce {
            listener: self.listener,
            server: Arc::new(config),
            clients,
        })
    }

    fn clients(
        &self,
        contents: &Contents,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Option<Arc<dyn ClientCertVerifier>>, Error> {
        let (Some(path), Some(pem)) = (&self.client_ca, &contents.client_ca) else {
            return Ok(None);
        };
        let mut roots = RootCertStore::empty();
        for authority in all::<CertificateDer<'_>>(path, pem, "certificate")? {
            roots
                .add(authority)
                .map_err(|error| Error::Unusable(path.clone(), error))?;
        }
        let mut verifier =
            WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
        if let (Some(path), Some(pem)) = (&self.client_crl, &contents.client_crl) {
            // A list that is over stays in force: an authority that is late cuts nobody off.
            verifier = verifier
                .with_crls(all::<CertificateRevocationListDer<'_>>(
                    path,
                    pem,
                    "revocation list",
                )?)
                .only_check_end_entity_revocation();
        }
        let verifier = verifier.build();
        let verifier = verifier.map_err(|error| Error::Authorities(path.clone(), error))?;
        Ok(Some(verifier))
    }
}

/// All that a file has of a kind, one at least.
fn all<T: PemObject>(path: &Path, pem: &[u8], what: &'static str) -> Result<Vec<T>, Error> {
    let malformed = |error: String| Error::Malformed(path.to_owned(), what, error);
    let all = T::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| malformed(error.to_string()))?;
    if all.is_empty() {
        Err(malformed("there is none".into()))
    } else {
        Ok(all)
    }
}

impl Certificates {
    /// Reads the files for the first time.
    pub async fn load(files: Files) -> Result<Self, Error> {
        let contents = files.read().await?;
        let current = watch::Sender::new(Arc::new(files.parse(&contents)?));
        Ok(Self {
            files,
            contents,
            current,
        })
    }

    /// The certificates in force, at any time.
    pub fn current(&self) -> watch::Receiver<Arc<InForce>> {
        self.current.subscribe()
    }

    /// Reads the files again whenever they change. Connections that are open are held to them as well; sessions of clients that were verified by
    /// other authorities are not resumed, as a new configuration begins with none.
    pub async fn watch(mut self, shutdown: CancellationToken) {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut said = String::new();
        let listener = self.files.listener.as_str();
        while shutdown.run_until_cancelled(look.tick()).await.is_some() {
            match self.look_again().await {
                Ok(changed) => {
                    said.clear();
                    if changed {
                        info!(%listener, cert = %self.files.cert.display(), "certificates reloaded");
                    }
                }
                Err(error) => {
                    let reason = error.to_string();
                    if reason != said {
                        warn!(
                            %listener,
                            error = reason,
                            "certificates cannot be reloaded; those before stay in force"
                        );
                        said = reason;
                    }
                }
            }
        }
    }

    async fn look_again(&mut self) -> Result<bool, Error> {
        let contents = self.files.read().await?;
        if contents == self.contents {
            return Ok(false);
        }
        self.current
            .send_replace(Arc::new(self.files.parse(&contents)?));
        self.contents = contents;
        Ok(true)
    }
}

/// The DNS names and URIs (SPIFFE IDs are such) in a certificate; the common name does not count.
pub fn names(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else {
        return Vec::new();
    };
    let Ok(Some(alternatives)) = parsed.subject_alternative_name() else {
        return Vec::new();
    };
    let names = alternatives.value.general_names.iter();
    names
        .filter_map(|name| match name {
            GeneralName::DNSName(name) | GeneralName::URI(name) => Some((*name).to_owned()),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests;
