//! How this process was started, and what it said last.

use tokio::sync::watch;

use crate::telemetry::logs::Last;

use super::pb;

/// What is told of the process.
#[derive(Debug, Clone)]
pub struct Process {
    /// The settings in force, without secrets.
    pub settings: watch::Receiver<Vec<pb::Setting>>,
    pub log: Last,
}

impl Default for Process {
    /// Of one that was started without settings.
    fn default() -> Self {
        Self {
            settings: watch::channel(Vec::new()).1,
            log: Last::default(),
        }
    }
}

impl Process {
    pub fn read(&self) -> pb::ProcessReport {
        let (log, lines_before) = self.log.lines();
        pb::ProcessReport {
            settings: self.settings.borrow().clone(),
            log,
            lines_before,
        }
    }
}
