//! How others are asked. The only file here that names the HTTP client.

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use reqwest::redirect;
use url::Url;

use crate::telemetry::unanswered;

const CONNECT: Duration = Duration::from_secs(2);
/// From the connection to the last byte of the answer.
const WHOLE: Duration = Duration::from_secs(5);
/// Bytes of an answer: Vault's own bound of an entry.
const BODY: usize = 1024 * 1024;

/// Connections to any of them.
#[derive(Debug)]
pub struct Client {
    verifying: reqwest::Client,
    /// To those whose certificate may be anything.
    trusting: reqwest::Client,
}

/// What was answered.
pub struct Answer {
    pub status: StatusCode,
    pub body: Vec<u8>,
}

/// Why there is no answer; holds no secret.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot be asked: {0}")]
    Unusable(String),
    #[error("does not answer: {0}")]
    Lost(String),
    #[error("answers more than {BODY} bytes")]
    TooLarge,
}

impl Client {
    pub fn new() -> Result<Self, Error> {
        crate::tls::install();
        let build = |is_verified: bool| {
            let client = reqwest::Client::builder()
                .tls_danger_accept_invalid_certs(!is_verified)
                .no_proxy()
                // A redirect would carry a token elsewhere, or have somebody else answer.
                .redirect(redirect::Policy::none())
                .connect_timeout(CONNECT)
                .timeout(WHOLE)
                .pool_idle_timeout(Duration::from_secs(90))
                .tcp_nodelay(true)
                .build();
            client.map_err(|error| Error::Unusable(unanswered(&error)))
        };
        Ok(Self {
            verifying: build(true)?,
            trusting: build(false)?,
        })
    }

    /// What is there, whatever it is; of somebody whose certificate is `verified`, or may be anything.
    pub async fn get(&self, url: Url, headers: HeaderMap, verified: bool) -> Result<Answer, Error> {
        let client = match verified {
            true => &self.verifying,
            false => &self.trusting,
        };
        let request = client.get(url).headers(headers);
        let lost = |error: reqwest::Error| Error::Lost(unanswered(&error));
        let mut response = request.send().await.map_err(lost)?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(lost)? {
            if body.len() + chunk.len() > BODY {
                return Err(Error::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, body })
    }
}
