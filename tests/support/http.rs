//! Requests and answers, as a client of a gateway sees them.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Once;
use std::time::Duration;

use anyhow::{Context, ensure};
use reqwest::{Client, Method};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

use super::certificates::{Authority, Identity};

/// How long an answer may take, or a step on the way to it. Less than a scene's patience, so that who asks until it is
/// answered asks more than once.
pub const ANSWER: Duration = Duration::from_secs(60);

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: String,
}

impl Answer {
    /// What the instance saw of the request; see [`super::instance`].
    pub fn seen(&self) -> anyhow::Result<Value> {
        ensure!(self.status == 200, "status {}: {}", self.status, self.body);
        serde_json::from_str(&self.body).context("the answer is not an instance's")
    }

    /// The name of the instance that answered with 200.
    pub fn instance(&self) -> anyhow::Result<String> {
        let seen = self.seen()?;
        Ok(seen["instance"].as_str().context("no name")?.to_owned())
    }
}

/// A client with connections of its own, kept alive.
pub fn client() -> Client {
    builder().build().unwrap()
}

/// A client that trusts an authority alone, and shows this, if anything.
pub fn secure_client(authority: &Authority, identity: Option<&Identity>) -> Client {
    let trusted = reqwest::Certificate::from_pem(authority.pem().as_bytes()).unwrap();
    let mut client = builder().tls_certs_only([trusted]);
    if let Some(identity) = identity {
        let pem = format!("{}{}", identity.cert, identity.key);
        client = client.identity(reqwest::Identity::from_pem(pem.as_bytes()).unwrap());
    }
    client.build().unwrap()
}

fn builder() -> reqwest::ClientBuilder {
    static TLS: Once = Once::new();
    TLS.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(ANSWER)
}

/// Sends bytes as they are, from an address of one's choice, and reads until the other side closes.
pub async fn raw(from: Ipv4Addr, to: SocketAddr, text: &str) -> anyhow::Result<String> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    let talk = async {
        let mut connection = socket.connect(to).await?;
        connection.write_all(text.as_bytes()).await?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await?;
        Ok(answer)
    };
    tokio::time::timeout(ANSWER, talk).await?
}

/// Sends a request and reads the whole answer.
pub async fn send(
    client: &Client,
    method: Method,
    url: &str,
    headers: &[(&str, &str)],
) -> anyhow::Result<Answer> {
    let mut request = client.request(method, url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await?;
    Ok(Answer {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        body: response.text().await?,
    })
}
