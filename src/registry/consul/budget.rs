//! How many queries may be under way at once, and how long each may block.
//!
//! Consul closes the connections of a client that holds more than 200 (`http_max_conns_per_client`), and a query that
//! blocks holds one. Up to [`BLOCKING`] services each have a query that always blocks; more take turns.

#[cfg(test)]
mod tests;

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit, watch};

/// Queries that block.
const BLOCKING: usize = 130;
/// Queries that are answered at once, beside those: a new service never waits for a turn.
const IMMEDIATE: usize = 20;
/// How long it takes, roughly, until every service has had its turn.
const ROUND: Duration = Duration::from_secs(3);
/// The shortest turn that is worth a query.
const SHORTEST: Duration = Duration::from_millis(50);

/// The budget that all services share.
#[derive(Debug)]
pub struct Budget {
    wait: Duration,
    blocking: Semaphore,
    immediate: Semaphore,
    watched: watch::Sender<usize>,
}

impl Budget {
    /// A budget whose queries block for `wait` while there is room.
    pub fn new(wait: Duration) -> Self {
        Self {
            wait,
            blocking: Semaphore::new(BLOCKING),
            immediate: Semaphore::new(IMMEDIATE),
            watched: watch::Sender::new(0),
        }
    }

    /// Takes how many services are watched from now on.
    pub fn handle_watched(&self, watched: usize) {
        self.watched.send_replace(watched);
    }

    /// Waits for the place of a query that does not block; to be held until it is over.
    pub async fn immediate(&self) -> Option<SemaphorePermit<'_>> {
        // Nobody closes the semaphore, so there always is a permit.
        self.immediate.acquire().await.ok()
    }

    /// Waits for the place of a query that blocks, first come, first served; to be held until it is over.
    pub async fn blocking(&self) -> Option<SemaphorePermit<'_>> {
        self.blocking.acquire().await.ok()
    }

    /// How long a query that starts now may block.
    pub fn turn(&self) -> Duration {
        turn(*self.watched.borrow(), self.wait)
    }

    /// Waits until a query that blocks for `turn` holds a place that others need sooner.
    pub async fn crowded(&self, turn: Duration) {
        let mut watched = self.watched.subscribe();
        let crowded = watched.wait_for(|watched| *watched > BLOCKING && turn > ROUND);
        // The sender is in `self`: it cannot be gone.
        let _ = crowded.await;
    }
}

/// `wait` while each service has a place of its own, else its share of a round.
fn turn(watched: usize, wait: Duration) -> Duration {
    if watched <= BLOCKING {
        return wait;
    }
    let share = ROUND.mul_f64(BLOCKING as f64 / watched as f64);
    share.max(SHORTEST).min(wait)
}
