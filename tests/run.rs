//! The server in this process: `chancery::run` on listeners that the test has opened, ended by a token.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use chancery::config::Settings;
use chancery::run::{Error, Listeners};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long to wait for what must come.
const PATIENCE: Duration = Duration::from_secs(180);

/// Loopback, and a port that is free.
const ANY: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

fn on_files(folder: &Path) -> Settings {
    Settings {
        files: Some(folder.to_owned()),
        ..Settings::default()
    }
}

async fn listeners() -> Listeners {
    Listeners {
        admin: TcpListener::bind(ANY).await.unwrap(),
        xds: TcpListener::bind(ANY).await.unwrap(),
    }
}

/// A server of this process.
struct Server {
    admin: SocketAddr,
    xds: SocketAddr,
    shutdown: CancellationToken,
    running: JoinHandle<Result<(), Error>>,
}

impl Server {
    async fn start(settings: Settings) -> Self {
        let listeners = listeners().await;
        let shutdown = CancellationToken::new();
        Self {
            admin: listeners.admin.local_addr().unwrap(),
            xds: listeners.xds.local_addr().unwrap(),
            running: tokio::spawn(chancery::run(
                settings.check().unwrap(),
                listeners,
                shutdown.clone(),
            )),
            shutdown,
        }
    }

    /// The status of `/readyz`.
    async fn readyz(&self) -> u16 {
        chancery::tls::install();
        let url = format!("http://{}/readyz", self.admin);
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE);
        let answer = client.build().unwrap().get(url).send().await.unwrap();
        answer.status().as_u16()
    }

    async fn gets_ready(&self) {
        let deadline = Instant::now() + PATIENCE;
        while self.readyz().await != 200 {
            assert!(Instant::now() < deadline, "not ready after {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// What the admin port answers to these bytes, until it closes.
    async fn raw(&self, request: &str) -> String {
        let talk = async {
            let mut connection = TcpStream::connect(self.admin).await?;
            connection.write_all(request.as_bytes()).await?;
            let mut answer = String::new();
            connection.read_to_string(&mut answer).await?;
            std::io::Result::Ok(answer)
        };
        tokio::time::timeout(PATIENCE, talk).await.unwrap().unwrap()
    }

    async fn end(self) -> Result<(), Error> {
        self.shutdown.cancel();
        let ended = tokio::time::timeout(PATIENCE, self.running).await;
        ended.unwrap().unwrap()
    }
}

#[tokio::test]
async fn a_server_gets_ready_and_ends_by_its_token() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(on_files(folder.path())).await;
    server.gets_ready().await;
    let ports = [server.admin, server.xds];
    server.end().await.unwrap();
    let deadline = Instant::now() + PATIENCE;
    for port in ports {
        while let Err(error) = TcpListener::bind(port).await {
            assert!(Instant::now() < deadline, "{port} is still taken: {error}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test]
async fn a_server_without_a_registry_waits_for_its_store() {
    // Nobody listens there: `readyz` tells so once it was asked.
    let settings = Settings {
        etcd: Some(vec!["http://127.0.0.1:1".to_owned()]),
        ..Settings::default()
    };
    let server = Server::start(settings).await;
    let deadline = Instant::now() + PATIENCE;
    let asked = "GET /readyz HTTP/1.0\r\n\r\n";
    while !server.raw(asked).await.contains("\"error\"") {
        assert!(
            Instant::now() < deadline,
            "etcd is not missed after {PATIENCE:?}"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(server.readyz().await, 503);
    server.end().await.unwrap();
}

#[tokio::test]
async fn two_servers_of_one_process_end_apart() {
    let folder = tempfile::tempdir().unwrap();
    let first = Server::start(on_files(folder.path())).await;
    let second = Server::start(on_files(folder.path())).await;
    first.gets_ready().await;
    second.gets_ready().await;
    first.end().await.unwrap();
    assert_eq!(second.readyz().await, 200);
    second.end().await.unwrap();
}

#[tokio::test]
async fn a_page_in_a_browser_neither_changes_nor_reads_anything() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(on_files(folder.path())).await;
    server.gets_ready().await;
    let (own, evil) = (server.admin.to_string(), "evil.example");
    let drain = "POST /v1/drains";
    for (call, host, more, status) in [
        (drain, evil, "Origin: https://evil.example\r\n", 403),
        (drain, &own, "Origin: https://evil.example\r\n", 403),
        (drain, &own, "Origin: null\r\n", 403),
        (drain, &own, "Sec-Fetch-Site: cross-site\r\n", 403),
        (drain, &own, "Sec-Fetch-Site: same-site\r\n", 403),
        (
            "DELETE /v1/drains/1",
            &own,
            "Sec-Fetch-Site: cross-site\r\n",
            403,
        ),
        ("GET /v1/documents", evil, "", 403),
        // Documents are files: nothing can be drained, whoever asks.
        (drain, &own, "", 501),
        (drain, "localhost:1", "", 501),
        ("GET /v1/documents", &own, "", 200),
        ("GET /healthz", evil, "", 200),
        ("GET /readyz", "chancery.example", "", 200),
        ("GET /metrics", "10.0.0.7:9180", "", 200),
    ] {
        let body = r#"{"address": "10.0.0.7"}"#;
        let length = if call == drain { body.len() } else { 0 };
        let request = format!(
            "{call} HTTP/1.1\r\nHost: {host}\r\nContent-Type: text/plain\r\nConnection: close\r\n\
             Content-Length: {length}\r\n{more}\r\n{}",
            &body[..length]
        );
        let answer = server.raw(&request).await;
        let found: u16 = answer[9..12].parse().unwrap();
        assert_eq!(found, status, "{request}\n{answer}");
        let cors = answer.to_ascii_lowercase();
        assert!(!cors.contains("access-control"), "{answer}");
    }
    server.end().await.unwrap();
}

#[tokio::test]
async fn certificates_that_cannot_be_read_are_an_error_that_names_them() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("xds.key");
    fs::write(&key, "").unwrap();
    let settings = Settings {
        xds_cert: Some(folder.path().join("nowhere.pem")),
        xds_key: Some(key),
        ..on_files(folder.path())
    };
    let shutdown = CancellationToken::new();
    let ended = chancery::run(
        settings.check().unwrap(),
        listeners().await,
        shutdown.clone(),
    )
    .await;
    let error = ended.unwrap_err();
    assert!(matches!(error, Error::Certificates("xds", _)), "{error:?}");
    let said = error.to_string();
    assert!(
        said.contains("the certificates of a port cannot be used: xds: "),
        "{said}"
    );
    assert!(said.contains("nowhere.pem"), "{said}");
    // The token is the caller's.
    assert!(!shutdown.is_cancelled());
}

#[tokio::test]
async fn a_build_of_a_dashboard_is_served_and_nothing_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let build = folder.path().join("dist");
    fs::create_dir(&build).unwrap();
    fs::write(build.join("index.html"), "the page").unwrap();
    fs::write(folder.path().join("secret.txt"), "secret").unwrap();
    let settings = Settings {
        apisix_dashboard: Some(build),
        ..on_files(folder.path())
    };
    let server = Server::start(settings).await;
    let ask = async |path: &str| {
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        server.raw(&request).await
    };
    let page = ask("/ui/").await;
    assert!(
        page.starts_with("HTTP/1.1 200 ") && page.ends_with("the page"),
        "{page}"
    );
    for path in [
        "/ui/../secret.txt",
        "/ui/..%2fsecret.txt",
        "/ui/%2e%2e/secret.txt",
    ] {
        let refused = ask(path).await;
        assert!(refused.starts_with("HTTP/1.1 404 "), "{path}: {refused}");
    }
    server.end().await.unwrap();

    let server = Server::start(on_files(folder.path())).await;
    let request = "GET /ui/ HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let answer = server.raw(request).await;
    assert!(answer.contains("/ui/ is not served"), "{answer}");
    server.end().await.unwrap();
}
