//! Names that end with the root's dot, as some clients write them.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::ensure;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{https, ssl, stage_with};
use crate::support::certificates::Authority;
use crate::support::eventually;
use crate::support::http::ANSWER;
use crate::support::secure::der;
use crate::support::stage::route_to;

/// What a client is shown that asks for a name with its dot: all that comes before it would have to answer. In TLS 1.2
/// certificates are not encrypted.
async fn shown(to: SocketAddr, name: &str) -> anyhow::Result<Vec<u8>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS12])?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    // rustls leaves the dot out, so a letter stands in its place until all is written.
    let lettered = format!("{name}x");
    let asked = ServerName::try_from(lettered.clone())?;
    let mut client = ClientConnection::new(Arc::new(config), asked)?;
    let mut hello = Vec::new();
    client.write_tls(&mut hello)?;
    let at = hello
        .windows(lettered.len())
        .position(|part| part == lettered.as_bytes());
    hello[at.expect("the name") + name.len()] = b'.';
    let mut connection = TcpStream::connect(to).await?;
    connection.write_all(&hello).await?;
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(Ok(read @ 1..)) =
        tokio::time::timeout(ANSWER / 10, connection.read(&mut piece)).await
    {
        answer.extend_from_slice(&piece[..read]);
    }
    Ok(answer)
}

#[tokio::test]
async fn a_name_with_the_roots_dot_is_the_same_name() {
    let (stage, blue) = stage_with(&json!({})).await;
    let authority = Authority::new();
    let names = [
        ("www", "www.example.com", "www.example.com"),
        ("wild", "*.example.org", "any.example.org"),
    ];
    for (id, name, asked) in names {
        let identity = authority.identity(&[name]);
        let key = format!("ssls/{id}");
        stage.etcd.put(&key, &ssl(&[name], &identity)).await;
        let certificate = der(&identity);
        eventually(async || {
            let answer = shown(https(&stage), asked).await?;
            let mut parts = answer.windows(certificate.len());
            ensure!(parts.any(|part| part == certificate), "{}", answer.len());
            Ok(())
        })
        .await;
    }
    let other = shown(https(&stage), "www.example.net").await;
    assert!(other.is_ok_and(|answer| answer.is_empty()), "nobody's name");

    // So it is where no name chooses a certificate.
    let mut route = route_to("/dotted", &[&blue]);
    route["host"] = json!("www.example.com");
    stage.etcd.put("routes/dotted", &route).await;
    stage.etcd.delete("routes/all").await;
    for host in ["www.example.com", "WWW.example.com.", "www.example.com.:80"] {
        eventually(async || {
            let headers = [("host", host)];
            let answer = stage
                .envoy
                .send(reqwest::Method::GET, "/dotted", &headers)
                .await?;
            ensure!(answer.status == 200, "{host}: {}", answer.status);
            Ok(())
        })
        .await;
    }
}
