//! What is left half-done, by a crash or by a registry that was away, and what has come to its end: undone by whichever
//! replica comes first. What cannot be undone now, since its agent is away, is tried again later, and keeps nothing else.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::model::drain::Drain;
use crate::store::ledger::Journal;

use super::Drainer;
use super::audit::Deed;
use super::entry::{self, Entries};

/// How often the journal is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How long to wait at most when etcd is away.
const LONGEST: Duration = Duration::from_secs(10);
/// How long at most an entry is left alone that could not be undone.
const POSTPONED: Duration = Duration::from_secs(30);
/// How many entries are undone at a time, and between two looks: an agent that is away takes its time.
const AT_ONCE: usize = 16;
const BETWEEN: usize = 64;

/// The drains that could not be undone: when they are tried again, and the pause before that.
type Postponed = HashMap<Arc<str>, (Instant, Duration)>;

/// Repairs until shutdown.
pub async fn run(drainer: Arc<Drainer>, shutdown: CancellationToken) {
    let repairing = async {
        let mut pause = LOOK;
        let mut postponed = Postponed::new();
        loop {
            // Apart from the other replicas, whose turn it is as well.
            sleep(pause.mul_f64(fastrand::f64() + 0.5)).await;
            pause = match drainer.repair(&mut postponed).await {
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
    /// Undoes what is abandoned; those first that have not been tried in vain.
    async fn repair(&self, postponed: &mut Postponed) -> Result<(), String> {
        let journal = self.ledger.journal().await;
        let journal = journal.map_err(|away| away.to_string())?;
        let entries = self.entries(&journal);
        let mut due: Vec<_> = abandoned(&journal, &entries).collect();
        postponed.retain(|id, _| due.iter().any(|drain| drain.id == *id));
        let now = Instant::now();
        due.retain(|drain| {
            let later = postponed.get(&drain.id);
            later.is_none_or(|(until, _)| *until <= now)
        });
        due.sort_by_key(|drain| postponed.get(&drain.id).map(|(_, pause)| *pause));
        due.truncate(BETWEEN);
        for some in due.chunks(AT_ONCE) {
            let tries = some.iter().map(|drain| {
                let first = !postponed.contains_key(&drain.id);
                self.repair_one(drain, first)
            });
            let outcomes = join_all(tries).await;
            for (drain, outcome) in some.iter().zip(outcomes) {
                if outcome.is_ok() {
                    postponed.remove(&drain.id);
                    continue;
                }
                let before = postponed.get(&drain.id).map(|(_, pause)| *pause);
                let pause = before.map_or(LOOK, |before| (before * 2).min(POSTPONED));
                postponed.insert(drain.id.clone(), (Instant::now() + pause, pause));
            }
        }
        Ok(())
    }

    /// Undoes one, if nobody else does. Only the first try is noted when it fails.
    async fn repair_one(&self, drain: &Drain, first: bool) -> Result<(), String> {
        let began = Instant::now();
        let claim = self.ledger.take(&entry::key(drain), &drain.id).await;
        let Some(claim) = claim.map_err(|away| away.to_string())? else {
            return Ok(());
        };
        let action = match is_over(drain, SystemTime::now()) {
            true => "expire",
            false => "repair",
        };
        let mut deed = Deed::new(&self.trail, action, &self.replica, "");
        deed.is_about(drain);
        let undone = self.undo(drain, &claim, true).await;
        if first || undone.is_ok() {
            deed.step("registry", began, undone.as_ref().err());
        }
        undone
    }
}

/// Whether a drain has come to its end by itself.
fn is_over(drain: &Drain, now: SystemTime) -> bool {
    let created = humantime::parse_rfc3339(&drain.created);
    created.is_ok_and(|created| created + Duration::from_secs(drain.ttl.into()) <= now)
}

#[cfg(test)]
mod tests;
