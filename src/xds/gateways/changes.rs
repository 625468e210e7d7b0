//! How long changes take: from what a source told until the last proxy that a change concerns has accepted it. Pure: time is an
//! argument.
//!
//! What is published at once is one change of its gateway, as old as the first thing that it follows from. Streams are waited for that
//! have accepted everything once, were there when it was published, and are still there. Each of them has to accept that snapshot or a
//! later one: one that refuses it goes on being waited for.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Place;
use super::traced::{Answer, Push, Pushed};
use crate::telemetry::traces::{Context, Span};

/// What is not accepted by then counts as having taken longer, and is not followed any further: some proxy may never answer.
pub const LONGEST: Duration = Duration::from_secs(60);
/// While so many changes are followed no other is: somebody answers nothing, and these tell it.
const FOLLOWED: usize = 4096;

/// How long a change of a gateway took.
#[derive(Debug, PartialEq, Eq)]
pub struct Took {
    /// Which change it was.
    pub number: u64,
    pub gateway: Arc<str>,
    pub time: Duration,
}

/// The changes that are on their way.
#[derive(Debug, Default)]
pub struct Changes {
    /// Oldest first.
    followed: BTreeMap<u64, Change>,
    begun: u64,
    lines: HashMap<Place, Line>,
    /// What is traced and is over.
    pushed: Vec<Pushed>,
}

#[derive(Debug)]
struct Change {
    gateway: Arc<str>,
    began: Instant,
    /// Where it is waited for.
    places: usize,
    /// When a proxy accepted something of it, last.
    accepted: Option<Instant>,
}

/// The streams that are served the same.
#[derive(Debug, Default)]
struct Line {
    streams: usize,
    /// The newest snapshot that is followed.
    newest: u64,
    /// Oldest first. None is waited for by more streams than one that came later.
    awaited: VecDeque<Awaited>,
}

/// A snapshot that streams have not accepted.
#[derive(Debug)]
struct Awaited {
    sequence: u64,
    change: u64,
    streams: usize,
    /// What is traced of it.
    push: Option<Box<Push>>,
}

impl Awaited {
    /// What is traced of it, now that it is over.
    fn pushed(&mut self, place: &Place, overdue: Option<Instant>) -> Option<Pushed> {
        Some(Pushed {
            place: place.clone(),
            push: self.push.take()?,
            overdue,
        })
    }
}

impl Changes {
    /// A stream has accepted everything for the first time. Tells after which snapshot it is waited for.
    pub fn join(&mut self, place: &Place) -> u64 {
        let line = self.lines.entry(place.clone()).or_default();
        line.streams += 1;
        line.newest
    }

    /// A change of a gateway is about to be published, as these snapshots. Traced changes are in it, and now is when, if any are. Tells
    /// its number.
    pub fn begin(
        &mut self,
        began: Instant,
        snapshots: impl IntoIterator<Item = (Place, u64)>,
        traced: Option<(&[Context], Instant)>,
    ) -> u64 {
        let number = self.begun;
        if self.followed.len() >= FOLLOWED {
            return number;
        }
        for (place, sequence) in snapshots {
            let Some(line) = self.lines.get_mut(&place) else {
                continue;
            };
            line.newest = sequence;
            line.awaited.push_back(Awaited {
                sequence,
                change: self.begun,
                streams: line.streams,
                push: traced.map(|(contexts, now)| Box::new(Push::new(contexts, now))),
            });
            let change = self.followed.entry(self.begun).or_insert(Change {
                gateway: place.0,
                began,
                places: 0,
                accepted: None,
            });
            change.places += 1;
        }
        self.begun += 1;
        number
    }

    /// A stream that had accepted everything up to one snapshot has up to another. `accepted` is what it answered last; nothing when
    /// there was nothing to answer.
    pub fn advance(
        &mut self,
        place: &Place,
        (from, to): (u64, u64),
        accepted: Option<&Answer>,
    ) -> Vec<Took> {
        let Some(line) = self.lines.get_mut(place) else {
            return Vec::new();
        };
        let begin = line.awaited.partition_point(|one| one.sequence <= from);
        let end = line.awaited.partition_point(|one| one.sequence <= to);
        for one in line.awaited.range_mut(begin..end.max(begin)) {
            one.streams = one.streams.saturating_sub(1);
            if let Some(change) = self.followed.get_mut(&one.change) {
                let own = accepted.filter(|answer| answer.at >= change.began);
                change.accepted = change.accepted.max(own.map(|answer| answer.at));
                if let (Some(push), Some(own)) = (&mut one.push, own) {
                    push.accept(own);
                }
            }
        }
        let over = line.awaited.partition_point(|one| one.streams == 0);
        let mut changes = Vec::with_capacity(over);
        for mut one in line.awaited.drain(..over) {
            changes.push(one.change);
            self.pushed.extend(one.pushed(place, None));
        }
        self.end(changes)
    }

    /// A stream that had accepted everything up to one snapshot refused another. Tells what is traced of that.
    pub fn refuse(
        &mut self,
        place: &Place,
        (from, sequence): (u64, u64),
        answer: &Answer,
        error: &str,
    ) -> Vec<Span> {
        let Some(line) = self.lines.get_mut(place) else {
            return Vec::new();
        };
        let refused = line.awaited.iter_mut();
        let refused = refused.filter(|one| from < one.sequence && one.sequence <= sequence);
        let pushes = refused.filter_map(|one| one.push.as_mut());
        pushes.flat_map(|push| push.refuse(answer, error)).collect()
    }

    /// What was traced and is over.
    pub fn take_pushed(&mut self) -> Vec<Pushed> {
        std::mem::take(&mut self.pushed)
    }

    /// A stream is gone that had accepted everything up to there: nobody waits for it.
    pub fn leave(&mut self, place: &Place, from: u64) -> Vec<Took> {
        let took = self.advance(place, (from, u64::MAX), None);
        if let Some(line) = self.lines.get_mut(place) {
            line.streams = line.streams.saturating_sub(1);
            if line.streams == 0 {
                self.lines.remove(place);
            }
        }
        took
    }

    /// There is nothing any more for a place to accept.
    pub fn give_up(&mut self, place: &Place) -> Vec<Took> {
        let line = self.lines.get_mut(place);
        let awaited = line.map(|line| std::mem::take(&mut line.awaited));
        let over = awaited.into_iter().flatten().map(|one| one.change);
        let over = over.collect();
        self.end(over)
    }

    /// What was not accepted for too long.
    pub fn take_overdue(&mut self, now: Instant) -> Vec<Took> {
        let mut overdue = Vec::new();
        while let Some(first) = self.followed.first_entry() {
            let time = now.saturating_duration_since(first.get().began);
            if time < LONGEST {
                break;
            }
            let number = *first.key();
            let gateway = first.remove().gateway;
            overdue.push(Took {
                number,
                gateway,
                time,
            });
        }
        if !overdue.is_empty() {
            let followed = &self.followed;
            for (place, line) in &mut self.lines {
                line.awaited.retain_mut(|one| {
                    let is_followed = followed.contains_key(&one.change);
                    if !is_followed {
                        self.pushed.extend(one.pushed(place, Some(now)));
                    }
                    is_followed
                });
            }
        }
        overdue
    }

    /// These are waited for in one place less. Those that are over count when anybody was sent anything.
    fn end(&mut self, changes: Vec<u64>) -> Vec<Took> {
        let mut took = Vec::new();
        for number in changes {
            let Some(change) = self.followed.get_mut(&number) else {
                continue;
            };
            change.places = change.places.saturating_sub(1);
            if change.places > 0 {
                continue;
            }
            if let Some(change) = self.followed.remove(&number)
                && let Some(accepted) = change.accepted
            {
                let time = accepted.saturating_duration_since(change.began);
                let gateway = change.gateway;
                took.push(Took {
                    number,
                    gateway,
                    time,
                });
            }
        }
        took
    }
}

#[cfg(test)]
mod tests;
