//! How a source of inputs (etcd, Consul, a folder) fares: when it last answered, and what is wrong now.
//!
//! The one place that says "lost" and "back": one line at each turn, none for every retry.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::Notify;

/// How one source fares. Cheap to clone; all clones are the same source.
#[derive(Debug, Clone)]
pub struct Source {
    name: &'static str,
    state: Arc<Mutex<State>>,
    /// Wakes who watches it when what was emptied is meant to be empty.
    meant: Arc<Notify>,
}

#[derive(Debug, Default)]
struct State {
    answered: Option<Instant>,
    failing: Option<Failure>,
    saved: Option<SystemTime>,
    emptied: Option<Arc<str>>,
    /// Whether nobody asks it: then it is not told of.
    idle: bool,
}

#[derive(Debug)]
struct Failure {
    since: Instant,
    error: String,
}

/// What [`Source::report`] tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// `etcd`, `consul`, `files`.
    pub name: &'static str,
    /// How long ago it last answered; nothing when it never has.
    pub age: Option<Duration>,
    /// The error that stands since the last answer.
    pub error: Option<String>,
    /// How old what is served in its place is: saved by an earlier process, not said by the source yet.
    pub saved: Option<Duration>,
}

impl Source {
    /// A source that has not answered yet.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            state: Arc::default(),
            meant: Arc::default(),
        }
    }

    /// Whether it is asked for anything at all.
    pub fn asked(&self, is_asked: bool) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.idle = !is_asked;
        if !is_asked {
            (state.answered, state.failing) = (None, None);
        }
    }

    /// How those fare that are asked for anything.
    pub fn reports(all: &[Self]) -> impl Iterator<Item = Report> {
        let is_idle = |source: &&Self| {
            let state = source.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.idle
        };
        all.iter()
            .filter(move |one| !is_idle(one))
            .map(Self::report)
    }

    /// `etcd`, `consul`, `files`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The source answered, be it "nothing new".
    pub fn answered(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.answered = Some(Instant::now());
        if let Some(failure) = state.failing.take() {
            let away_ms = super::millis(failure.since.elapsed());
            tracing::info!(source = %self.name, away_ms, "source answers again");
        }
    }

    /// The source failed; what it said before stays in force. `error` holds no secret.
    pub fn failed(&self, error: &dyn std::fmt::Display) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let text = error.to_string();
        match &mut state.failing {
            Some(failure) if failure.error == text => {}
            Some(failure) => {
                tracing::debug!(source = %self.name, error = text, "source still fails");
                failure.error = text;
            }
            None => {
                match state.answered {
                    Some(_) => {
                        tracing::warn!(source = %self.name, error = text, "source is lost: the last good state stays, retrying");
                    }
                    None => {
                        tracing::warn!(source = %self.name, error = text, "source does not answer yet, retrying")
                    }
                }
                state.failing = Some(Failure {
                    since: Instant::now(),
                    error: text,
                });
            }
        }
    }

    /// What it said to an earlier process, as of then, is served in its place; or is no longer.
    pub fn replaced_by_saved(&self, as_of: Option<SystemTime>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.saved = as_of;
    }

    /// A folder of it had files and has none, which is not known to be meant; or no folder any more.
    pub fn emptied(&self, folder: Option<Arc<str>>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.emptied = folder;
    }

    /// The folder that had files and has none.
    pub fn emptied_folder(&self) -> Option<Arc<str>> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.emptied.clone()
    }

    /// What was emptied is meant to be empty.
    pub fn accept_empty(&self) {
        self.meant.notify_one();
    }

    /// Waits until somebody says that it is meant.
    pub async fn accepted_empty(&self) {
        self.meant.notified().await;
    }

    /// When what it said last was known to be so: now, unless it is lost.
    pub fn as_of(&self) -> SystemTime {
        let now = SystemTime::now();
        let report = self.report();
        let lost = report.error.and(report.age);
        lost.and_then(|age| now.checked_sub(age)).unwrap_or(now)
    }

    /// How it fares now.
    pub fn report(&self) -> Report {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        Report {
            name: self.name,
            age: state.answered.map(|at| at.elapsed()),
            error: state.failing.as_ref().map(|failure| failure.error.clone()),
            // A clock that was set back makes it new rather than old.
            saved: state.saved.map(|as_of| as_of.elapsed().unwrap_or_default()),
        }
    }
}
