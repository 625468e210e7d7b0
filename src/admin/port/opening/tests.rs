//! Connections over TLS to a port whose bounds are short.

use std::path::Path;

use axum::routing::get;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpListener;
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::admin::port::{Bounds, serve};
use crate::tls::{Certificates, Files, Listener};

const PATIENCE: Duration = Duration::from_secs(180);
const SHORT: Duration = Duration::from_millis(200);

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        Self { issuer, pem }
    }

    /// A certificate for 127.0.0.1, and its key.
    fn identity(&self) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::IpAddress([127, 0, 0, 1].into())];
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        (cert.pem(), key.serialize_pem())
    }

    /// What is in force where clients have to come from it.
    async fn in_force(&self, folder: &Path) -> Arc<InForce> {
        let (cert, key) = self.identity();
        let file = |name: &str, text: &str| {
            let path = folder.join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let files = Files {
            listener: Listener::Admin,
            cert: file("cert", &cert),
            key: file("key", &key),
            client_ca: Some(file("ca", &self.pem)),
            client_crl: None,
        };
        let loaded = Certificates::load(files).await.unwrap();
        loaded.current().borrow().clone()
    }
}

#[tokio::test]
async fn a_client_whose_authority_is_taken_away_is_ended_and_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (Authority::new(), Authority::new());
    let (sender, in_force) = watch::channel(old.in_force(folder.path()).await);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let tls = Tls {
        in_force,
        plain_text: Router::new().fallback(async || "in plain text"),
    };
    // Answers for as long as somebody reads.
    let endless = async || {
        let lines = futures_util::stream::unfold((), async |()| {
            tokio::time::sleep(SHORT / 10).await;
            Some((Ok::<_, io::Error>("line\n"), ()))
        });
        axum::body::Body::from_stream(lines)
    };
    let router = Router::new().route("/", get(endless));
    let bounds = Bounds {
        first: SHORT,
        idle: PATIENCE,
        ..Bounds::default()
    };
    let shutdown = CancellationToken::new();
    tokio::spawn(serve(listener, router, bounds, Some(tls), shutdown.clone()));

    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(old.pem.as_bytes()).unwrap())
        .unwrap();
    let (cert, key) = old.identity();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(
            vec![CertificateDer::from_pem_slice(cert.as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
        )
        .unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    let mut stream = connector.connect(name, stream).await.unwrap();
    let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut buffer = [0; 4096];
    let going_on = async {
        let began = std::time::Instant::now();
        // Longer than several looks: a certificate that is good ends nothing.
        while began.elapsed() < 5 * SHORT {
            assert!(stream.read(&mut buffer).await.unwrap() > 0);
        }
    };
    timeout(PATIENCE, going_on).await.unwrap();

    sender.send_replace(new.in_force(folder.path()).await);
    let ends = async { while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {} };
    timeout(PATIENCE, ends).await.expect("the stream goes on");

    // Who calls in plain text is told by whoever answers there, and nobody else.
    let mut plain = TcpStream::connect(address).await.unwrap();
    let request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    plain.write_all(request).await.unwrap();
    let mut answer = String::new();
    let read = timeout(PATIENCE, plain.read_to_string(&mut answer)).await;
    read.unwrap().unwrap();
    assert!(answer.ends_with("in plain text"), "{answer}");
    shutdown.cancel();
}
