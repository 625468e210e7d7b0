//! How requests reach Consul's agents: one pool for all of them, the token, and certificates out of files that are read again
//! when they change. With `token`, `body` and `client` the only file that names the HTTP client.
//!
//! What cannot be used is never put in force: a renewal that is half written leaves what was before it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use reqwest::{Certificate, Identity, Method, RequestBuilder, StatusCode, redirect};
use tokio::time::sleep;
use url::Url;

use super::body::{self, Body};
use super::error::Error;
use super::settings::Settings;
use super::token::Token;
use crate::telemetry::innermost;

/// How often files are looked at: that works however they are replaced.
const LOOK: Duration = Duration::from_secs(2);
const CONNECT: Duration = Duration::from_secs(2);
/// TCP asks after a silent peer this often, and gives up after three times.
const KEEPALIVE: Duration = Duration::from_secs(5);

/// Connections to any agent; those that idle are closed.
#[derive(Debug)]
pub struct Transport {
    token: Token,
    files: Files,
    current: RwLock<Current>,
}

/// Where the certificates are.
#[derive(Debug)]
struct Files {
    ca: Option<PathBuf>,
    /// Certificate and key.
    identity: Option<(PathBuf, PathBuf)>,
}

#[derive(PartialEq, Eq)]
struct Contents {
    ca: Option<Vec<u8>>,
    identity: Option<(Vec<u8>, Vec<u8>)>,
}

struct Current {
    contents: Contents,
    http: reqwest::Client,
}

impl Transport {
    /// Reads the files that the settings name and connects to nothing yet.
    pub fn new(settings: &Settings) -> Result<Self, Error> {
        crate::tls::install();
        let files = Files::new(settings)?;
        let contents = files.read()?;
        let http = files.client(&contents)?;
        Ok(Self {
            token: Token::new(settings)?,
            files,
            current: RwLock::new(Current { contents, http }),
        })
    }

    /// Reads the files again. What is of no use leaves what was before.
    pub fn refresh(&self) -> Result<(), Error> {
        let token = self.token.refresh();
        self.refresh_certificates().and(token)
    }

    /// Reads the files again and again, for as long as it is polled.
    pub async fn watch(&self) {
        let mut said = None;
        loop {
            sleep(LOOK).await;
            let wrong = self.refresh().err().map(|error| error.to_string());
            if let Some(error) = &wrong
                && said != wrong
            {
                tracing::warn!(error, "what was read before it stays");
            }
            said = wrong;
        }
    }

    fn refresh_certificates(&self) -> Result<(), Error> {
        let contents = self.files.read()?;
        let is_same = self
            .current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .contents
            == contents;
        if is_same {
            return Ok(());
        }
        let http = self.files.client(&contents)?;
        tracing::info!("certificates for Consul were read anew");
        // Requests that are on their way keep the connections before; new ones make their own.
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        *current = Current { contents, http };
        Ok(())
    }

    /// A request with the token; `deadline` covers all of it, from the connection to the last byte of the answer.
    pub fn request(&self, method: Method, url: Url, deadline: Duration) -> RequestBuilder {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let request = current.http.request(method, url).timeout(deadline);
        match self.token.current() {
            Some(token) => request.header(super::token::HEADER, token),
            None => request,
        }
    }

    /// One request whose answer is small, whatever its status. An error comes with whether Consul may have had the request.
    pub async fn call(
        &self,
        method: Method,
        url: Url,
        deadline: Duration,
    ) -> Result<(StatusCode, Vec<u8>), (Error, bool)> {
        let agent = url.clone();
        let lost = |error: reqwest::Error| {
            let reached = !error.is_connect();
            (lost(error, &agent, deadline), reached)
        };
        let request = self.request(method, url, deadline);
        let mut response = request.send().await.map_err(lost)?;
        let status = response.status();
        let body = Body::small(&mut response).await;
        let body = body.map_err(|error| match error {
            body::Error::Lost(error) => lost(error),
            body::Error::TooLarge(most) => {
                let (about, reason) = (name(&agent), format!("it is larger than {most} bytes"));
                (Error::Answer { about, reason }, true)
            }
            body::Error::Slow(deadline) => {
                let address = name(&agent);
                (Error::Late { address, deadline }, true)
            }
        })?;
        Ok((status, body))
    }
}

impl Files {
    fn new(settings: &Settings) -> Result<Self, Error> {
        let identity = match (&settings.cert, &settings.key) {
            (None, None) => None,
            (Some(cert), Some(key)) => Some((cert.clone(), key.clone())),
            _ => {
                return Err(Error::Setting {
                    setting: "client certificate",
                    reason: "certificate and key come together, and one of them is missing"
                        .to_owned(),
                });
            }
        };
        Ok(Self {
            ca: settings.ca.clone(),
            identity,
        })
    }

    fn read(&self) -> Result<Contents, Error> {
        let ca = self
            .ca
            .as_deref()
            .map(|path| read("CA file", path))
            .transpose()?;
        let identity = match &self.identity {
            Some((cert, key)) => {
                Some((read("client certificate", cert)?, read("client key", key)?))
            }
            None => None,
        };
        Ok(Contents { ca, identity })
    }

    /// A pool that trusts and shows what the files hold.
    fn client(&self, contents: &Contents) -> Result<reqwest::Client, Error> {
        let mut builder = reqwest::Client::builder()
            .no_proxy()
            // A redirect would carry the token elsewhere.
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT)
            .pool_idle_timeout(KEEPALIVE)
            .tcp_nodelay(true)
            .tcp_keepalive(KEEPALIVE)
            .tcp_keepalive_interval(KEEPALIVE)
            .tcp_keepalive_retries(3)
            // One HTTP/2 connection carries all queries, so that a dead one must not stay in the pool.
            .http2_keep_alive_interval(KEEPALIVE)
            .http2_keep_alive_timeout(KEEPALIVE);
        if let (Some(path), Some(pem)) = (&self.ca, &contents.ca) {
            let unusable = |error: reqwest::Error| unusable("CA file", path, said(error));
            let roots = Certificate::from_pem_bundle(pem).map_err(unusable)?;
            if roots.is_empty() {
                let reason = "it holds no certificate in PEM".to_owned();
                return Err(self::unusable("CA file", path, reason));
            }
            builder = builder.tls_certs_only(roots);
        }
        if let (Some((path, _)), Some((cert, key))) = (&self.identity, &contents.identity) {
            let pem = [cert.as_slice(), b"\n", key.as_slice()].concat();
            let identity = Identity::from_pem(&pem)
                .map_err(|error| unusable("client certificate", path, said(error)))?;
            builder = builder.identity(identity);
        }
        builder.build().map_err(|error| Error::Setting {
            setting: "TLS settings",
            reason: said(error),
        })
    }
}

impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Current").finish_non_exhaustive()
    }
}

/// What the operating system or TLS said. The layers above only repeat the URL.
fn said(error: reqwest::Error) -> String {
    innermost(&error.without_url()).to_string()
}

/// Why a request has no answer.
pub fn lost(error: reqwest::Error, agent: &Url, deadline: Duration) -> Error {
    let address = name(agent);
    if error.is_timeout() && !error.is_connect() {
        return Error::Late { address, deadline };
    }
    Error::Unreachable {
        address,
        reason: said(error),
    }
}

/// The URL that an address is, below which everything is asked.
pub fn address(address: &str) -> Result<Url, Error> {
    let url = Url::parse(address).map_err(|error| not_an_address(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(not_an_address("it is neither http nor https"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(not_an_address(
            "it holds a user or a password; Consul takes a token",
        ));
    }
    Ok(url)
}

/// What an address should look like.
pub fn not_an_address(reason: &str) -> Error {
    Error::Setting {
        setting: "address",
        reason: format!("{reason}; write it like http://127.0.0.1:8500"),
    }
}

/// Scheme, host and port, for messages.
pub fn name(agent: &Url) -> String {
    agent.origin().ascii_serialization()
}

fn read(setting: &'static str, path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|error| unusable(setting, path, error.to_string()))
}

fn unusable(setting: &'static str, path: &Path, reason: String) -> Error {
    Error::File {
        setting,
        path: path.to_owned(),
        reason,
    }
}
