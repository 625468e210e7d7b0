//! When to publish: the first change at once, a burst merged.

use std::time::Duration;

use tokio::time::Instant;

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
    /// When the next publication may be.
    pub fn due(&self) -> Instant {
        self.last
            .map_or_else(Instant::now, |last| last + self.pause)
    }

    /// Whether a publication may be now.
    pub fn admits(&self, now: Instant) -> bool {
        self.last.is_none_or(|last| now >= last + self.pause)
    }

    /// Something was published: within a burst pauses grow, after one they are short again.
    pub fn published(&mut self, now: Instant) {
        let in_burst = self.last.is_some_and(|last| now < last + 2 * self.pause);
        self.pause = match in_burst {
            true => (2 * self.pause).min(LONGEST),
            false => SHORTEST,
        };
        self.last = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_change_goes_at_once_and_a_burst_is_merged() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut pace = Pace::default();
        assert!(pace.admits(at(0)));
        pace.published(at(0));
        assert!(!pace.admits(at(24)));
        assert!(pace.admits(at(25)));
        pace.published(at(25));
        assert!(
            !pace.admits(at(74)),
            "within the burst the pause has doubled"
        );
        for ms in [75, 175, 275, 375] {
            assert!(pace.admits(at(ms)));
            pace.published(at(ms));
        }
        assert!(!pace.admits(at(474)));
        assert!(pace.admits(at(475)), "no pause is longer than 100 ms");
        pace.published(at(2000));
        assert!(pace.admits(at(2025)), "after the burst it is short again");
    }
}
