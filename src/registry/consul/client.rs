//! One query to Consul over HTTP. With `token` the only file that names the HTTP client.
//!
//! It never retries; after an error that is the agent's own, the next query goes to the next agent. What comes back is
//! complete and carries an index, or is an error.

#[cfg(test)]
mod tests;

use std::num::NonZeroU64;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, RETRY_AFTER};
use reqwest::{Certificate, ClientBuilder, Identity, Method, StatusCode, redirect};
use url::Url;

use super::query::Query;
use super::token::Token;
use super::{Error, Settings};

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

/// A connection pool to the agents of one Consul.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    token: Token,
    /// At least one.
    agents: Vec<Url>,
    /// The agent that is asked now.
    current: AtomicUsize,
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
        let agents = settings.addresses.iter().map(|one| address(one));
        let agents = agents.collect::<Result<Vec<_>, _>>()?;
        if agents.is_empty() {
            return Err(not_an_address("there is none"));
        }
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
        builder = tls(builder, settings)?;
        let http = builder.build().map_err(|error| Error::Setting {
            setting: "TLS settings",
            reason: innermost(error),
        })?;
        Ok(Self {
            http,
            token: Token::new(settings)?,
            agents,
            current: AtomicUsize::new(0),
        })
    }

    /// Reads the file that the token is in, if it is in one; what was read before stays when it is of no use.
    pub fn refresh_token(&self) {
        if let Err(error) = self.token.refresh() {
            tracing::warn!(%error, "the token before it stays");
        }
    }

    /// Follows the file that the token is in, for as long as it is polled.
    pub async fn watch_token(&self) {
        self.token.watch().await;
    }

    /// Asks what is so now. The leader confirms that it still leads and has applied all it knew: one that has only just
    /// been elected or restarted would otherwise answer from half a state.
    pub async fn ask(&self, query: Query<'_>) -> Result<Response, Error> {
        self.send(query, GRACE, |url| {
            url.query_pairs_mut().append_key_only("consistent");
        })
        .await
    }

    /// Asks what is so after `index`; Consul answers when it changes, or after `wait` and up to a sixteenth of it.
    pub async fn ask_after(
        &self,
        query: Query<'_>,
        index: NonZeroU64,
        wait: Duration,
    ) -> Result<Response, Error> {
        self.send(query, wait + wait / 16 + GRACE, |url| {
            url.query_pairs_mut()
                .append_pair("index", &index.to_string())
                .append_pair("wait", &format!("{}ms", wait.as_millis()));
        })
        .await
    }

    /// Asks the agent whose turn it is; the next one has its turn when this one is at fault.
    async fn send(
        &self,
        query: Query<'_>,
        deadline: Duration,
        parameters: impl FnOnce(&mut Url),
    ) -> Result<Response, Error> {
        let current = self.current.load(Ordering::Relaxed);
        let agent = &self.agents[current % self.agents.len()];
        let mut url = query.url(agent);
        parameters(&mut url);
        let answer = self.request(query, agent, url, deadline).await;
        if self.agents.len() > 1 && answer.as_ref().is_err_and(Error::is_agents) {
            // Only one of those who find it at fault at the same time moves on.
            let next = (current + 1) % self.agents.len();
            let order = Ordering::Relaxed;
            if self
                .current
                .compare_exchange(current, next, order, order)
                .is_ok()
            {
                let (from, to) = (name(agent), name(&self.agents[next]));
                tracing::debug!(from, to, "asking another Consul agent");
            }
        }
        answer
    }

    /// One request; `deadline` covers all of it, from the connection to the last byte of the body.
    async fn request(
        &self,
        query: Query<'_>,
        agent: &Url,
        url: Url,
        deadline: Duration,
    ) -> Result<Response, Error> {
        let lost = |error: reqwest::Error| lost(error, agent, deadline);
        let mut request = self.http.get(url).timeout(deadline);
        if let Some(token) = self.token.current() {
            request = request.header(TOKEN, token);
        }
        let mut response = request.send().await.map_err(lost)?;
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(lost)? {
            body.extend_from_slice(&chunk);
            if body.len() > BODY_MAX {
                return Err(unusable(
                    query,
                    format!("it is larger than {BODY_MAX} bytes"),
                ));
            }
        }
        if status != StatusCode::OK {
            return Err(refusal(query, status, &headers, &body));
        }
        // Consul sends this only with answers that it cannot vouch for.
        if headers
            .get(KNOWN_LEADER)
            .is_some_and(|known| known == "false")
        {
            return Err(Error::Leaderless {
                address: name(agent),
            });
        }
        Ok(Response {
            index: number(&headers, &INDEX)
                .ok_or_else(|| unusable(query, format!("it has no {INDEX} header")))?,
            body,
            filtered: headers
                .get(FILTERED)
                .is_some_and(|filtered| filtered == "true"),
        })
    }

    /// The URL of a path of the first agent.
    pub(super) fn path(&self, segments: &[&str]) -> Option<Url> {
        let mut url = self.agents.first()?.clone();
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
        let agent = url.clone();
        let lost = |error: reqwest::Error| {
            let reached = !error.is_connect();
            (lost(error, &agent, deadline), reached)
        };
        let mut request = self.http.request(method, url).timeout(deadline);
        if let Some(token) = self.token.current() {
            request = request.header(TOKEN, token);
        }
        let response = request.send().await.map_err(lost)?;
        let status = response.status();
        let body = response.bytes().await.map_err(lost)?;
        Ok((status, body.to_vec()))
    }
}

fn lost(error: reqwest::Error, agent: &Url, deadline: Duration) -> Error {
    let address = name(agent);
    if error.is_timeout() && !error.is_connect() {
        return Error::Late { address, deadline };
    }
    Error::Unreachable {
        address,
        reason: innermost(error),
    }
}

/// Scheme, host and port, for messages.
fn name(agent: &Url) -> String {
    agent.origin().ascii_serialization()
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

fn unusable(query: Query<'_>, reason: String) -> Error {
    Error::Answer {
        about: query.to_string(),
        reason,
    }
}

fn refusal(query: Query<'_>, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Error {
    let about = query.to_string();
    let reason = first_line(body);
    match status {
        StatusCode::FORBIDDEN => Error::Denied { about, reason },
        StatusCode::TOO_MANY_REQUESTS => Error::Busy {
            about,
            reason,
            retry_after: number(headers, &RETRY_AFTER)
                .map(|seconds| Duration::from_secs(seconds).min(RETRY_AFTER_MAX)),
        },
        _ => Error::Status {
            about,
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
