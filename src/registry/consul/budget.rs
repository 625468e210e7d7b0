//! How many queries may be under way at once.
//!
//! Consul closes the connections of a client address that holds more than 200 (`http_max_conns_per_client`), and a query
//! that blocks holds one. Up to [`BLOCKING`] services each have a query of their own; of more a feed tells.

use tokio::sync::{Semaphore, SemaphorePermit};

/// Queries that block.
pub const BLOCKING: usize = 130;
/// Queries that are answered at once, beside those.
pub const IMMEDIATE: usize = 20;

const _: () = assert!(BLOCKING + IMMEDIATE < 200);

/// The budget that all services share.
#[derive(Debug)]
pub struct Budget {
    blocking: Semaphore,
    immediate: Semaphore,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            blocking: Semaphore::new(BLOCKING),
            immediate: Semaphore::new(IMMEDIATE),
        }
    }
}

impl Budget {
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
