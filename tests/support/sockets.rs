//! Servers that take what comes on their sockets, as collectors of logs without HTTP do.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::certificates::Identity;
use super::eventually;

/// What came, in order: of each connection all of it, once it was closed.
pub type Came = Arc<Mutex<Vec<String>>>;

/// A listener. It is away when dropped.
pub struct Listener {
    pub address: SocketAddr,
    came: Came,
    /// The names that clients of TLS asked for.
    names: Came,
    task: JoinHandle<()>,
}

impl Listener {
    pub async fn start(address: Ipv4Addr) -> Self {
        Self::at((address, 0).into(), None).await
    }

    /// One that speaks TLS.
    pub async fn secure(address: Ipv4Addr, identity: &Identity) -> Self {
        let cert = CertificateDer::from_pem_slice(identity.cert.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert], key)
            .unwrap();
        Self::at((address, 0).into(), Some(Arc::new(config).into())).await
    }

    pub async fn at(address: SocketAddr, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (came, names) = (Came::default(), Came::default());
        let kept = (came.clone(), names.clone());
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (came, names) = kept.clone();
                let Some(tls) = tls.clone() else {
                    tokio::spawn(read(stream, came));
                    continue;
                };
                tokio::spawn(async move {
                    let stream = tls.accept(stream).await.unwrap();
                    let name = stream.get_ref().1.server_name().unwrap_or("-");
                    names.lock().unwrap().push(name.to_owned());
                    read(stream, came).await;
                });
            }
        });
        Self {
            address,
            came,
            names,
            task,
        }
    }

    pub fn names(&self) -> Vec<String> {
        self.names.lock().unwrap().clone()
    }

    /// Waits for so many connections, and no more.
    pub async fn has(&self, count: usize) -> Vec<String> {
        has(&self.came, count).await
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn read(mut stream: impl AsyncRead + Unpin, came: Came) {
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    came.lock().unwrap().push(text);
}

/// Takes datagrams. It is away when dropped.
pub struct Datagrams {
    pub address: SocketAddr,
    came: Came,
    task: JoinHandle<()>,
}

impl Datagrams {
    pub async fn at(address: SocketAddr) -> Self {
        let socket = UdpSocket::bind(address).await.unwrap();
        let address = socket.local_addr().unwrap();
        let came = Came::default();
        let kept = came.clone();
        let task = tokio::spawn(async move {
            let mut bytes = vec![0; 1 << 16];
            loop {
                let length = socket.recv(&mut bytes).await.unwrap();
                let text = str::from_utf8(&bytes[..length]).unwrap();
                kept.lock().unwrap().push(text.to_owned());
            }
        });
        Self {
            address,
            came,
            task,
        }
    }

    /// What came so far.
    pub fn came(&self) -> Vec<String> {
        self.came.lock().unwrap().clone()
    }

    /// Waits for so many, and no more.
    pub async fn has(&self, count: usize) -> Vec<String> {
        has(&self.came, count).await
    }
}

impl Drop for Datagrams {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn has(came: &Came, count: usize) -> Vec<String> {
    eventually(async || {
        let found = came.lock().unwrap().clone();
        anyhow::ensure!(found.len() == count, "not {count}: {found:#?}");
        Ok(found)
    })
    .await
}

/// The entries of texts, each an object or a list of them.
pub fn entries(texts: &[String]) -> Vec<Value> {
    let read = texts.iter().map(|text| serde_json::from_str(text).unwrap());
    read.flat_map(|value| match value {
        Value::Array(all) => all,
        one => vec![one],
    })
    .collect()
}
