//! What draining needs beside the calls.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use crate::config::Config;
use crate::control::question::Question;
use crate::drain::audit::{self, Trail};
use crate::drain::{Drainer, forgotten, repair};
use crate::store::ledger::Journal;

use super::tasks::Tasks;

/// Starts it. Where a store has no place for what draining writes down, nothing can be drained.
pub fn start(
    config: &Config,
    questions: mpsc::Sender<Question>,
    journal: watch::Receiver<Journal>,
    tasks: &mut Tasks,
) -> (Option<Arc<Drainer>>, Trail) {
    let Some(ledger) = config.store.ledger().map(Arc::new) else {
        return (None, Trail::to_log());
    };
    let (trail, records) = Trail::new();
    let keep = config.audit_keep;
    let writing = audit::write(ledger.clone(), records, keep, tasks.shutdown.clone());
    tasks.spawn("audit", writing);
    let template = &config.consul_agent;
    let mut registries = config.registries.iter();
    let agents = registries.find_map(|registry| registry.agents(template.clone()));
    let drainer = Arc::new(Drainer::new(
        ledger,
        agents,
        questions,
        trail.clone(),
        config.replica.clone(),
    ));
    let repairing = repair::run(drainer.clone(), journal, tasks.shutdown.clone());
    tasks.spawn("repair", repairing);
    let searching = forgotten::run(drainer.clone());
    tasks.spawn_dropped("forgotten maintenance", searching);
    (Some(drainer), trail)
}
