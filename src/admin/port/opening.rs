//! How a connection begins: in plain text, or with a handshake where the port speaks TLS.

#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use rustls::pki_types::UnixTime;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::either::Either;

use crate::tls::{self, Credentials, InForce, Io};

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// What every record of a handshake begins with; no request does.
const RECORD: u8 = 22;
/// How long who is refused may take to read why.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// TLS of the port.
#[derive(Clone)]
pub struct Tls {
    /// The certificates in force, at any time.
    pub in_force: watch::Receiver<Arc<InForce>>,
    /// What answers those who call in plain text all the same.
    pub plain_text: Router,
}

/// A connection that has begun.
pub struct Opened {
    pub io: Io,
    /// What a client with a certificate is held to.
    pub shown: Option<Shown>,
    /// What answers on it, where that is not the port's own.
    pub answers: Option<Router>,
}

/// What a client with a certificate showed, and what that is held to.
pub struct Shown {
    credentials: Credentials,
    in_force: watch::Receiver<Arc<InForce>>,
}

impl Shown {
    /// Why it is not good any more, if it is not.
    pub fn check(&mut self) -> Result<(), String> {
        let in_force = self.in_force.borrow_and_update().clone();
        self.credentials.check(&in_force, UnixTime::now())
    }
}

/// Begins a connection; nothing of one that ends before it says anything.
pub async fn open(
    stream: TcpStream,
    tls: Option<&Tls>,
    patience: Duration,
) -> Result<Option<Opened>, io::Error> {
    let within = HANDSHAKE.min(patience);
    let Some(tls) = tls else {
        return Ok(Some(Opened {
            io: Either::Left(stream),
            shown: None,
            answers: None,
        }));
    };
    let mut first = [0];
    let begun = timeout(within, stream.peek(&mut first)).await;
    match begun.unwrap_or(Ok(0)) {
        Ok(1..) => {}
        Ok(0) | Err(_) => return Ok(None),
    }
    if first != [RECORD] {
        return Ok(Some(Opened {
            io: Either::Left(stream),
            shown: None,
            answers: Some(tls.plain_text.clone()),
        }));
    }
    let acceptor = TlsAcceptor::from(tls.in_force.borrow().server.clone());
    let handshake = timeout(within, acceptor.accept(stream).into_fallible()).await;
    let io = match handshake {
        Ok(Ok(stream)) => Either::Right(stream),
        Ok(Err((error, stream))) => {
            say_why(stream).await;
            return Err(error);
        }
        Err(_) => return Err(io::ErrorKind::TimedOut.into()),
    };
    let shown = tls::shown(&io).map(|chain| Shown {
        credentials: Credentials::new(chain.to_vec()),
        in_force: tls.in_force.clone(),
    });
    Ok(Some(Opened {
        io,
        shown,
        answers: None,
    }))
}

/// Has a client read the alert that it was sent: closing at once would throw it away with what was not read.
async fn say_why(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let read = async {
        stream.shutdown().await?;
        let mut unread = [0; 1024];
        while stream.read(&mut unread).await? > 0 {}
        Ok::<_, io::Error>(())
    };
    // Whatever becomes of it: who does not read it does without.
    let _ = timeout(LAST_WORDS, read).await;
}
