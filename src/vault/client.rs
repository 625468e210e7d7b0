//! How a manager is asked. The only file here that names the HTTP client.

use std::fmt;
use std::time::Duration;

use http::StatusCode;
use reqwest::header::HeaderValue;
use reqwest::redirect;
use url::Url;

use crate::model::{Manager, steps};

const CONNECT: Duration = Duration::from_secs(2);
/// From the connection to the last byte of the answer.
const WHOLE: Duration = Duration::from_secs(5);
/// Bytes of an answer: Vault's own bound of an entry.
const BODY: usize = 1024 * 1024;

/// Connections to any manager.
#[derive(Debug)]
pub struct Client(reqwest::Client);

/// What a manager answered.
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
        let client = reqwest::Client::builder()
            .no_proxy()
            // A redirect would carry the token elsewhere.
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT)
            .timeout(WHOLE)
            .pool_idle_timeout(Duration::from_secs(90))
            .tcp_nodelay(true)
            .build();
        client
            .map(Self)
            .map_err(|error| Error::Unusable(innermost(&error)))
    }

    /// What a manager has under a key, whatever it answers.
    pub async fn read(&self, manager: &Manager, key: &str) -> Result<Answer, Error> {
        let unusable = |why: &dyn fmt::Display| Error::Unusable(why.to_string());
        let mut url = Url::parse(&manager.base).map_err(|error| unusable(&error))?;
        let steps = steps(key).map_err(|error| unusable(&error))?;
        if let Ok(mut path) = url.path_segments_mut() {
            path.extend(steps);
        }
        let mut token =
            HeaderValue::from_str(manager.token.reveal()).map_err(|error| unusable(&error))?;
        token.set_sensitive(true);
        let mut request = self.0.get(url).header("X-Vault-Token", token);
        if let Some(namespace) = &manager.namespace {
            request = request.header("X-Vault-Namespace", &**namespace);
        }
        let lost = |error: reqwest::Error| Error::Lost(innermost(&error));
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

/// The cause alone: what stands around it quotes the address.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    match cause.downcast_ref::<reqwest::Error>() {
        Some(_) if error.is_timeout() => "no answer in time".to_owned(),
        Some(_) => "no answer".to_owned(),
        None => cause.to_string(),
    }
}
