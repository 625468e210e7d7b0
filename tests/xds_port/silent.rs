//! Connections that say nothing, or half of what they should: they are closed, and nobody else notices.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use chancery::xds::{Clients, Limits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::mtls::open_with;
use crate::port::{CLUSTERS, Port, SOTW, Sotw, wish};
use crate::support::certificates::Authority;
use crate::support::{PATIENCE, eventually};

/// What HTTP/2 begins with, and empty settings.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

fn hasty() -> Limits {
    Limits {
        first_request: Duration::from_millis(300),
        ..Limits::default()
    }
}

/// Says something, and waits until the other side closes the connection.
async fn is_closed_after(port: &Port, bytes: &[u8]) {
    let mut stream = TcpStream::connect(port.address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    // It may be reset as well.
    let _ = read.expect("the connection stays open");
}

#[tokio::test]
async fn who_asks_for_nothing_is_closed() {
    let port = Port::with_one_of_each(hasty()).await;
    let mut client = Sotw::open(&port.channel().await, SOTW).await;
    client.send(wish(CLUSTERS)).await;
    client.next().await.unwrap().unwrap();
    let whole = [PREFACE, SETTINGS].concat();
    let beginnings: [&[u8]; 4] = [b"", &PREFACE[..10], PREFACE, &whole];
    let mut closed = 0;
    for beginning in beginnings {
        let since = Instant::now();
        is_closed_after(&port, beginning).await;
        assert!(since.elapsed() >= hasty().first_request);
        closed += 1;
        assert_eq!(port.refused("silent"), closed);
    }
    // Whoever has a stream stays, however long it says nothing more.
    assert!(client.is_silent(Duration::from_secs(1)).await);
}

#[tokio::test]
async fn half_a_handshake_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let clients = Clients::default();
    let (port, _) = open_with(&authority, clients, hasty(), None, folder.path()).await;
    // Nothing, and the head of a record of TLS.
    for half in [b"".as_slice(), &[0x16, 3, 1, 2, 0, 1]] {
        is_closed_after(&port, half).await;
    }
    assert_eq!(port.refused("handshake"), 2);
}

#[tokio::test]
async fn a_connection_whose_streams_have_ended_is_closed() {
    let port = Port::with_one_of_each(Limits {
        idle: Duration::from_millis(300),
        ..Limits::default()
    })
    .await;
    let stream = TcpStream::connect(port.address).await.unwrap();
    let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    // A stream that ends at once: its path is of no service.
    let uri = format!("http://{}/none", port.address);
    let request = http::Request::post(uri).body(()).unwrap();
    let (response, _) = client.send_request(request, true).unwrap();
    response.await.unwrap();
    let since = Instant::now();
    let ended = timeout(PATIENCE, connection).await;
    let _ = ended.expect("the connection stays open");
    assert!(since.elapsed() >= Duration::from_millis(200), "by itself");
    drop(client);
    assert_eq!(port.refused("silent"), 0);
}

#[tokio::test]
async fn one_address_has_half_of_all_connections_or_what_is_set() {
    for (most, allowed) in [(None, 3), (Some(2), 2)] {
        let port = Port::with_one_of_each(Limits {
            streams: 6,
            connections_per_address: most,
            ..Limits::default()
        })
        .await;
        let mut open = Vec::new();
        for _ in 0..allowed {
            open.push(port.channel().await);
        }
        is_closed_after(&port, b"").await;
        assert_eq!(port.refused("address"), 1);
        // Those that are open go on, and one that ends makes room.
        open.pop();
        eventually(async || {
            let channel = port.try_channel().await?;
            let mut client = Sotw::try_open(&channel, SOTW).await?;
            client.send(wish(CLUSTERS)).await;
            let answer = client.next().await?;
            ensure!(answer.context("no answer")?.resources.len() == 1, "empty");
            Ok(())
        })
        .await;
        drop(open);
    }
}
