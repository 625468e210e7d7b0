//! Connections over TLS, as a client of a gateway makes them: which name it asks for, whom it trusts, what it shows.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::certificates::{Authority, Identity};
use super::http::ANSWER;

/// What a client of TLS is.
pub struct Secure {
    config: ClientConfig,
}

/// One connection.
pub struct Connection {
    stream: TlsStream<TcpStream>,
}

impl Secure {
    /// One that trusts an authority and shows this, if anything.
    pub fn trusting(authority: &Authority, identity: Option<&Identity>) -> Self {
        let mut roots = RootCertStore::empty();
        let pem = authority.pem().as_bytes();
        roots
            .add(CertificateDer::from_pem_slice(pem).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let certificate = CertificateDer::from_pem_slice(identity.cert.as_bytes());
                let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes());
                let chain = vec![certificate.unwrap()];
                builder.with_client_auth_cert(chain, key.unwrap()).unwrap()
            }
        };
        Self { config }
    }

    /// The same client, which speaks these protocols.
    pub fn speaking(mut self, protocols: &[&str]) -> Self {
        let protocols = protocols.iter().map(|name| name.as_bytes().to_vec());
        self.config.alpn_protocols = protocols.collect();
        self
    }

    /// Connects and asks for a name, or for none where it is an address.
    pub async fn connect(&self, to: SocketAddr, name: &str) -> anyhow::Result<Connection> {
        let connect = async {
            let connection = TcpStream::connect(to).await?;
            let name = ServerName::try_from(name.to_owned())?;
            let connector = TlsConnector::from(Arc::new(self.config.clone()));
            anyhow::Ok(connector.connect(name, connection).await?)
        };
        let stream = tokio::time::timeout(ANSWER, connect).await??;
        Ok(Connection { stream })
    }
}

impl Connection {
    /// The certificate that the other side showed.
    pub fn certificate(&self) -> Vec<u8> {
        let (_, session) = self.stream.get_ref();
        session.peer_certificates().unwrap()[0].to_vec()
    }

    /// The protocol that both sides chose.
    pub fn protocol(&self) -> Option<String> {
        let (_, session) = self.stream.get_ref();
        let protocol = session.alpn_protocol()?;
        Some(String::from_utf8_lossy(protocol).into_owned())
    }

    /// The bytes alone, for another protocol.
    pub fn into_stream(self) -> TlsStream<TcpStream> {
        self.stream
    }

    /// Sends a GET over HTTP/1.1 and reads the answer, on a connection that stays.
    pub async fn get(&mut self, host: &str, path: &str) -> anyhow::Result<(u16, String)> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let talk = async {
            self.stream.write_all(request.as_bytes()).await?;
            let mut answer = Vec::new();
            let mut piece = [0; 4096];
            loop {
                let read = self.stream.read(&mut piece).await?;
                ensure!(read > 0, "the other side closed the connection");
                answer.extend_from_slice(&piece[..read]);
                let text = String::from_utf8_lossy(&answer);
                let Some((head, body)) = text.split_once("\r\n\r\n") else {
                    continue;
                };
                let head = head.to_ascii_lowercase();
                let length = head
                    .lines()
                    .find_map(|line| line.strip_prefix("content-length: "));
                if length.is_none_or(|length| length.parse() == Ok(body.len())) {
                    return Ok(text.into_owned());
                }
            }
        };
        let answer = tokio::time::timeout(ANSWER, talk).await??;
        let status = answer.split(' ').nth(1).context("no status")?.parse()?;
        Ok((status, answer))
    }
}

/// The certificate alone, as it goes over the wire.
pub fn der(identity: &Identity) -> Vec<u8> {
    let der = CertificateDer::from_pem_slice(identity.cert.as_bytes());
    der.unwrap().to_vec()
}
