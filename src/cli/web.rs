//! What commands ask the admin port over plain HTTP: what gRPC does not have there, and texts that are kept as they come.

use std::error::Error;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use reqwest::{Certificate, Client, Identity, redirect};
use url::Url;

use super::place::{self, Trust};
use crate::api::access;

const ENDED: &str = "it ended the connection after the handshake, as it does where it demands another certificate than \
                     --client-cert shows, or one at all";

/// The admin port of a running Chancery.
pub struct Web {
    client: Client,
    root: Url,
    key: Option<String>,
    within: Duration,
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// What serves there, as it says itself.
    pub server: Option<String>,
    pub body: String,
}

impl Answer {
    /// What an answer says that is none of what was asked for.
    pub fn refusal(&self) -> String {
        let body = serde_json::from_str::<serde_json::Value>(&self.body);
        let message = body
            .ok()
            .and_then(|body| body["message"].as_str().map(ToOwned::to_owned));
        match message {
            Some(message) => format!("status {}: {message}", self.status),
            None => format!("status {}", self.status),
        }
    }
}

impl Web {
    /// The one at `admin`, which has to answer each call in so much time.
    pub fn new(admin: &str, trust: &Trust, key: Option<String>, within: Duration) -> Result<Self> {
        let root = Url::parse(admin).ok().filter(|url| url.has_host());
        let root = root.filter(|url| matches!(url.scheme(), "http" | "https"));
        let root = root.with_context(|| {
            format!("--admin: found {admin:?}, allowed: a URL as http://127.0.0.1:9180")
        })?;
        let mut client = Client::builder()
            // HTTP/2 keeps to itself what TLS said of a certificate that is missing.
            .http1_only()
            .no_proxy()
            .redirect(redirect::Policy::none());
        if root.scheme() == "http" {
            // Reading the system's authorities would take longer than the call.
            client = client.tls_certs_only([]);
        }
        if let Some(pem) = &trust.ca {
            client = client.tls_certs_only(Certificate::from_pem_bundle(pem)?);
        }
        if let Some((cert, key)) = &trust.identity {
            client = client.identity(Identity::from_pem(&[&cert[..], b"\n", key].concat())?);
        }
        Ok(Self {
            client: client.timeout(within).build()?,
            root,
            key,
            within,
        })
    }

    /// Where it is, without what else the URL may hold.
    pub fn place(&self) -> String {
        self.root.origin().ascii_serialization()
    }

    /// Any answer; an error where there is none.
    pub async fn get(&self, segments: &[&str], query: &[(&str, &str)]) -> Result<Answer> {
        let mut url = self.root.clone();
        url.set_query(None);
        // A URL with a host has segments.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        let mut request = self.client.get(url).query(query);
        if let Some(key) = &self.key {
            request = request.header(access::HEADER, key);
        }
        let answered = async {
            let response = request.send().await?;
            let server = response.headers().get("server");
            let server = server
                .and_then(|name| name.to_str().ok())
                .map(ToOwned::to_owned);
            Ok::<_, reqwest::Error>(Answer {
                status: response.status().as_u16(),
                server,
                body: response.text().await?,
            })
        };
        match answered.await {
            Ok(answer) => Ok(answer),
            Err(error) => bail!(
                "no Chancery answers at {}: {}",
                self.place(),
                self.reason(error)
            ),
        }
    }

    /// What the operating system said; the layers above only repeat the URL.
    fn reason(&self, error: reqwest::Error) -> String {
        if error.is_timeout() {
            return format!("nothing within {}", humantime::format_duration(self.within));
        }
        // What TLS said is lost where it is heard before the request is sent.
        let ended = self.root.scheme() == "https" && !error.is_connect();
        let error = error.without_url();
        let what = place::advice(&error).or(ended.then_some(ENDED));
        let mut cause: &dyn Error = &error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        match what {
            Some(what) => format!("{cause}: {what}"),
            None => cause.to_string(),
        }
    }
}
