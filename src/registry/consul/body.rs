//! The bodies of Consul's answers: bounded one by one and all together, so that large ones take turns. Small ones never wait,
//! whatever stalls.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Bodies up to this size take no turn; services have some hundred instances.
const SMALL: usize = 256 << 10;
/// Bodies up to this size are large, and those beyond are huge: 8,000 instances.
const LARGE: usize = 8 << 20;
/// A body beyond this is none: 20,000 instances take some 20 MiB.
pub const MOST: usize = 256 << 20;
/// How many large ones are read at a time. Of huge ones it is one.
const TURNS: usize = 16;
/// How long a body may take from when it has its turn: one that stalls keeps the others waiting no longer.
const READ: Duration = Duration::from_secs(60);

/// The turns of all answers.
#[derive(Debug, Clone)]
pub struct Turns {
    large: Arc<Semaphore>,
    huge: Arc<Semaphore>,
    read: Duration,
}

/// A complete body, and its turn until it has been dropped.
#[derive(Debug, Default)]
pub struct Body {
    bytes: Vec<u8>,
    turn: Option<OwnedSemaphorePermit>,
}

/// Why there is no body.
#[derive(Debug)]
pub enum Error {
    /// The connection broke, or the time for the whole answer is over.
    Lost(reqwest::Error),
    /// It is larger than that.
    TooLarge(usize),
    /// It had its turn, and was not complete in that time.
    Slow(Duration),
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            large: Arc::new(Semaphore::new(TURNS)),
            huge: Arc::new(Semaphore::new(1)),
            read: READ,
        }
    }
}

impl Turns {
    /// Reads a body to its end.
    pub async fn read(&self, response: &mut reqwest::Response) -> Result<Body, Error> {
        let mut body = Body::default();
        if body.read(response, SMALL).await? {
            return Ok(body);
        }
        // Whoever waits for the second has the first, and nobody who has the second waits.
        for (turns, most) in [(&self.large, LARGE), (&self.huge, MOST)] {
            // Nobody closes them.
            body.turn = turns.clone().acquire_owned().await.ok().or(body.turn);
            let read = timeout(self.read, body.read(response, most)).await;
            if read.map_err(|_| Error::Slow(self.read))?? {
                return Ok(body);
            }
        }
        Err(Error::TooLarge(MOST))
    }
}

impl Body {
    /// Reads on until there is no more, or more than that many bytes. Tells whether it is complete.
    async fn read(&mut self, response: &mut reqwest::Response, most: usize) -> Result<bool, Error> {
        while self.bytes.len() <= most {
            match response.chunk().await.map_err(Error::Lost)? {
                Some(chunk) => self.bytes.extend_from_slice(&chunk),
                None => return Ok(true),
            }
        }
        Ok(false)
    }

    /// One of an answer that is small by its nature.
    pub async fn small(response: &mut reqwest::Response) -> Result<Vec<u8>, Error> {
        let mut body = Self::default();
        if body.read(response, SMALL).await? {
            Ok(body.bytes)
        } else {
            Err(Error::TooLarge(SMALL))
        }
    }

    /// The bytes alone; its turn is given up.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, turn: None }
    }
}

#[cfg(test)]
mod tests;
