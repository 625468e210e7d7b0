//! One connection of the xDS port: its bytes, and until when it may be open. What ends it ends its streams first, with a
//! status that says why.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use rustls::pki_types::{CertificateDer, UnixTime};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{MissedTickBehavior, interval};
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;
use tonic::Status;
use tonic::transport::server::Connected;

use super::admission::Peer;
use super::ads::Ads;
use super::refusal::NotAdmitted;
use super::tls::{Credentials, InForce};

/// How often it is looked at.
const LOOK: Duration = Duration::from_secs(10);
/// Not more often than this.
const OFTEN: Duration = Duration::from_millis(50);
/// How long its streams may take to end before the connection is closed under them.
const GRACE: Duration = Duration::from_secs(2);

/// What a connection runs over.
pub type Io = Either<TcpStream, TlsStream<TcpStream>>;

/// Why a connection's streams end, once they are to.
#[derive(Debug, Clone)]
pub struct Ending(Arc<watch::Sender<Option<Status>>>);

impl Default for Ending {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

impl Ending {
    fn say(&self, why: Status) {
        self.0.send_replace(Some(why));
    }

    /// Waits until the connection is to end, which may never be.
    pub async fn said(&self) -> Status {
        let mut said = self.0.subscribe();
        // The sender is here.
        let said = said.wait_for(Option::is_some).await.ok();
        let said = said.and_then(|said| said.clone());
        said.unwrap_or_else(|| Status::unavailable("the connection ends"))
    }
}

/// What a client with a certificate showed, and what that is held to.
pub struct Shown {
    pub credentials: Credentials,
    pub in_force: watch::Receiver<Arc<InForce>>,
}

/// One connection, and its room among all.
pub struct Connection {
    io: Io,
    peer: Peer,
    /// Done when it has to be closed.
    over: Pin<Box<dyn Future<Output = ()> + Send>>,
    closed: bool,
    _room: OwnedSemaphorePermit,
}

impl Connection {
    /// One that begins now.
    pub fn new(
        io: Io,
        peer: Peer,
        in_force: Option<watch::Receiver<Arc<InForce>>>,
        ads: Ads,
        room: OwnedSemaphorePermit,
    ) -> Self {
        let shown = certificates(&io).zip(in_force);
        let shown = shown.map(|(chain, in_force)| Shown {
            credentials: Credentials::new(chain.to_vec()),
            in_force,
        });
        let ending = peer.ending.clone();
        let over = async move {
            ending.say(until_over(shown, &ads).await);
            tokio::time::sleep(GRACE).await;
        };
        Self {
            io,
            peer,
            over: Box::pin(over),
            closed: false,
            _room: room,
        }
    }

    fn is_closed(&mut self, cx: &mut Context<'_>) -> bool {
        self.closed = self.closed || self.over.as_mut().poll(cx).is_ready();
        self.closed
    }
}

/// What a client showed of itself in the handshake.
pub fn certificates(io: &Io) -> Option<&[CertificateDer<'static>]> {
    match io {
        Either::Left(_) => None,
        Either::Right(stream) => stream.get_ref().1.peer_certificates(),
    }
}

/// Waits until the connection has to end, and tells why.
async fn until_over(mut shown: Option<Shown>, ads: &Ads) -> Status {
    let began = Instant::now();
    let age = ads.limits.connection_age.map(jittered);
    let mut looks = interval(age.map_or(LOOK, |age| LOOK.min(age / 4)).max(OFTEN));
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = looks.tick() => {}
            () = replaced(&mut shown) => {}
        }
        if let Some(Shown {
            credentials,
            in_force,
        }) = &mut shown
        {
            let in_force = in_force.borrow_and_update().clone();
            if let Err(why) = credentials.check(&in_force, UnixTime::now()) {
                return ads.refuse(&NotAdmitted::Certificate(why));
            }
        }
        if let Some(age) = age
            && began.elapsed() >= age
        {
            let seconds = began.elapsed().as_secs();
            return Status::unavailable(format!(
                "the connection is {seconds} s old (--max-connection-age): connect again; what was sent stays in force"
            ));
        }
    }
}

/// Waits until other certificates are in force than those that the client was held to.
async fn replaced(shown: &mut Option<Shown>) {
    if let Some(shown) = shown
        && shown.in_force.changed().await.is_ok()
    {
        return;
    }
    std::future::pending().await
}

/// Up to a tenth less, so that those that came together do not leave together.
fn jittered(age: Duration) -> Duration {
    age.mul_f64(1.0 - fastrand::f64() / 10.0)
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_closed(cx) {
            // As if the client had closed it.
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_closed(cx) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.is_closed(cx) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_closed(cx) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_closed(cx) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
