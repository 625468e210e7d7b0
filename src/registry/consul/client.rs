//! One query to Consul over HTTP: `/v1/health/service/NAME`, whatever the status of an instance is. The only file that names the HTTP client.
//!
//! It keeps nothing between queries and never retries. What comes back is complete and carries an index, or is an error.

#[cfg(test)]
mod tests;

use std::num::NonZeroU64;
use std::path::Path;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Certificate, ClientBuilder, Identity, Method, StatusCode, redirect};
use url::Url;

use super::{Error, Settings};
use crate::registry::{Scope, ServiceKey};

/// Consul's own names of its headers.
const TOKEN: HeaderName = HeaderName::from_static("x-consul-token");
const INDEX: HeaderName = HeaderName::from_static("x-consul-index");
const KNOWN_LEADER: HeaderName = HeaderName::from_static("x-consul-knownleader");
const FILTERED: HeaderName = HeaderName::from_static("x-consul-results-filtered-by-acls");

const CONNECT: Duration = Duration::from_secs(2);
/// What an answer may take beyond the time that Consul blocks.
const GRACE: Duration = Duration::from_secs(5);
/// TCP asks after a silent peer this often, and gives up after three times.
const KEEPALIVE: Duration = Duration::from_secs(5);
/// An answer beyond this is none: 20,000 instances take some 20 MiB.
const BODY_MAX: usize = 256 << 20;
/// The longest `Retry-After` that is honoured; recovery must not hang on a wrong number.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(30);

/// A connection pool to one Consul.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    /// Scheme, host and port, for messages.
    address: String,
}

/// A complete answer, its body unread.
#[derive(Debug)]
pub struct Response {
    /// Consul's index as it came: it may be 0 or lower than the one before.
    pub index: u64,
    /// The JSON.
    pub body: Vec<u8>,
    /// The token may not see all of what there is.
    pub filtered: bool,
}

impl Client {
    /// Reads the files that the settings name and connects to nothing yet.
    pub fn new(settings: &Settings) -> Result<Self, Error> {
        crate::tls::install();
        let base = address(&settings.address)?;
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
        if let Some(token) = &settings.token {
            builder = builder.default_headers(HeaderMap::from_iter([(TOKEN, secret(token)?)]));
        }
        builder = tls(builder, settings)?;
        let http = builder.build().map_err(|error| Error::Setting {
            setting: "TLS settings",
            reason: innermost(error),
        })?;
        Ok(Self {
            http,
            address: base.origin().ascii_serialization(),
            base,
        })
    }

    /// Asks what is so now. The leader confirms that it still leads and has applied all it knew: one that has only just
    /// been elected or restarted would otherwise answer from half a state.
    pub async fn ask(&self, service: &ServiceKey) -> Result<Response, Error> {
        let mut url = self.url(service)?;
        url.query_pairs_mut().append_key_only("consistent");
        self.send(service, url, GRACE).await
    }

    /// Asks what is so after `index`; Consul answers when it changes, or after `wait` and up to a sixteenth of it.
    pub async fn ask_after(
        &self,
        service: &ServiceKey,
        index: NonZeroU64,
        wait: Duration,
    ) -> Result<Response, Error> {
        let mut url = self.url(service)?;
        url.query_pairs_mut()
            .append_pair("index", &index.to_string())
            .append_pair("wait", &format!("{}ms", wait.as_millis()));
        self.send(service, url, wait + wait / 16 + GRACE).await
    }

    fn url(&self, service: &ServiceKey) -> Result<Url, Error> {
        let mut url = self.base.clone();
        let Ok(mut path) = url.path_segments_mut() else {
            return Err(not_an_address("it has no path"));
        };
        path.pop_if_empty();
        path.extend(["v1", "health", "service", &service.name]);
        drop(path);
        let Scope {
            datacenter,
            namespace,
            partition,
        } = &service.scope;
        for (name, value) in [
            ("dc", datacenter),
            ("ns", namespace),
            ("partition", partition),
            ("near", &service.near),
        ] {
            if let Some(value) = value {
                url.query_pairs_mut().append_pair(name, value);
            }
        }
        Ok(url)
    }

    /// One request; `deadline` covers all of it, from the connection to the last byte of the body.
    async fn send(
        &self,
        service: &ServiceKey,
        url: Url,
        deadline: Duration,
    ) -> Result<Response, Error> {
        let lost = |error: reqwest::Error| self.lost(error, deadline);
        let request = self.http.get(url).timeout(deadline);
        let mut response = request.send().await.map_err(lost)?;
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(lost)? {
            body.extend_from_slice(&chunk);
            if body.len() > BODY_MAX {
                return Err(unusable(
                    service,
                    format!("it is larger than {BODY_MAX} bytes"),
                ));
            }
        }
        if status != StatusCode::OK {
            return Err(refusal(service, status, &headers, &body));
        }
        // Consul sends this only with answers that it cannot vouch for.
        if headers
            .get(KNOWN_LEADER)
            .is_some_and(|known| known == "false")
        {
            return Err(unusable(service, "Consul has no leader".to_owned()));
        }
        Ok(Response {
            index: number(&headers, &INDEX)
                .ok_or_else(|| unusable(service, format!("it has no {INDEX} header")))?,
            body,
            filtered: headers
                .get(FILTERED)
                .is_some_and(|filtered| filtered == "true"),
        })
    }

    /// The URL of a path.
    pub(super) fn path(&self, segments: &[&str]) -> Option<Url> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .ok()?
            .pop_if_empty()
            .extend(segments);
        Some(url)
    }

    /// One request whose answer is small, whatever its status. An error comes with whether Consul may have had the request.
    pub(super) async fn call(
        &self,
        method: Method,
        url: Url,
        deadline: Duration,
    ) -> Result<(StatusCode, Vec<u8>), (Error, bool)> {
        let lost = |error: reqwest::Error| {
            let reached = !error.is_connect();
            (self.lost(error, deadline), reached)
        };
        let request = self.http.request(method, url).timeout(deadline);
        let response = request.send().await.map_err(lost)?;
        let status = response.status();
        let body = response.bytes().await.map_err(lost)?;
        Ok((status, body.to_vec()))
    }

    fn lost(&self, error: reqwest::Error, deadline: Duration) -> Error {
        let address = self.address.clone();
        if error.is_timeout() && !error.is_connect() {
            return Error::Late { address, deadline };
        }
        Error::Unreachable {
            address,
            reason: innermost(error),
        }
    }
}

fn address(address: &str) -> Result<Url, Error> {
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

fn not_an_address(reason: &str) -> Error {
    Error::Setting {
        setting: "address",
        reason: format!("{reason}; write it like http://127.0.0.1:8500"),
    }
}

fn secret(token: &str) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(token).map_err(|_| Error::Setting {
        setting: "token",
        reason: "it has characters that no HTTP header can carry, a line break perhaps".to_owned(),
    })?;
    value.set_sensitive(true);
    Ok(value)
}

fn tls(mut builder: ClientBuilder, settings: &Settings) -> Result<ClientBuilder, Error> {
    if let Some(path) = &settings.ca {
        let unusable = |error: reqwest::Error| unusable_file("CA file", path, innermost(error));
        let roots = Certificate::from_pem_bundle(&read("CA file", path)?).map_err(unusable)?;
        if roots.is_empty() {
            let reason = "it holds no certificate in PEM".to_owned();
            return Err(unusable_file("CA file", path, reason));
        }
        builder = builder.tls_certs_only(roots);
    }
    match (&settings.cert, &settings.key) {
        (None, None) => Ok(builder),
        (Some(cert), Some(key)) => {
            let mut pem = read("client certificate", cert)?;
            pem.push(b'\n');
            pem.extend(read("client key", key)?);
            let identity = Identity::from_pem(&pem)
                .map_err(|error| unusable_file("client certificate", cert, innermost(error)))?;
            Ok(builder.identity(identity))
        }
        _ => Err(Error::Setting {
            setting: "client certificate",
            reason: "certificate and key come together, and one of them is missing".to_owned(),
        }),
    }
}

fn read(setting: &'static str, path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|error| unusable_file(setting, path, error.to_string()))
}

fn unusable_file(setting: &'static str, path: &Path, reason: String) -> Error {
    Error::File {
        setting,
        path: path.to_owned(),
        reason,
    }
}

fn unusable(service: &ServiceKey, reason: String) -> Error {
    Error::Answer {
        service: service.name.to_string(),
        reason,
    }
}

fn refusal(service: &ServiceKey, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Error {
    let service = service.name.to_string();
    let reason = first_line(body);
    match status {
        StatusCode::FORBIDDEN => Error::Denied { service, reason },
        StatusCode::TOO_MANY_REQUESTS => Error::Busy {
            service,
            reason,
            retry_after: number(headers, &RETRY_AFTER)
                .map(|seconds| Duration::from_secs(seconds).min(RETRY_AFTER_MAX)),
        },
        _ => Error::Status {
            service,
            status: status.as_u16(),
            reason,
        },
    }
}

fn number(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}

/// What Consul says of an error is one line of text; anything else (a proxy's page) is cut to that.
pub(super) fn first_line(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let line = text.lines().next().unwrap_or_default();
    line.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// The cause at the bottom: what the operating system or TLS said. The layers above only repeat the URL.
fn innermost(error: reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = &error.without_url();
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
