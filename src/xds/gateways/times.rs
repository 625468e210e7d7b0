//! How long the last changes of documents took until the last proxy had accepted them, by revision. Pure.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Of how many publications that is known.
const KEPT: usize = 1000;

/// The revisions that are published together: the first of them, and the last.
type Together = (i64, i64);

#[derive(Debug, Default)]
pub struct Times {
    /// What is published now, and when a source told the first of it.
    round: Option<(Together, Instant)>,
    /// What is on its way, by the numbers of the changes.
    begun: BTreeMap<u64, Together>,
    /// By the last revision, the first, and how long it took.
    took: BTreeMap<i64, (i64, Duration)>,
}

impl Times {
    /// A change of a gateway is published, with all that came after one revision up to another. What a registry tells later, when
    /// that is the newest still, is no change of that revision.
    pub fn begin(&mut self, number: u64, (after, revision): (i64, i64), began: Instant) {
        let is_later = |((_, newest), at)| revision > newest || (revision, began) == (newest, at);
        if revision <= after || !self.round.is_none_or(is_later) {
            return;
        }
        let together = (after + 1, revision);
        self.round = Some((together, began));
        self.begun.insert(number, together);
        if self.begun.len() > KEPT {
            self.begun.pop_first();
        }
    }

    /// A change was accepted by all whom it concerns.
    pub fn end(&mut self, number: u64, time: Duration) {
        let Some((first, last)) = self.begun.remove(&number) else {
            return;
        };
        let (_, slowest) = self.took.entry(last).or_insert((first, time));
        *slowest = time.max(*slowest);
        if self.took.len() > KEPT {
            self.took.pop_first();
        }
    }

    /// How long a revision took; nothing where it is not over, or not known any more, or changed nothing that proxies are sent.
    pub fn of(&self, revision: i64) -> Option<Duration> {
        let is_in = |(first, last): Together| first <= revision && revision <= last;
        let (last, (first, time)) = self.took.range(revision..).next()?;
        let under_way = self.begun.values().any(|one| is_in(*one));
        (is_in((*first, *last)) && !under_way).then_some(*time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_took_as_long_as_with_its_slowest_gateway() {
        let (mut times, at) = (Times::default(), Instant::now());
        let ms = Duration::from_millis;
        times.begin(1, (4, 7), at);
        times.begin(2, (4, 7), at);
        times.end(1, ms(5));
        assert_eq!(times.of(7), None, "the other gateway is waited for");
        times.end(2, ms(3));
        for (revision, took) in [(4, None), (5, Some(ms(5))), (7, Some(ms(5))), (8, None)] {
            assert_eq!(times.of(revision), took, "{revision}");
        }
        // An instance came later: the revision is the same, and the change is not.
        times.begin(3, (7, 7), at + ms(900));
        times.end(3, ms(800));
        assert_eq!(times.of(7), Some(ms(5)));
        // What nothing was published for took no time.
        times.begin(4, (8, 9), at + ms(1000));
        times.end(4, ms(1));
        assert_eq!((times.of(8), times.of(9)), (None, Some(ms(1))));
        for n in 0..2000 {
            let revision = 100 + i64::try_from(n).unwrap();
            times.begin(10 + n, (revision - 1, revision), at);
            times.end(10 + n, ms(1));
        }
        assert_eq!((times.took.len(), times.begun.len()), (KEPT, 0));
    }
}
