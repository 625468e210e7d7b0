//! How many queries may be under way at once.
//!
//! Consul closes the connections of a client address that holds more than 200 (`http_max_conns_per_client`), and a query
//! that blocks holds one. As many services as there are places for such queries each have one of their own; of more a feed
//! tells.

use tokio::sync::{Semaphore, SemaphorePermit};

/// How many there are unless fewer files may be open.
pub const CONNECTIONS: usize = 150;
/// The most that do not block.
pub const IMMEDIATE: usize = 20;

const _: () = assert!(CONNECTIONS < 200);

/// The budget that all services share.
#[derive(Debug)]
pub struct Budget {
    /// How many queries may block.
    pub places: usize,
    blocking: Semaphore,
    immediate: Semaphore,
}

impl Budget {
    /// For so many connections.
    pub fn new(connections: usize) -> Self {
        let immediate = (connections / 4).clamp(1, IMMEDIATE);
        let places = connections.saturating_sub(immediate).max(1);
        Self {
            places,
            blocking: Semaphore::new(places),
            immediate: Semaphore::new(immediate),
        }
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
}
