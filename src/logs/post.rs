//! How a batch is posted. The only file here that names the HTTP client.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, redirect};

use super::kafka;
use crate::telemetry::unanswered;

/// Bytes of an answer that are read: what it says, and so that its connection can be used again.
const ANSWER: usize = 1 << 20;

/// Connections to all targets, and what they are shown.
#[derive(Debug)]
pub struct Poster {
    /// Looks whether certificates are good.
    checking: Client,
    trusting: Client,
    /// By the URL that is posted to.
    authorizations: HashMap<String, HeaderValue>,
}

/// How a batch is posted.
#[derive(Debug)]
pub struct Post<'a> {
    pub uri: &'a str,
    /// What is asked of the server beside it.
    pub query: &'static str,
    pub timeout: Duration,
    /// Whether the server's certificate has to be good.
    pub verify: bool,
    pub content_type: &'static str,
    pub headers: Vec<(&'static str, &'a str)>,
    /// What servers are shown that are shown no `Authorization`.
    pub instead: Vec<(&'static str, &'a str)>,
    /// A server that answers with this status, or a higher one, has not taken it.
    pub refused_from: u16,
}

/// What targets cannot be shown, or why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    #[error(
        "line {0}: allowed: the URL that is posted to, a space, and what the server is shown as `Authorization`"
    )]
    Line(usize),
    #[error("no client for HTTP: {0}")]
    Client(#[from] reqwest::Error),
    #[error("no TLS: {0}")]
    Tls(#[from] rustls::Error),
}

/// Why a batch is not there.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{}", unanswered(.0))]
    Lost(reqwest::Error),
    #[error("the server answers {0}")]
    Refused(u16),
}

impl Poster {
    /// `authorizations` has a line for each URL.
    pub fn new(authorizations: &str) -> Result<Self, Unusable> {
        crate::tls::install();
        Ok(Self {
            checking: client().build()?,
            trusting: client().tls_danger_accept_invalid_certs(true).build()?,
            authorizations: read(authorizations)?,
        })
    }

    /// What a server says once it has taken it.
    pub async fn post(&self, post: &Post<'_>, body: Bytes) -> Result<Vec<u8>, Error> {
        let client = if post.verify {
            &self.checking
        } else {
            &self.trusting
        };
        let mut request = client
            .post(format!("{}{}", post.uri, post.query))
            .timeout(post.timeout)
            .header(CONTENT_TYPE, post.content_type)
            .body(body);
        let mut headers = post.headers.clone();
        match self.authorizations.get(post.uri) {
            Some(value) => request = request.header(AUTHORIZATION, value),
            None => headers.extend(&post.instead),
        }
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let mut response = request.send().await.map_err(Error::Lost)?;
        let status = response.status().as_u16();
        if status >= post.refused_from {
            return Err(Error::Refused(status));
        }
        let mut said = Vec::new();
        while said.len() < ANSWER {
            match response.chunk().await {
                Ok(Some(chunk)) => said.extend_from_slice(&chunk),
                // It was taken; what the rest of the answer is does not matter.
                Ok(None) | Err(_) => break,
            }
        }
        Ok(said)
    }
}

fn client() -> reqwest::ClientBuilder {
    Client::builder()
        .no_proxy()
        // What is told to one server is not for another.
        .redirect(redirect::Policy::none())
        .pool_idle_timeout(Duration::from_secs(60))
        .tcp_nodelay(true)
}

fn read(lines: &str) -> Result<HashMap<String, HeaderValue>, Unusable> {
    let lines = lines.lines().map(str::trim).enumerate();
    let lines = lines.filter(|(_, line)| {
        !line.is_empty() && !line.starts_with('#') && !line.starts_with(kafka::SCHEME)
    });
    let read = lines.map(|(at, line)| {
        let wrong = || Unusable::Line(at + 1);
        let (uri, value) = line.split_once(' ').ok_or_else(wrong)?;
        let mut value = HeaderValue::from_str(value.trim()).map_err(|_| wrong())?;
        value.set_sensitive(true);
        Ok((uri.to_owned(), value))
    });
    read.collect()
}

#[cfg(test)]
mod tests;
