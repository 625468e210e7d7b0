//! A request's body, that has to come in time.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use http_body::{Frame, SizeHint};
use tokio::time::{Sleep, sleep};

/// A request's body, of which all has to come in that time.
pub fn timely(body: Body, patience: Duration) -> Body {
    if http_body::Body::is_end_stream(&body) {
        return body;
    }
    Body::new(Timely {
        body,
        patience,
        over: Box::pin(sleep(patience)),
    })
}

struct Timely {
    body: Body,
    patience: Duration,
    over: Pin<Box<Sleep>>,
}

type Polled = Poll<Option<Result<Frame<Bytes>, axum::Error>>>;

impl http_body::Body for Timely {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if polled.is_pending() && self.over.as_mut().poll(cx).is_ready() {
            let patience = self.patience;
            let late = format!("the request's body was not here within {patience:?}");
            let late = io::Error::new(io::ErrorKind::TimedOut, late);
            return Poll::Ready(Some(Err(axum::Error::new(late))));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
