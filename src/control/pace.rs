//! When to publish: the first change at once, a burst merged. Pure: time is an argument.

use std::time::{Duration, Instant};

/// The pause after a publication that nobody has to notice.
const SHORTEST: Duration = Duration::from_millis(25);
/// The pause that a lasting burst is merged over.
const LONGEST: Duration = Duration::from_millis(100);

/// When to publish.
#[derive(Debug, Default)]
pub struct Pace {
    last: Option<Instant>,
    pause: Duration,
}

impl Pace {
    /// When the next publication may be: at once, or later.
    pub fn due(&self, now: Instant) -> Instant {
        self.last.map_or(now, |last| now.max(last + self.pause))
    }

    pub fn admits(&self, now: Instant) -> bool {
        self.due(now) <= now
    }

    /// Something was published: within a burst pauses grow, after one they are short again.
    pub fn published(&mut self, now: Instant) {
        let in_burst = self.last.is_some_and(|last| now < last + 2 * self.pause);
        self.pause = if in_burst {
            (2 * self.pause).min(LONGEST)
        } else {
            SHORTEST
        };
        self.last = Some(now);
    }
}

#[cfg(test)]
mod tests;
