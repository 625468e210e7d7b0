//! Accepts connections: bounded in number and rate, each TLS handshake in a task of its own, so that none waits for another.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::either::Either;
use tracing::{debug, warn};

use crate::tls::{self, InForce, Io};

use super::admission::Peer;
use super::ads::Ads;
use super::connection::Connection;
use super::refusal::NotAdmitted;

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long to wait when the system has no more sockets.
const EXHAUSTED: Duration = Duration::from_millis(100);

/// The certificates in force, at any time; nothing for plain text.
pub type Tls = Option<watch::Receiver<Arc<InForce>>>;

/// Accepts until the receiver is gone.
pub async fn accept(
    listener: TcpListener,
    tls: Tls,
    ads: Ads,
    connections: mpsc::Sender<io::Result<Connection>>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = connections.closed() => return,
        };
        match accepted {
            Ok((stream, address)) => {
                let peer = Peer {
                    address: Some(address),
                    ..Peer::default()
                };
                admit(stream, address.ip(), peer, &tls, &ads, &connections);
            }
            Err(error) => {
                // A client that is gone already is no reason to wait; too many open files are.
                debug!(%error, "a connection was not accepted");
                if error.kind() != io::ErrorKind::ConnectionAborted {
                    warn!(%error, "connections cannot be accepted; trying again");
                    tokio::time::sleep(EXHAUSTED).await;
                }
            }
        }
    }
}

/// Brings a connection to the server, through its handshake where there is one, unless there is no room for it.
fn admit(
    stream: TcpStream,
    from: IpAddr,
    mut peer: Peer,
    tls: &Tls,
    ads: &Ads,
    connections: &mpsc::Sender<io::Result<Connection>>,
) {
    let room = match ads.admission.connection(from) {
        Ok(room) => room,
        Err(refusal) => {
            ads.refuse(&refusal);
            return;
        }
    };
    if let Err(refusal) = ads.admission.arrive() {
        // A client without TLS can be told why on its streams. A handshake would cost what the bound is to save.
        if tls.is_some() {
            ads.refuse(&refusal);
            return;
        }
        peer.surplus = Arc::new(true.into());
    }
    let acceptor = tls
        .as_ref()
        .map(|tls| TlsAcceptor::from(tls.borrow().server.clone()));
    let (ads, tls, connections) = (ads.clone(), tls.clone(), connections.clone());
    tokio::spawn(async move {
        // Without it a small response waits for the ACK of the one before.
        let _ = stream.set_nodelay(true);
        let io = match acceptor {
            None => Either::Left(stream),
            Some(acceptor) => {
                let handshake = timeout(
                    HANDSHAKE.min(ads.limits.first_request),
                    acceptor.accept(stream),
                )
                .await;
                match handshake.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
                    Ok(stream) => Either::Right(stream),
                    Err(error) => {
                        ads.refuse(&NotAdmitted::Handshake(error.to_string()));
                        return;
                    }
                }
            }
        };
        peer.names = verified_names(&io);
        let connection = Connection::new(io, peer, tls, ads, room);
        // Nobody receives it when the process ends.
        let _ = connections.send(Ok(connection)).await;
    });
}

fn verified_names(io: &Io) -> Option<Arc<[String]>> {
    let certificates = tls::shown(io)?;
    certificates.first().map(|first| tls::names(first).into())
}
