//! What is left half-done, by a crash or by a registry that was away, and what has come to its end: undone by whichever
//! replica comes first.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::model::drain::Drain;
use crate::store::ledger::Journal;

use super::Drainer;
use super::audit::Deed;
use super::entry::{self, Entries};

/// How often the journal is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How long to wait at most when what is to be undone cannot be.
const LONGEST: Duration = Duration::from_secs(10);

/// Repairs until shutdown.
pub async fn run(drainer: Arc<Drainer>, shutdown: CancellationToken) {
    let repairing = async {
        let mut pause = LOOK;
        loop {
            // Apart from the other replicas, whose turn it is as well.
            sleep(pause.mul_f64(fastrand::f64() + 0.5)).await;
            pause = match drainer.repair().await {
                Ok(()) => LOOK,
                Err(reason) => {
                    tracing::debug!(reason, "drains cannot be repaired now");
                    (pause * 2).min(LONGEST)
                }
            };
        }
    };
    shutdown.run_until_cancelled(repairing).await;
}

/// The drains that are over, or never came into force, and that nobody works at.
pub(super) fn abandoned<'a>(
    journal: &'a Journal,
    entries: &'a Entries,
) -> impl Iterator<Item = &'a Drain> {
    entries.drains().filter(|drain| {
        let key = entry::key(drain);
        !journal.in_force.contains_key(&drain.id) && !journal.claimed.contains(&*key)
    })
}

impl Drainer {
    /// Undoes what is abandoned, until the first that cannot be.
    async fn repair(&self) -> Result<(), String> {
        let journal = self
            .ledger
            .journal()
            .await
            .map_err(|away| away.to_string())?;
        let entries = Entries::read(&journal);
        for drain in abandoned(&journal, &entries) {
            let began = Instant::now();
            let claim = self.ledger.take(&entry::key(drain), &drain.id).await;
            let Some(claim) = claim.map_err(|away| away.to_string())? else {
                continue;
            };
            let action = match is_over(drain, SystemTime::now()) {
                true => "expire",
                false => "repair",
            };
            let mut deed = Deed::new(&self.trail, action, &self.replica, "");
            deed.is_about(drain);
            let undone = self.undo(drain, &claim, true).await;
            deed.step("registry", began, undone.as_ref().err());
            undone?;
        }
        Ok(())
    }
}

/// Whether a drain has come to its end by itself.
fn is_over(drain: &Drain, now: SystemTime) -> bool {
    let created = humantime::parse_rfc3339(&drain.created);
    created.is_ok_and(|created| created + Duration::from_secs(drain.ttl.into()) <= now)
}

#[cfg(test)]
mod tests;
