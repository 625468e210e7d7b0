//! Certificates that change while Chancery runs: the authority that is trusted, and what is shown as a client's.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, IsCa, Issuer, KeyPair};
use reqwest::Method;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::super::client::Client;
use super::super::error::Error;
use super::super::query::Query;
use super::super::transport::{self, Transport};
use super::super::{Agents, Settings, WAIT};
use crate::model::{Discovery, ServiceKey};

/// A test that waits this long has failed.
const DEADLINE: Duration = Duration::from_secs(120);

/// An authority.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate and its key, in PEM.
struct Identity {
    cert: String,
    key: String,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        Self { issuer, pem }
    }

    fn identity(&self) -> Identity {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        Identity {
            cert: params.signed_by(&key, &self.issuer).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }

    /// What a server of this authority shows, and lets in.
    fn server(&self) -> Arc<ServerConfig> {
        let Identity { cert, key } = self.identity();
        let mut roots = rustls::RootCertStore::empty();
        let der = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
        roots.add(der(&self.pem)).unwrap();
        let clients = WebPkiClientVerifier::builder(roots.into()).build().unwrap();
        let config = ServerConfig::builder().with_client_cert_verifier(clients);
        let private = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        Arc::new(config.with_single_cert(vec![der(&cert)], private).unwrap())
    }
}

/// A Consul that knows of nothing, behind TLS of an authority that changes.
struct Secured {
    address: String,
    tls: watch::Sender<Arc<ServerConfig>>,
}

impl Secured {
    async fn start(authority: &Authority) -> Self {
        crate::tls::install();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("https://{}", listener.local_addr().unwrap());
        let tls = watch::Sender::new(authority.server());
        let current = tls.subscribe();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(answer(connection, current.borrow().clone()));
            }
        });
        Self { address, tls }
    }
}

/// One request a connection, so that each shows its certificates.
async fn answer(stream: TcpStream, tls: Arc<ServerConfig>) -> std::io::Result<()> {
    let mut connection = TlsAcceptor::from(tls).accept(stream).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if connection.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let reply =
        "HTTP/1.1 200 OK\r\nX-Consul-Index: 1\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}";
    connection.write_all(reply.as_bytes()).await?;
    connection.shutdown().await
}

/// The files that the settings name.
struct Files {
    folder: TempDir,
}

impl Files {
    fn new(authority: &Authority) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let files = Self { folder };
        files.replace(authority);
        files
    }

    fn replace(&self, authority: &Authority) {
        let Identity { cert, key } = authority.identity();
        self.write("ca", &authority.pem);
        self.write("cert", &cert);
        self.write("key", &key);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn settings(&self, address: &str) -> Settings {
        Settings {
            addresses: vec![address.to_owned()],
            token: None,
            token_file: None,
            ca: Some(self.path("ca")),
            cert: Some(self.path("cert")),
            key: Some(self.path("key")),
            wait: WAIT,
            connections: crate::registry::consul::CONNECTIONS,
        }
    }
}

async fn ask(client: &Client) -> Result<(), Error> {
    let echo = ServiceKey::new(Discovery::Consul, "echo");
    client.ask(Query::Service(&echo)).await.map(drop)
}

#[tokio::test]
async fn new_certificates_are_used_without_a_restart() {
    let (before, after) = (Authority::new(), Authority::new());
    let files = Files::new(&before);
    let consul = Secured::start(&before).await;
    let client = Client::new(&files.settings(&consul.address)).unwrap();
    let test = async {
        ask(&client).await.unwrap();
        consul.tls.send_replace(after.server());
        ask(&client).await.unwrap_err();
        files.replace(&after);
        while ask(&client).await.is_err() {
            sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::select! {
        done = timeout(DEADLINE, test) => done.expect("the new certificates are used"),
        () = client.watch_files() => {}
    }
}

#[tokio::test]
async fn half_a_renewal_is_not_used() {
    let authority = Authority::new();
    let files = Files::new(&authority);
    let consul = Secured::start(&authority).await;
    let transport = Transport::new(&files.settings(&consul.address)).unwrap();
    let Identity { cert, key } = authority.identity();
    let halves = [
        ("cert", &*cert, "TLS settings"),
        ("key", &key[..key.len() / 2], "client certificate"),
        ("key", "", "client certificate"),
        ("key", &key, ""),
        ("ca", &authority.pem[..authority.pem.len() / 2], "CA file"),
        ("ca", "", "CA file"),
        ("ca", &authority.pem, ""),
    ];
    for (file, text, said) in halves {
        files.write(file, text);
        let error = transport
            .refresh()
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default();
        assert_eq!(error.is_empty(), said.is_empty(), "{file}: {error}");
        assert!(error.contains(said), "{file}: {error}");
        let url = transport::address(&consul.address).unwrap();
        let answer = transport.call(Method::GET, url, DEADLINE).await;
        assert_eq!(answer.unwrap().0, 200, "{file}: {error}");
    }
}

#[tokio::test]
async fn agents_are_told_with_the_certificates_of_now() {
    let (before, after) = (Authority::new(), Authority::new());
    let files = Files::new(&before);
    let consul = Secured::start(&before).await;
    let agents = Agents::new(files.settings(&consul.address), None);
    let asked = agents.is_in_maintenance(&consul.address, "echo-1").await;
    assert!(!asked.unwrap());

    consul.tls.send_replace(after.server());
    files.replace(&after);
    let asked = agents.is_in_maintenance(&consul.address, "echo-1").await;
    assert!(!asked.unwrap());
}
