//! One query to Consul over HTTP. How a request gets there is `transport`'s.
//!
//! It never retries; after an error that is the agent's own, the next query goes to the next agent. What comes back is
//! complete and carries an index, or is an error.

#[cfg(test)]
mod tests;

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, RETRY_AFTER};
use reqwest::{Method, StatusCode};
use url::Url;

use super::body::{self, Body, Turns};
use super::error::Error;
use super::query::Query;
use super::settings::Settings;
use super::transport::{Transport, address, lost, name, not_an_address};

/// Consul's own names of its headers.
const INDEX: HeaderName = HeaderName::from_static("x-consul-index");
const KNOWN_LEADER: HeaderName = HeaderName::from_static("x-consul-knownleader");
const FILTERED: HeaderName = HeaderName::from_static("x-consul-results-filtered-by-acls");

/// What an answer may take beyond the time that Consul blocks.
const GRACE: Duration = Duration::from_secs(5);
/// The longest `Retry-After` that is honoured; recovery must not hang on a wrong number.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(30);

/// The agents of one Consul, asked in turn.
#[derive(Debug)]
pub struct Client {
    transport: Transport,
    /// At least one.
    agents: Vec<Url>,
    turns: Turns,
    /// The agent that is asked now.
    current: AtomicUsize,
}

/// A complete answer, its body unread.
#[derive(Debug)]
pub struct Response {
    /// Consul's index as it came: it may be 0 or lower than the one before.
    pub index: u64,
    /// The JSON; to be dropped once it is read, as others wait for its turn.
    pub body: Body,
    /// The token may not see all of what there is.
    pub filtered: bool,
}

impl Client {
    /// Reads the files that the settings name and connects to nothing yet.
    pub fn new(settings: &Settings) -> Result<Self, Error> {
        let agents = settings
            .addresses
            .iter()
            .map(|one| address(one))
            .collect::<Result<Vec<_>, _>>()?;
        if agents.is_empty() {
            return Err(not_an_address("there is none"));
        }
        Ok(Self {
            transport: Transport::new(settings)?,
            agents,
            turns: Turns::default(),
            current: AtomicUsize::new(0),
        })
    }

    /// Follows the files that the settings name, for as long as it is polled.
    pub async fn watch_files(&self) {
        self.transport.watch().await;
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
        let request = self.transport.request(Method::GET, url, deadline);
        let mut response = request.send().await.map_err(lost)?;
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        let body = self.turns.read(&mut response).await;
        let body = body.map_err(|error| match error {
            body::Error::Lost(error) => lost(error),
            body::Error::TooLarge(most) => {
                unusable(query, format!("it is larger than {most} bytes"))
            }
            body::Error::Slow(deadline) => Error::Late {
                address: name(agent),
                deadline,
            },
        })?;
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
