//! Bounds on what clients may do, and the token bucket that bounds rates. No clock: time is an argument.

use std::time::{Duration, Instant};

/// How many types that nobody serves a stream may ask for: more than any Envoy knows.
pub const UNSERVED: usize = 16;

/// Bounds on what clients may do.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The largest request, in bytes; one with 200,000 names has 6 MB.
    pub request_bytes: usize,
    /// Large requests of all streams that are being read at a time, in bytes together.
    pub requests_bytes: usize,
    /// How long a client may leave what it was sent unread.
    pub slow_reader: Duration,
    /// How long a connection may be without a stream at first, its handshake included, and a stream without a request.
    pub first_request: Duration,
    /// Requests a second on one stream, ten seconds' worth at once. Answers to responses do not count: there are never
    /// more of them than responses.
    pub request_rate: u32,
    /// Names that a client may want of one type on one stream.
    pub names: usize,
    /// The longest of these names, in bytes: nothing has a longer one.
    pub name_bytes: usize,
    /// Streams open at a time, of all clients; and connections as well, as one without a stream is of no use.
    pub streams: usize,
    /// New connections a second, of all clients, one second's worth at once.
    pub connection_rate: u32,
    /// How long a connection may be open on which every stream has ended.
    pub idle: Duration,
    /// Connections from one address; half of all unless given.
    pub connections_per_address: Option<usize>,
    /// How old a connection becomes, up to a tenth less, if there is a bound.
    pub connection_age: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_bytes: 16 << 20,
            requests_bytes: 256 << 20,
            slow_reader: Duration::from_secs(60),
            first_request: Duration::from_secs(30),
            request_rate: 100,
            names: 200_000,
            name_bytes: 256,
            streams: 10_000,
            connection_rate: 1_000,
            idle: Duration::from_secs(120),
            connections_per_address: None,
            connection_age: None,
        }
    }
}

impl Limits {
    /// Connections from one address: half of all, so that nobody takes the port away from everybody else, and a fleet behind
    /// one address still fits.
    pub fn per_address(&self) -> usize {
        let half = self.streams.div_ceil(2);
        self.connections_per_address.unwrap_or(half)
    }
}

/// A token bucket: what it allows at once, and how fast that comes back.
#[derive(Debug)]
pub struct Bucket {
    rate: f64,
    size: f64,
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    /// A full bucket: `rate` tokens a second, at most `seconds` of them saved.
    pub fn new(rate: u32, seconds: u32, now: Instant) -> Self {
        let size = f64::from(rate) * f64::from(seconds);
        Self {
            rate: rate.into(),
            size,
            tokens: size,
            filled: now,
        }
    }

    pub fn take(&mut self, now: Instant) -> bool {
        let since = now.saturating_duration_since(self.filled);
        self.tokens = (self.tokens + since.as_secs_f64() * self.rate).min(self.size);
        self.filled = now;
        let admits = self.tokens >= 1.0;
        if admits {
            self.tokens -= 1.0;
        }
        admits
    }
}

/// How far a client has read, at the last look.
#[derive(Debug, Default)]
pub struct Reader {
    taken: u64,
    /// Since when it is known to have taken nothing of what it was given.
    stopped: Option<Instant>,
}

impl Reader {
    /// Whether the client has taken nothing for `limit`, though there was something to take. It has taken `taken` bytes of
    /// the `given` ones.
    pub fn is_stuck(&mut self, (taken, given): (u64, u64), limit: Duration, now: Instant) -> bool {
        let moved = std::mem::replace(&mut self.taken, taken) != taken;
        if taken >= given {
            self.stopped = None;
            return false;
        }
        let since = self.stopped.filter(|_| !moved).unwrap_or(now);
        self.stopped = Some(since);
        now.saturating_duration_since(since) >= limit
    }
}

#[cfg(test)]
mod tests;
