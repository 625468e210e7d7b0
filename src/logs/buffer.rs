//! Entries that wait to go to one target: which of them go when, and how many may wait.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::model::log_target::Batching;

/// Bytes of what waits.
const BYTES: usize = 16 << 20;

/// Why an entry does not wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    Full,
    /// Nobody sends what waits here any more.
    Closed,
}

#[derive(Debug)]
pub struct Buffer {
    entries: VecDeque<(Instant, String)>,
    bytes: usize,
    last: Option<Instant>,
    batching: Batching,
    most: usize,
    is_closed: bool,
}

impl Buffer {
    /// At most so many wait, or fewer where its target says so.
    pub fn new(batching: Batching, most: usize) -> Self {
        let pending = batching.pending.and_then(|most| most.try_into().ok());
        let most = pending.unwrap_or(most).min(most);
        Self {
            entries: VecDeque::new(),
            bytes: 0,
            last: None,
            batching,
            most,
            is_closed: false,
        }
    }

    pub fn push(&mut self, entry: String, now: Instant) -> Result<(), Refused> {
        if self.is_closed {
            return Err(Refused::Closed);
        }
        if self.entries.len() >= self.most || self.bytes.saturating_add(entry.len()) > BYTES {
            return Err(Refused::Full);
        }
        self.bytes += entry.len();
        self.last = Some(now);
        self.entries.push_back((now, entry));
        Ok(())
    }

    /// When the next batch is to go; nothing while none waits.
    pub fn due(&self) -> Option<Instant> {
        let (first, _) = self.entries.front()?;
        if self.entries.len() >= self.batch() {
            return Some(*first);
        }
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        let last = self.last.unwrap_or(*first);
        Some((*first + seconds(self.batching.age)).min(last + seconds(self.batching.idle)))
    }

    /// The batch that is to go by now.
    pub fn take(&mut self, now: Instant) -> Option<Vec<String>> {
        self.due().filter(|due| *due <= now)?;
        self.take_some()
    }

    /// The next batch, whether it is time or not.
    pub fn take_some(&mut self) -> Option<Vec<String>> {
        let count = self.entries.len().min(self.batch());
        let batch: Vec<_> = self
            .entries
            .drain(..count)
            .map(|(_, entry)| entry)
            .collect();
        self.bytes -= batch.iter().map(String::len).sum::<usize>();
        Some(batch).filter(|batch| !batch.is_empty())
    }

    /// Closes it where nothing waits.
    pub fn close(&mut self) -> bool {
        self.is_closed = self.entries.is_empty();
        self.is_closed
    }

    fn batch(&self) -> usize {
        usize::try_from(self.batching.most)
            .map_or(self.most, |most| most.clamp(1, self.most.max(1)))
    }
}

#[cfg(test)]
mod tests;
