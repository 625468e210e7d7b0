//! Requests over HTTP/2, as many at a time as over HTTP/1.1.

use std::net::SocketAddrV4;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use http::Request;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::requests::{CONNECTIONS, TURN};
use crate::shapes::Target;

/// Sends requests for a while; tells how many, and how long.
pub async fn load(listener: SocketAddrV4, targets: &[Target]) -> Result<(usize, Duration)> {
    let start = Instant::now();
    let mut connections = JoinSet::new();
    for number in 0..CONNECTIONS {
        let mut targets = targets.to_vec();
        let begin = number * targets.len() / CONNECTIONS;
        targets.rotate_left(begin);
        connections.spawn(connection(listener, targets, start));
    }
    let mut count = 0;
    while let Some(of) = connections.join_next().await {
        count += of??;
    }
    Ok((count, start.elapsed()))
}

async fn connection(listener: SocketAddrV4, targets: Vec<Target>, start: Instant) -> Result<usize> {
    let socket = TcpStream::connect(listener).await?;
    socket.set_nodelay(true)?;
    let (mut send, connection) = h2::client::handshake(socket).await?;
    let driver = tokio::spawn(connection);
    let mut count = 0;
    for (host, path) in targets.iter().cycle() {
        if start.elapsed() >= TURN {
            break;
        }
        send = send.ready().await?;
        let request = Request::get(format!("http://{host}{path}")).body(())?;
        let (response, _) = send.send_request(request, true)?;
        let response = response.await?;
        ensure!(
            response.status() == 200,
            "a request got {}",
            response.status()
        );
        let mut body = response.into_body();
        while let Some(piece) = body.data().await {
            let size = piece?.len();
            body.flow_control().release_capacity(size)?;
        }
        count += 1;
    }
    driver.abort();
    Ok(count)
}
