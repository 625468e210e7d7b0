//! The body of a streamed gRPC answer: shared bytes, passed on without a copy.
//!
//! tonic's own codecs copy each message per stream; a large resource to many slow clients would be held once for each.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;
use tokio::sync::mpsc;

use crate::snapshot::ResourceType;
use crate::snapshot::set::PAGE;

use super::limits::UNSERVED;

/// What goes into the body.
#[derive(Debug)]
pub enum Part {
    /// One message, in pieces.
    Message(Vec<Bytes>),
    /// The end, with the gRPC status. Apart: a queue has room for many parts, and they are small without it.
    End(Box<HeaderMap>),
}

#[derive(Debug)]
pub struct Writer {
    parts: mpsc::Sender<Part>,
    taken: Arc<AtomicU64>,
    given: u64,
}

/// The body itself, read by the HTTP server as fast as the client reads.
#[derive(Debug)]
pub struct Body {
    parts: mpsc::Receiver<Part>,
    pieces: VecDeque<Bytes>,
    taken: Arc<AtomicU64>,
}

/// The reader is gone, or so far behind that the protocol's own bound is broken.
#[derive(Debug)]
pub struct Closed;

pub fn channel() -> (Writer, Body) {
    // One message of each type at most is on its way, and the end.
    let (sender, receiver) = mpsc::channel(ResourceType::ALL.len() + UNSERVED + 1);
    let taken = Arc::new(AtomicU64::new(0));
    let writer = Writer {
        parts: sender,
        taken: taken.clone(),
        given: 0,
    };
    let body = Body {
        parts: receiver,
        pieces: VecDeque::new(),
        taken,
    };
    (writer, body)
}

impl Writer {
    /// Hands a message over; never waits for the reader.
    pub fn write(&mut self, pieces: Vec<Bytes>) -> Result<(), Closed> {
        self.given += pieces.iter().map(|piece| piece.len() as u64).sum::<u64>();
        self.parts
            .try_send(Part::Message(pieces))
            .map_err(|_| Closed)
    }

    pub fn end(self, trailers: HeaderMap) {
        // Without a place in the queue there is no reader that could see the status.
        let _ = self.parts.try_send(Part::End(trailers.into()));
    }

    /// How many bytes the reader has taken, and how many it was given.
    pub fn progress(&self) -> (u64, u64) {
        (self.taken.load(Ordering::Relaxed), self.given)
    }

    /// Waits until the reader is gone; while it is waited for, more can be written.
    pub fn gone(&self) -> impl Future<Output = ()> + use<> {
        let parts = self.parts.clone();
        async move { parts.closed().await }
    }
}

impl Body {
    /// The next piece, of a [page](PAGE) at most: the HTTP server takes a piece whole as soon as the client has room for one
    /// byte of it, so that a client that stopped reading a large one could not be told from one that reads.
    fn next_piece(&mut self) -> Option<Bytes> {
        let first = self.pieces.front_mut()?;
        if first.len() > PAGE {
            Some(first.split_to(PAGE))
        } else {
            self.pieces.pop_front()
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        loop {
            if let Some(piece) = self.next_piece() {
                self.taken.fetch_add(piece.len() as u64, Ordering::Relaxed);
                return Poll::Ready(Some(Ok(Frame::data(piece))));
            }
            match ready!(self.parts.poll_recv(cx)) {
                Some(Part::Message(pieces)) => self.pieces = pieces.into(),
                Some(Part::End(trailers)) => {
                    return Poll::Ready(Some(Ok(Frame::trailers(*trailers))));
                }
                None => return Poll::Ready(None),
            }
        }
    }
}
