//! One connection of the xDS port: its bytes, and until when it may be open. What ends it ends its streams first, with a
//! status that says why.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use rustls::pki_types::UnixTime;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tonic::Status;
use tonic::transport::server::Connected;

use crate::connections::{Activity, Patience, Room, Verdict};
use crate::tls::{self, Credentials, InForce, Io};

use super::admission::Peer;
use super::ads::Ads;
use super::refusal::NotAdmitted;

/// How often it is looked at.
const LOOK: Duration = Duration::from_secs(10);
/// Not more often than this.
const OFTEN: Duration = Duration::from_millis(50);
/// How long its streams may take to end before the connection is closed under them.
const GRACE: Duration = Duration::from_secs(2);

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
    _room: Room,
}

impl Connection {
    /// One that begins now.
    pub fn new(
        io: Io,
        peer: Peer,
        in_force: Option<watch::Receiver<Arc<InForce>>>,
        ads: Ads,
        room: Room,
    ) -> Self {
        let shown = tls::shown(&io).zip(in_force);
        let shown = shown.map(|(chain, in_force)| Shown {
            credentials: Credentials::new(chain.to_vec()),
            in_force,
        });
        let ending = peer.ending.clone();
        let activity = peer.activity.clone();
        let over = async move {
            // Without a stream there is nobody to tell.
            if let Some(why) = until_over(shown, &activity, &ads).await {
                ending.say(why);
                tokio::time::sleep(GRACE).await;
            }
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

    /// What became of writing. A connection that can be written reads too, and is looked at there.
    fn unless_closed<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_pending() && self.is_closed(cx) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        written
    }
}

/// Waits until the connection has to end, and tells why.
async fn until_over(mut shown: Option<Shown>, activity: &Activity, ads: &Ads) -> Option<Status> {
    let began = Instant::now();
    let age = ads.limits.connection_age.map(jittered);
    let patience = Patience {
        first: ads.limits.first_request,
        idle: ads.limits.idle,
        // Keepalive and the streams themselves find out who does not read.
        unread: Duration::MAX,
    };
    let shortest = patience.first.min(patience.idle);
    let shortest = age.map_or(shortest, |age| age.min(shortest));
    let mut looks = interval(LOOK.min(shortest / 4).max(OFTEN));
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
                return Some(ads.refuse(&NotAdmitted::Certificate(why)));
            }
        }
        match activity.verdict(Instant::now(), patience) {
            Verdict::Open => {}
            Verdict::Silent => {
                ads.refuse(&NotAdmitted::Silent(patience.first));
                return None;
            }
            Verdict::Idle | Verdict::Stuck => return None,
        }
        if let Some(age) = age
            && began.elapsed() >= age
        {
            let seconds = began.elapsed().as_secs();
            return Some(Status::unavailable(format!(
                "the connection is {seconds} s old (--max-connection-age): connect again; what was sent stays in force"
            )));
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
        if self.closed {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let written = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.unless_closed(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.closed {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, slices);
        self.unless_closed(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.closed {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let written = Pin::new(&mut self.io).poll_flush(cx);
        self.unless_closed(cx, written)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_closed(cx) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
