//! What commands ask the admin port over plain HTTP: what gRPC does not have there, and texts that are kept as they come.

use std::error::Error;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use reqwest::{Client, redirect};
use url::Url;

use crate::api::access;

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

impl Web {
    /// The one at `admin`, which has to answer each call in so much time.
    pub fn new(admin: &str, key: Option<String>, within: Duration) -> Result<Self> {
        let root = Url::parse(admin).ok().filter(|url| url.has_host());
        let root = root.filter(|url| matches!(url.scheme(), "http" | "https"));
        let root = root.with_context(|| {
            format!("--admin: found {admin:?}, allowed: a URL as http://127.0.0.1:9180")
        })?;
        let mut client = Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none());
        if root.scheme() == "http" {
            // Reading the system's authorities would take longer than the call.
            client = client.tls_certs_only([]);
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
        let error = error.without_url();
        let mut cause: &dyn Error = &error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        cause.to_string()
    }
}
