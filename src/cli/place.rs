//! Where a running Chancery is, whom to believe that it is it, and what to do where nobody answers.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use super::web::Web;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);

/// Where the running Chancery is.
#[derive(Debug, clap::Args)]
pub struct Place {
    /// The admin listener of a running Chancery; https where it has a certificate
    #[arg(
        long,
        env = "CHANCERY_ADMIN_URL",
        default_value = "http://127.0.0.1:9180",
        value_name = "URL"
    )]
    admin: String,
    /// The authorities that its certificate may come from (PEM) [default: the system's]
    #[arg(long, env = "CHANCERY_CA", value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The certificate to show to it (PEM), where it demands one
    #[arg(
        long,
        env = "CHANCERY_CLIENT_CERT",
        value_name = "FILE",
        requires = "client_key"
    )]
    client_cert: Option<PathBuf>,
    /// The key of that certificate (PEM)
    #[arg(
        long,
        env = "CHANCERY_CLIENT_KEY",
        value_name = "FILE",
        requires = "client_cert"
    )]
    client_key: Option<PathBuf>,
}

/// What TLS with it takes, as PEM; nothing for what is not given.
#[derive(Default)]
pub struct Trust {
    pub ca: Option<Vec<u8>>,
    /// The certificate with its chain, and its key.
    pub identity: Option<(Vec<u8>, Vec<u8>)>,
}

impl Place {
    /// Its admin port over HTTP, where each call may take so long.
    pub fn web(&self, key: Option<String>, within: Duration) -> Result<Web> {
        Web::new(&self.admin, &self.trust()?, key, within)
    }

    /// A connection for gRPC.
    pub async fn channel(&self) -> Result<Channel> {
        let mut endpoint = Endpoint::from_shared(self.admin.clone())
            .with_context(|| format!("--admin {}", self.admin))?;
        let trust = self.trust()?;
        if self.is_https() {
            // What TLS says of a certificate that is missing is lost where gRPC is spoken.
            self.web(None, CONNECT)?.get(&["healthz"], &[]).await?;
            endpoint = endpoint.tls_config(trust.into_tls())?;
        }
        let connected = endpoint.connect_timeout(CONNECT).connect().await;
        connected
            .with_context(|| format!("no Chancery answers at {}: give --admin URL", self.admin))
    }

    fn is_https(&self) -> bool {
        let scheme = self.admin.get(.."https:".len());
        scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:"))
    }

    fn trust(&self) -> Result<Trust> {
        let given = [
            ("--ca", &self.ca),
            ("--client-cert", &self.client_cert),
            ("--client-key", &self.client_key),
        ];
        let given = given.into_iter().find(|(_, file)| file.is_some());
        if let Some((flag, _)) = given
            && !self.is_https()
        {
            // A key would go over the wire in the clear, where somebody wanted TLS.
            bail!(
                "--admin: found {:?} beside {flag}, allowed with it: a URL as https://127.0.0.1:9180",
                self.admin
            );
        }
        let ca = self.ca.as_deref();
        let ca = ca.map(|file| certificates("--ca", file)).transpose()?;
        let identity = match (&self.client_cert, &self.client_key) {
            (Some(cert), Some(key)) => {
                Some((certificates("--client-cert", cert)?, private_key(key)?))
            }
            _ => None,
        };
        Ok(Trust { ca, identity })
    }
}

impl Trust {
    fn into_tls(self) -> ClientTlsConfig {
        let mut tls = ClientTlsConfig::new();
        tls = match self.ca {
            Some(pem) => tls.ca_certificate(Certificate::from_pem(pem)),
            None => {
                let mut roots = RootCertStore::empty();
                // What the system has and cannot be read is as if it had not: the answer says that nobody vouches.
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
                tls.trust_anchors(roots.roots)
            }
        };
        match self.identity {
            Some((cert, key)) => tls.identity(Identity::from_pem(cert, key)),
            None => tls,
        }
    }
}

fn certificates(flag: &str, file: &Path) -> Result<Vec<u8>> {
    let pem = read(flag, file)?;
    let mut all = CertificateDer::pem_slice_iter(&pem);
    match all.next() {
        Some(Ok(_)) if all.all(|one| one.is_ok()) => Ok(pem),
        _ => bail!(
            "{flag} {}: found what cannot be read as certificates, allowed is PEM (-----BEGIN CERTIFICATE-----)",
            file.display()
        ),
    }
}

fn private_key(file: &Path) -> Result<Vec<u8>> {
    let pem = read("--client-key", file)?;
    if PrivateKeyDer::from_pem_slice(&pem).is_err() {
        bail!(
            "--client-key {}: found no private key, allowed is PEM (-----BEGIN PRIVATE KEY-----)",
            file.display()
        );
    }
    Ok(pem)
}

fn read(flag: &str, file: &Path) -> Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("{flag} {}", file.display()))
}

/// What to do about an error, where it is one of TLS.
pub fn advice(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let mut text = error.to_string();
    let mut cause = error;
    while let Some(inner) = cause.source() {
        text = format!("{text}: {inner}");
        cause = inner;
    }
    // The layers between do not keep the error itself, but its words.
    let known = WORDS.iter().find(|(words, _)| text.contains(words));
    known.map(|(_, what)| *what)
}

#[rustfmt::skip]
const WORDS: &[(&str, &str)] = &[
    ("InvalidContentType", "it speaks plain HTTP: say http:// rather than https://, or give it a certificate (serve --admin-cert)"),
    ("certificate: UnknownIssuer", "no authority that is believed vouches for it: give --ca FILE with the one that its certificate comes from"),
    ("certificate: BadSignature", "no authority that is believed vouches for it: give --ca FILE with the one that its certificate comes from"),
    ("certificate not valid for name", "call it by a name or an address that is in its certificate"),
    ("certificate: certificate expired", "its certificate has ended: give it a new one"),
    ("alert: CertificateRequired", "it demands a certificate of its callers: give --client-cert and --client-key"),
    ("alert: UnknownCA", "it does not take the certificate in --client-cert: that comes from none of the authorities in its --admin-client-ca"),
    ("alert: DecryptError", "it does not take the certificate in --client-cert: that comes from none of the authorities in its --admin-client-ca"),
    ("alert: CertificateExpired", "the certificate in --client-cert has ended: renew it"),
    ("alert: CertificateRevoked", "the certificate in --client-cert was taken back: get another"),
];
