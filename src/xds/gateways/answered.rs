//! Up to which snapshot each stream has answered what it was sent, so that what one refuses is judged when all have spoken.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Place;
use crate::snapshot::ResourceType;

/// Up to which snapshot one stream has answered.
#[derive(Debug)]
pub struct Answered {
    place: Place,
    by_type: [AtomicU64; ResourceType::ALL.len()],
}

impl Answered {
    /// A stream that has asked for nothing: nobody waits for its answer.
    pub fn new(place: Place) -> Self {
        Self {
            place,
            by_type: ResourceType::ALL.map(|_| AtomicU64::new(u64::MAX)),
        }
    }

    pub fn place(&self) -> &Place {
        &self.place
    }

    pub fn note(&self, of: ResourceType, sequence: u64) {
        self.by_type[of.index()].store(sequence, Ordering::Release);
    }

    pub fn get(&self, of: ResourceType) -> u64 {
        self.by_type[of.index()].load(Ordering::Acquire)
    }
}
