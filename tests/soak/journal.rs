//! What happened when: every event is a line, and a failed request can say which came before it.

use std::fmt::Display;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The events so far.
pub struct Journal {
    began: Instant,
    last: Mutex<String>,
}

impl Journal {
    pub fn new() -> Self {
        Self {
            began: Instant::now(),
            last: Mutex::new("the start".to_owned()),
        }
    }

    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// An event.
    pub fn tell(&self, what: impl Display) {
        let line = self.line(what);
        *self.last.lock().unwrap() = line;
    }

    /// What is no event.
    pub fn note(&self, what: impl Display) {
        self.line(what);
    }

    /// The newest event.
    pub fn last(&self) -> String {
        self.last.lock().unwrap().clone()
    }

    fn line(&self, what: impl Display) -> String {
        let line = format!("{:7.1} s  {what}", self.elapsed().as_secs_f64());
        println!("{line}");
        line
    }
}
