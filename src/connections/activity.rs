//! What goes on on one connection: requests under way, when the last one ended, and since when nothing can be written.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use http_body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How long a connection may be open without more.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Without a whole request.
    pub first: Duration,
    /// Between two requests.
    pub idle: Duration,
    /// While the client leaves unread what it is answered.
    pub unread: Duration,
}

/// What goes on on one connection.
#[derive(Debug)]
pub struct Activity(Mutex<State>);

#[derive(Debug)]
struct State {
    /// Requests whose answer is not complete.
    under_way: usize,
    /// Whether there has been one.
    asked: bool,
    /// When the last one ended, or the connection began.
    since: Instant,
    /// Since when the client takes nothing.
    unread: Option<Instant>,
}

/// What is to become of the connection.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    Open,
    /// No request has come in time.
    Silent,
    /// Nothing has gone on for too long.
    Idle,
    /// The client reads nothing.
    Stuck,
}

/// A request under way, until it is dropped.
#[derive(Debug)]
pub struct UnderWay(Arc<Activity>);

impl Activity {
    /// Of a connection that begins.
    pub fn new(now: Instant) -> Self {
        Self(Mutex::new(State {
            under_way: 0,
            asked: false,
            since: now,
            unread: None,
        }))
    }

    /// A request begins.
    pub fn begin(activity: &Arc<Self>) -> UnderWay {
        activity.change(|state| {
            state.under_way += 1;
            state.asked = true;
        });
        UnderWay(activity.clone())
    }

    /// How it is now.
    pub fn verdict(&self, now: Instant, patience: Patience) -> Verdict {
        self.change(|state| {
            let longer = |since: Instant, than| now.saturating_duration_since(since) >= than;
            if state
                .unread
                .is_some_and(|since| longer(since, patience.unread))
            {
                return Verdict::Stuck;
            }
            let (verdict, limit) = if state.asked {
                (Verdict::Idle, patience.idle)
            } else {
                (Verdict::Silent, patience.first)
            };
            if state.under_way == 0 && longer(state.since, limit) {
                verdict
            } else {
                Verdict::Open
            }
        })
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Default for Activity {
    fn default() -> Self {
        Self::new(Instant::now())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.change(|state| {
            state.under_way -= 1;
            state.since = Instant::now();
        });
    }
}

/// An answer's body, that keeps its request under way.
pub fn tracked(body: Body, under_way: UnderWay) -> Body {
    Body::new(Tracked {
        body,
        _under_way: under_way,
    })
}

struct Tracked {
    body: Body,
    _under_way: UnderWay,
}

impl http_body::Body for Tracked {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A connection whose writing is watched.
#[derive(Debug)]
pub struct Watched<S> {
    io: S,
    activity: Arc<Activity>,
}

impl<S> Watched<S> {
    pub fn new(io: S, activity: Arc<Activity>) -> Self {
        Self { io, activity }
    }

    fn wrote<T>(&self, wrote: Poll<T>) -> Poll<T> {
        self.activity.change(|state| {
            if wrote.is_pending() {
                state.unread.get_or_insert_with(Instant::now);
            } else {
                state.unread = None;
            }
        });
        wrote
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.wrote(wrote)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.io).poll_write_vectored(cx, slices);
        self.wrote(wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
