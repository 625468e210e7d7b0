//! Wishes for earlier forms of documents, answered one after the other beside the watch.

use std::convert::Infallible;
use std::future::pending;

use tokio::sync::mpsc;

use super::broken::Broken;
use super::connection::Connection;
use super::keys::Keys;
use super::room;
use crate::store::{Event, PriorRevision};

/// Wishes, and the one that is being answered: a lost connection does not lose it.
pub(super) struct Wishes {
    queue: mpsc::UnboundedReceiver<PriorRevision>,
    current: Option<PriorRevision>,
}

impl Wishes {
    pub(super) fn new(queue: mpsc::UnboundedReceiver<PriorRevision>) -> Self {
        Self {
            queue,
            current: None,
        }
    }

    /// Answers wishes for as long as the connection is good. May be dropped at any await.
    pub(super) async fn answer(
        &mut self,
        connection: &Connection,
        keys: &Keys,
        events: &mpsc::Sender<Event>,
    ) -> Result<Infallible, Broken> {
        loop {
            if self.current.is_none() {
                self.current = self.queue.recv().await;
            }
            let Some(PriorRevision { path, revision }) = self.current.clone() else {
                // Nobody wishes any more.
                return pending().await;
            };
            let found = match connection.at(&keys.key(&path), Some(revision - 1)).await {
                Ok(found) => found.values.into_iter().next(),
                Err(broken) if broken.history_is_gone() => None,
                Err(broken) => return Err(broken),
            };
            let document = found.and_then(|value| keys.document(value));
            room(events)
                .await
                .send(Event::PriorRevision { path, document });
            self.current = None;
        }
    }
}
