//! The requests of one stream, out of gRPC's frames. tonic's own reader keeps room for the largest message that came for as
//! long as its stream is open; this one gives it back, and large messages of all streams have a bound together.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};
use tonic::{Code, Status};
use tower::BoxError;

use super::refusal::NotAdmitted;
use super::request::{Message, shown};

/// What stands before each message: whether it is compressed, and its length.
const HEAD: usize = 5;
/// Messages up to this size, in bytes, need no room: they are what proxies send all day.
const SMALL: usize = 64 << 10;

/// Room for the large messages of all streams that are being read.
#[derive(Debug)]
pub struct Room {
    bytes: Arc<Semaphore>,
    all: usize,
}

/// Why there is no next request.
#[derive(Debug)]
pub enum Broken {
    /// The client did wrong.
    Refused(NotAdmitted),
    /// The connection is gone, or the client broke the stream off.
    Transport(Status),
}

/// The requests of one stream.
pub struct Requests<M> {
    body: UnsyncBoxBody<Bytes, BoxError>,
    /// What has come and is not read.
    buffer: BytesMut,
    room: Arc<Room>,
    taken: Option<OwnedSemaphorePermit>,
    /// The largest, in bytes.
    most: usize,
    /// How long one may take from its first byte, and how long it may have to wait for room.
    patience: Duration,
    /// Until when the one that has begun has to be here, or has to have room.
    until: Option<Instant>,
    message: PhantomData<fn() -> M>,
}

impl Room {
    /// For so many bytes, and one message of the largest size at least.
    pub fn new(all: usize, largest: usize) -> Self {
        let all = all.max(largest).min(Semaphore::MAX_PERMITS);
        Self {
            bytes: Arc::new(Semaphore::new(all)),
            all,
        }
    }
}

impl<M: Message> Requests<M> {
    pub fn new<B>(body: B, room: Arc<Room>, most: usize, patience: Duration) -> Self
    where
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        Self {
            body: body.map_err(Into::into).boxed_unsync(),
            buffer: BytesMut::new(),
            room,
            taken: None,
            most,
            patience,
            until: None,
            message: PhantomData,
        }
    }

    /// The next one; nothing when the client has said its last. May be dropped and called again.
    pub async fn next(&mut self) -> Result<Option<M>, Broken> {
        loop {
            if let Some(length) = self.length().map_err(Broken::Refused)? {
                self.make_room(length).await.map_err(Broken::Refused)?;
                if self.buffer.len() >= HEAD + length {
                    return self.decode(length).map(Some).map_err(Broken::Refused);
                }
            }
            if !self.receive().await? {
                return Ok(None);
            }
        }
    }

    /// The length of the message that has begun, once it is here.
    fn length(&self) -> Result<Option<usize>, NotAdmitted> {
        let Some((head, _)) = self.buffer.split_first_chunk::<HEAD>() else {
            return Ok(None);
        };
        let [compressed, length @ ..] = *head;
        if compressed != 0 {
            let found = "it is compressed, and requests are not to be".to_owned();
            return Err(NotAdmitted::Malformed(found));
        }
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > self.most {
            return Err(NotAdmitted::RequestSize(self.most));
        }
        Ok(Some(length))
    }

    /// Waits for the room of a large message before more of it is read.
    async fn make_room(&mut self, length: usize) -> Result<(), NotAdmitted> {
        if length <= SMALL || self.taken.is_some() {
            return Ok(());
        }
        let until = *self
            .until
            .get_or_insert_with(|| Instant::now() + self.patience);
        let bytes = u32::try_from(length).unwrap_or(u32::MAX);
        let room = self.room.bytes.clone().acquire_many_owned(bytes);
        let Ok(Ok(taken)) = timeout_at(until, room).await else {
            return Err(NotAdmitted::Crowded(self.room.all));
        };
        self.taken = Some(taken);
        self.until = Some(Instant::now() + self.patience);
        Ok(())
    }

    /// Receives more, or tells that there is none.
    async fn receive(&mut self) -> Result<bool, Broken> {
        if !self.buffer.is_empty() {
            self.until
                .get_or_insert_with(|| Instant::now() + self.patience);
        }
        let frame = self.body.frame();
        let frame = match self.until {
            Some(until) => timeout_at(until, frame)
                .await
                .map_err(|_| Broken::Refused(NotAdmitted::Silent(self.patience)))?,
            None => frame.await,
        };
        match frame {
            None if self.buffer.is_empty() => Ok(false),
            None => {
                let found = "the stream ended within it".to_owned();
                Err(Broken::Refused(NotAdmitted::Malformed(found)))
            }
            Some(Err(error)) => {
                let status = Status::from_error(error);
                if status.code() == Code::Cancelled {
                    return Ok(false);
                }
                Err(Broken::Transport(status))
            }
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    self.buffer.extend_from_slice(&data);
                }
                Ok(true)
            }
        }
    }

    fn decode(&mut self, length: usize) -> Result<M, NotAdmitted> {
        let mut message = std::mem::take(&mut self.buffer);
        // A copy: what follows is not to keep the whole in memory.
        self.buffer = BytesMut::from(&message[HEAD + length..]);
        message.truncate(HEAD + length);
        message.advance(HEAD);
        let read = M::read(message.freeze());
        (self.taken, self.until) = (None, None);
        read.map_err(|error| NotAdmitted::Malformed(shown(&error)))
    }
}

#[cfg(test)]
mod tests;
