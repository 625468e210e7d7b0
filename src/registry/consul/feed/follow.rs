//! One list of Consul's, asked by blocking queries for as long as the feed lives. Knows nothing of what the list says.
//!
//! The rules of the index are those of [`poll`](super::super::poll): one that goes back is asked again before it is
//! believed, an error forgets it, and a query that tells nothing new is not repeated at once.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use backon::BackoffBuilder;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::super::budget::Budget;
use super::super::client::Client;
use super::super::error::Error;
use super::super::poll::{IDLE, PAUSES};
use super::super::query::Query;

/// What a query told.
#[derive(Debug)]
pub enum Heard {
    /// The list, as it is now.
    List {
        /// JSON.
        body: Vec<u8>,
        /// Whether it is the first one, or the first after a failure or an index that went back: of what was in between
        /// nothing is known.
        anew: bool,
    },
    /// It is as it was.
    Same,
    /// There is no answer.
    Lost(Error),
}

/// How to follow a list.
#[derive(Debug)]
pub struct Follow {
    pub client: Arc<Client>,
    pub budget: Arc<Budget>,
    /// How long a query blocks.
    pub wait: Duration,
    /// How long after the begin of a query the next one may begin at the soonest.
    pub pace: Duration,
    /// How often any of the feed's lists was lost. A Consul that is wiped while a list pauses has lower indexes than this
    /// one remembers, and would block in full on it.
    pub losses: Arc<AtomicU64>,
}

impl Follow {
    /// Asks until nobody listens any more.
    pub async fn run<T>(self, query: Query<'_>, heard: mpsc::Sender<T>, tell: impl Fn(Heard) -> T) {
        let mut index = None;
        let mut pauses = PAUSES.build();
        let mut losses = 0;
        loop {
            let began = Instant::now();
            if losses != self.losses.load(Ordering::Relaxed) {
                losses = self.losses.load(Ordering::Relaxed);
                index = None;
            }
            let (news, next) = match self.ask(query, index).await {
                Ok(response) => {
                    pauses = PAUSES.build();
                    // Consul says 0 by mistake only; a query that names it would not block.
                    let answered = NonZeroU64::new(response.index).unwrap_or(NonZeroU64::MIN);
                    if index.is_some_and(|index| answered < index) {
                        index = None;
                        continue;
                    }
                    let before = index.replace(answered);
                    let news = if before == index {
                        Heard::Same
                    } else {
                        Heard::List {
                            // It may lie for a while: others are to have its turn.
                            body: response.body.into_bytes(),
                            anew: before.is_none(),
                        }
                    };
                    let pace = match news {
                        Heard::Same => self.pace.max(IDLE),
                        _ => self.pace,
                    };
                    (news, began + pace)
                }
                Err(error) => {
                    self.losses.fetch_add(1, Ordering::Relaxed);
                    let pause = pauses.next().unwrap_or_default();
                    let pause = pause + error.retry_after().unwrap_or_default();
                    (Heard::Lost(error), Instant::now() + pause)
                }
            };
            if heard.send(tell(news)).await.is_err() {
                return;
            }
            sleep_until(next).await;
        }
    }

    async fn ask(
        &self,
        query: Query<'_>,
        index: Option<NonZeroU64>,
    ) -> Result<super::super::client::Response, Error> {
        let _place = self.budget.blocking().await;
        match index {
            None => self.client.ask(query).await,
            Some(index) => self.client.ask_after(query, index, self.wait).await,
        }
    }
}
