//! The targets that documents name: each has entries that wait for it, and a task that sends them, until nothing has come for
//! a while. What does not get there is counted, and said.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::process;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::{sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

use super::buffer::{Buffer, Refused};
use super::encode::{self, Batch};
use super::entry::Entry;
use super::kafka::Link;
use super::send::Sinks;
use crate::model::log_target::LogTarget;
use crate::telemetry::metrics::{LogMetrics, Reason};

/// How many there are at once.
const MOST: usize = 256;
/// A target of which nothing was heard for so long is forgotten.
const IDLE: Duration = Duration::from_secs(600);
/// How long those that wait at the end may take.
const LAST: Duration = Duration::from_secs(10);
/// How often it is said that a target takes nothing.
const SAID: Duration = Duration::from_secs(10);
/// No target is tried again at once.
const PAUSE: Duration = Duration::from_millis(10);

/// Why entries are lost.
mod reason {
    pub const FULL: &str = "full";
    pub const TARGETS: &str = "targets";
    pub const UNKNOWN: &str = "unknown";
    pub const LARGE: &str = "large";
    pub const REFUSED: &str = "refused";
    pub const END: &str = "end";
}

struct Queue {
    target: LogTarget,
    name: String,
    waiting: Mutex<Buffer>,
    came: Notify,
}

/// How it goes with a target.
#[derive(Default)]
struct Course {
    /// When it was last said that it takes nothing.
    said: Option<Instant>,
    link: Link,
}

/// All of them, by the lines that routes have for them.
pub struct Targets {
    all: Mutex<HashMap<Arc<str>, Arc<Queue>>>,
    /// By reason and target, since it was last said.
    losses: Mutex<BTreeMap<(&'static str, String), u64>>,
    sinks: Sinks,
    /// How many entries may wait for one.
    most: usize,
    pub(super) metrics: Arc<LogMetrics>,
    tasks: TaskTracker,
    ending: CancellationToken,
}

impl fmt::Debug for Targets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Targets").finish_non_exhaustive()
    }
}

impl Targets {
    pub fn new(sinks: Sinks, most: usize) -> Arc<Self> {
        Arc::new(Self {
            all: Mutex::default(),
            losses: Mutex::default(),
            sinks,
            most,
            metrics: Arc::default(),
            tasks: TaskTracker::new(),
            ending: CancellationToken::new(),
        })
    }

    /// Has an entry wait for each of its targets.
    pub fn take(self: &Arc<Self>, entry: &Entry) {
        self.metrics.entries.inc();
        for line in entry.targets() {
            self.push(line, entry);
        }
    }

    fn push(self: &Arc<Self>, line: &str, entry: &Entry) {
        loop {
            let queue = match self.queue(line) {
                Ok(queue) => queue,
                Err(reason) => return self.lose(reason, "", 1),
            };
            let text = encode::entry(entry, &queue.target, process::id());
            match locked(&queue.waiting).push(text, Instant::now()) {
                Ok(()) => {
                    self.metrics.waiting.inc();
                    queue.came.notify_one();
                    return;
                }
                Err(Refused::Full) => return self.lose(reason::FULL, &queue.name, 1),
                // It was forgotten just now.
                Err(Refused::Closed) => {}
            }
        }
    }

    /// The target of a line, with a task that sends to it.
    fn queue(self: &Arc<Self>, line: &str) -> Result<Arc<Queue>, &'static str> {
        let mut all = locked(&self.all);
        if let Some(queue) = all.get(line) {
            return Ok(queue.clone());
        }
        let target = LogTarget::read(line).map_err(|_| reason::UNKNOWN)?;
        if all.len() >= MOST {
            return Err(reason::TARGETS);
        }
        let line: Arc<str> = line.into();
        let queue = Arc::new(Queue {
            name: target.name(),
            waiting: Mutex::new(Buffer::new(target.batch, self.most)),
            came: Notify::new(),
            target,
        });
        all.insert(line.clone(), queue.clone());
        self.metrics.targets.set(count(all.len()));
        self.tasks.spawn(self.clone().send_all(line, queue.clone()));
        Ok(queue)
    }

    /// Sends what waits, until nothing has come for a while or this process ends.
    async fn send_all(self: Arc<Self>, line: Arc<str>, queue: Arc<Queue>) {
        let mut course = Course::default();
        loop {
            let (batch, due) = {
                let mut waiting = locked(&queue.waiting);
                let batch = if self.ending.is_cancelled() {
                    waiting.take_some()
                } else {
                    waiting.take(Instant::now())
                };
                (batch, waiting.due())
            };
            if let Some(batch) = batch {
                self.send(&queue, &batch, &mut course).await;
                continue;
            }
            let until = due.unwrap_or_else(|| Instant::now() + IDLE);
            tokio::select! {
                () = queue.came.notified() => continue,
                () = self.ending.cancelled() => {}
                () = sleep_until(until.into()) => {}
            }
            if due.is_none() && self.forget(&line, &queue) {
                return;
            }
        }
    }

    fn forget(&self, line: &str, queue: &Queue) -> bool {
        let mut all = locked(&self.all);
        let is_over = locked(&queue.waiting).close();
        if is_over {
            all.remove(line);
            self.metrics.targets.set(count(all.len()));
        }
        is_over
    }

    /// Sends a batch but for what no target of its kind can take.
    async fn send(&self, queue: &Queue, batch: &[String], course: &mut Course) {
        let LogTarget { to, batch: how, .. } = &queue.target;
        let Batch { pieces, large } = encode::batch(to, batch, how.most);
        if large > 0 {
            self.lose(reason::LARGE, &queue.name, large);
        }
        if !pieces.is_empty() {
            let entries = batch.len().saturating_sub(large);
            self.send_often(queue, &pieces, entries, course).await;
        }
        self.metrics.waiting.dec_by(count(batch.len()));
    }

    /// Sends it as often as its target says.
    async fn send_often(
        &self,
        queue: &Queue,
        pieces: &[Bytes],
        entries: usize,
        course: &mut Course,
    ) {
        let LogTarget { to, batch: how, .. } = &queue.target;
        let mut left = how.retries;
        let refused = loop {
            let error = match self.sinks.send(&mut course.link, to, pieces).await {
                Ok(refused) => break refused.min(entries),
                Err(error) => error,
            };
            self.metrics.failures.inc();
            if course.said.is_none_or(|last| last.elapsed() >= SAID) {
                course.said = Some(Instant::now());
                warn!(to = queue.name, %error, retries = left, "a target does not take entries");
            }
            if left == 0 || self.ending.is_cancelled() {
                return self.lose(reason::REFUSED, &queue.name, entries);
            }
            left -= 1;
            let pause = Duration::from_secs(how.pause.into()).max(PAUSE);
            tokio::select! {
                () = sleep(pause) => {}
                () = self.ending.cancelled() => {}
            }
        };
        if refused > 0 {
            self.lose(reason::REFUSED, &queue.name, refused);
        }
        let entries = (entries - refused).try_into().unwrap_or(u64::MAX);
        self.metrics.sent.inc_by(entries);
    }

    fn lose(&self, reason: &'static str, name: &str, entries: usize) {
        let entries = u64::try_from(entries).unwrap_or(u64::MAX);
        self.metrics
            .lost
            .get_or_create(&Reason { reason })
            .inc_by(entries);
        let mut losses = locked(&self.losses);
        *losses.entry((reason, name.to_owned())).or_default() += entries;
    }

    /// Says what was lost since the last time.
    pub fn tell_losses(&self) {
        for ((reason, target), entries) in std::mem::take(&mut *locked(&self.losses)) {
            warn!(reason, to = target, entries, "entries are lost");
        }
    }

    /// Sends what still waits, once more and in no time without end.
    pub async fn end(&self) {
        self.ending.cancel();
        self.tasks.close();
        if timeout(LAST, self.tasks.wait()).await.is_err() {
            let left = usize::try_from(self.metrics.waiting.get()).unwrap_or_default();
            self.lose(reason::END, "", left);
        }
        self.tell_losses();
    }
}

/// What is in there was whole before any panic.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn count(number: usize) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}
