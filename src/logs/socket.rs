//! How a batch gets to a server that is none of HTTP: by a connection of its own, with TLS or without, or by datagrams.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_util::either::Either;

use super::trusting;
use crate::model::log_target::{Tcp, Tls, Udp};

/// How long a server may take to close a connection of which it has everything; one that takes longer has it as well.
const CLOSING: Duration = Duration::from_millis(100);

/// What connections are made with.
#[derive(Debug)]
pub struct Sockets {
    /// Asks for a name.
    naming: Arc<ClientConfig>,
    nameless: Arc<ClientConfig>,
}

/// Why a batch is not there.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("no address of it is known")]
    Unknown,
    #[error("no connection in time")]
    Unconnected,
    #[error("not taken in time")]
    Slow,
    #[error("what it is asked for is no name")]
    Name,
}

impl Sockets {
    pub fn new() -> Result<Self, rustls::Error> {
        Ok(Self {
            naming: trusting::config(true)?,
            nameless: trusting::config(false)?,
        })
    }

    /// Sends a batch by a connection of its own. Where a server closes it at once, as most do, it is known that all of it was read.
    pub async fn tcp(&self, to: &Tcp, batch: &[Bytes]) -> Result<(), Error> {
        let limit = Duration::from_millis(to.millis.into());
        let stream = timeout(limit, self.connect(to)).await;
        let stream = stream.map_err(|_| Error::Unconnected)??;
        let sent = timeout(limit, send(stream, batch)).await;
        Ok(sent.map_err(|_| Error::Slow)??)
    }

    async fn connect(&self, to: &Tcp) -> Result<impl AsyncRead + AsyncWrite + Unpin, Error> {
        let stream = TcpStream::connect((to.host.as_str(), to.port)).await?;
        stream.set_nodelay(true)?;
        let Some(Tls { name }) = &to.tls else {
            return Ok(Either::Left(stream));
        };
        let (config, name) = match name {
            Some(name) => (&self.naming, name),
            None => (&self.nameless, &to.host),
        };
        let name = ServerName::try_from(name.clone()).map_err(|_| Error::Name)?;
        let tls = TlsConnector::from(config.clone()).connect(name, stream);
        Ok(Either::Right(tls.await?))
    }
}

/// Sends a batch by datagrams. Whether one came, nobody tells; that nobody listens, the server's machine may.
pub async fn udp(to: &Udp, batch: &[Bytes]) -> Result<(), Error> {
    let limit = Duration::from_millis(to.millis.into());
    let sent = timeout(limit, send_datagrams(to, batch)).await;
    sent.map_err(|_| Error::Slow)?
}

async fn send_datagrams(to: &Udp, batch: &[Bytes]) -> Result<(), Error> {
    let mut addresses = lookup_host((to.host.as_str(), to.port)).await?;
    let address = addresses.next().ok_or(Error::Unknown)?;
    let any: IpAddr = if address.is_ipv4() {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        Ipv6Addr::UNSPECIFIED.into()
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(address).await?;
    for datagram in batch {
        socket.send(datagram).await?;
    }
    // What is known already; nobody waits for more.
    socket
        .take_error()?
        .map_or(Ok(()), |error| Err(error.into()))
}

async fn send(mut stream: impl AsyncRead + AsyncWrite + Unpin, batch: &[Bytes]) -> io::Result<()> {
    for piece in batch {
        stream.write_all(piece).await?;
    }
    stream.shutdown().await?;
    let closed = timeout(CLOSING, read_out(&mut stream)).await;
    closed.unwrap_or(Ok(()))
}

/// What a server says is not looked at, but unread it would have the system take back what it has not sent yet.
async fn read_out(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
    let mut said = [0; 1024];
    loop {
        match stream.read(&mut said).await {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            // Closed without a word of TLS about it.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}
