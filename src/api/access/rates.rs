//! How many calls a key, or an address without one, may make: enough for tools that send all they have at once, and an end to
//! whoever never stops.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

/// So many seconds' worth of calls may come at once.
const AT_ONCE: u32 = 10;
/// Callers that are remembered.
const CALLERS: usize = 4096;

/// Calls a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallRate(pub u32);

impl Default for CallRate {
    fn default() -> Self {
        Self(1000)
    }
}

impl CallRate {
    fn at_once(self) -> u32 {
        self.0.saturating_mul(AT_ONCE)
    }
}

/// Whom a call counts for: its key where that is known, and so nobody else of its address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum By {
    Key(String),
    Address(IpAddr),
}

/// Too many calls came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TooMany {
    by: By,
    rate: CallRate,
    /// When the next one will do.
    pub rest: Duration,
}

/// What callers have left.
#[derive(Debug, Default)]
pub struct Rates {
    callers: HashMap<By, Left>,
}

#[derive(Debug)]
struct Left {
    calls: f64,
    /// When it was so.
    at: Instant,
}

impl Rates {
    /// A call comes. One that is too many counts no more.
    pub fn count(&mut self, by: By, rate: CallRate, now: Instant) -> Result<(), TooMany> {
        self.make_room(&by);
        let most = f64::from(rate.at_once());
        let left = self.callers.entry(by.clone());
        let left = left.or_insert(Left {
            calls: most,
            at: now,
        });
        let since = now.saturating_duration_since(left.at).as_secs_f64();
        left.calls = (left.calls + since * f64::from(rate.0)).min(most);
        left.at = now;
        if left.calls < 1.0 {
            let rest = Duration::from_secs_f64((1.0 - left.calls) / f64::from(rate.0.max(1)));
            return Err(TooMany { by, rate, rest });
        }
        left.calls -= 1.0;
        Ok(())
    }

    /// Forgets who has not called for the longest time, where a new one finds no place.
    fn make_room(&mut self, by: &By) {
        if self.callers.len() < CALLERS || self.callers.contains_key(by) {
            return;
        }
        let oldest = self.callers.iter().min_by_key(|(_, left)| left.at);
        if let Some(oldest) = oldest.map(|(by, _)| by.clone()) {
            self.callers.remove(&oldest);
        }
    }
}

impl fmt::Display for TooMany {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.by {
            By::Key(name) => write!(f, "the API key `{name}` makes")?,
            By::Address(ip) => write!(f, "{ip} makes")?,
        }
        let (rate, at_once) = (self.rate.0, self.rate.at_once());
        write!(
            f,
            " more calls than it may: allowed are {rate} a second and {at_once} at once (--max-call-rate)"
        )
    }
}
