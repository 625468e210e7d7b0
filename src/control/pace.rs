//! When to publish: the first change at once, a burst merged. Pure: time is an argument.

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
    /// When the next publication may be: at once, or later.
    pub fn due(&self, now: Instant) -> Instant {
        self.last.map_or(now, |last| now.max(last + self.pause))
    }

    /// Whether a publication may be now.
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
mod tests {
    use super::*;

    #[test]
    fn first_change_goes_at_once_and_a_burst_is_merged() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut pace = Pace::default();
        assert!(pace.admits(at(0)));
        assert_eq!(pace.due(at(7)), at(7));
        pace.published(at(0));
        assert_eq!(pace.due(at(1)), at(25));
        assert_eq!(pace.due(at(30)), at(30));
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
