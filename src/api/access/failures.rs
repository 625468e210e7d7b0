//! Who guesses keys is slowed: what an address showed that nobody has, and what it gets for the next.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

/// How long a failure counts.
const WINDOW: Duration = Duration::from_secs(60);
/// So many are answered as fast as can be: a client that tries again meets no limit.
const FREE: usize = 5;
/// So many are answered at all.
const MOST: usize = 30;
/// How late the others are answered.
const LATE: Duration = Duration::from_secs(1);
/// Addresses that are remembered.
const ADDRESSES: usize = 4096;

/// What a call gets that shows an unknown key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is told so, so late.
    Told(Duration),
    /// Nothing more before this time is over.
    TooMany(Duration),
}

/// Unknown keys of the last minute.
#[derive(Debug, Default)]
pub struct Failures {
    /// When each address showed one, the oldest first; `MOST` at most.
    addresses: HashMap<IpAddr, VecDeque<Instant>>,
}

impl Failures {
    /// An address shows an unknown key. What is answered with `TooMany` counts no more.
    pub fn count(&mut self, address: IpAddr, now: Instant) -> Verdict {
        self.make_room(address);
        let times = self.addresses.entry(address).or_default();
        let age = |then: &Instant| now.saturating_duration_since(*then);
        while times.front().is_some_and(|then| age(then) >= WINDOW) {
            times.pop_front();
        }
        if let Some(oldest) = times.front()
            && times.len() >= MOST
        {
            return Verdict::TooMany(WINDOW.saturating_sub(age(oldest)));
        }
        let late = if times.len() < FREE {
            Duration::ZERO
        } else {
            LATE
        };
        times.push_back(now);
        Verdict::Told(late)
    }

    /// Forgets the address that failed the longest ago, where a new one finds no place.
    fn make_room(&mut self, address: IpAddr) {
        if self.addresses.len() < ADDRESSES || self.addresses.contains_key(&address) {
            return;
        }
        let oldest = self.addresses.iter().min_by_key(|(_, times)| times.back());
        if let Some(oldest) = oldest.map(|(address, _)| *address) {
            self.addresses.remove(&oldest);
        }
    }
}
