//! What is left half-done, by a crash or by a registry that was away, and what has come to its end: undone by whichever
//! replica comes first. What cannot be undone now, since its agent is away, is tried again later, and keeps nothing else.
//!
//! The documents' own watch tells what is in the journal, so that nothing is asked for while nothing happens.

use std::collections::HashMap;
use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::model::drain::Drain;
use crate::store::ledger::Journal;

use super::Drainer;
use super::audit::Deed;
use super::entry::Entries;

/// How long at most what happens is left to others, so that not all replicas come at once.
const LOOK: Duration = Duration::from_secs(1);
/// How often, about, the journal is read all the same: the watch may be away while etcd is not.
const READ: Duration = Duration::from_secs(60);
/// How long at least and at most an entry is left alone that could not be undone.
const AGAIN: Duration = Duration::from_secs(1);
const POSTPONED: Duration = Duration::from_secs(30);
/// How many entries are undone at a time, and between two looks: an agent that is away takes its time.
const AT_ONCE: usize = 16;
const BETWEEN: usize = 64;

/// The drains that could not be undone: when they are tried again, and the pause before that.
type Postponed = HashMap<Arc<str>, (Instant, Duration)>;

/// Repairs until shutdown; `told` is the journal as the watch tells it.
pub async fn run(
    drainer: Arc<Drainer>,
    mut told: watch::Receiver<Journal>,
    shutdown: CancellationToken,
) {
    let repairing = async {
        let mut postponed = Postponed::new();
        let mut next = None;
        let mut read = Instant::now() + about(READ);
        loop {
            let is_due = async {
                match next {
                    Some(at) => sleep_until(at).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                Ok(()) = told.changed() => {}
                () = is_due => {}
                () = sleep_until(read) => {}
            }
            sleep(LOOK.mul_f64(fastrand::f64())).await;
            let mut journal = told.borrow_and_update().clone();
            if read <= Instant::now() {
                read = Instant::now() + about(READ);
                match drainer.ledger.journal().await {
                    Ok(all) => journal = all,
                    Err(away) => tracing::debug!(%away, "the drains' journal cannot be read now"),
                }
            }
            next = drainer.repair(&journal, &mut postponed).await;
        }
    };
    shutdown.run_until_cancelled(repairing).await;
}

/// About so long, and not the same for all replicas.
fn about(pause: Duration) -> Duration {
    pause.mul_f64(fastrand::f64() + 0.5)
}

/// The drains that are over, or never came into force, and that nobody works at.
pub(super) fn abandoned<'a>(
    journal: &'a Journal,
    entries: &'a Entries,
) -> impl Iterator<Item = (&'a str, &'a Drain)> {
    entries.keyed().filter(|(key, drain)| {
        !journal.in_force.contains_key(&drain.id) && !journal.claimed.contains(*key)
    })
}

impl Drainer {
    /// Undoes what is abandoned; those first that have not been tried in vain. Tells when there is more to do, if nothing
    /// else happens.
    async fn repair(&self, journal: &Journal, postponed: &mut Postponed) -> Option<Instant> {
        let entries = self.entries(journal);
        let mut due: Vec<_> = abandoned(journal, &entries).collect();
        postponed.retain(|id, _| due.iter().any(|(_, drain)| drain.id == *id));
        let now = Instant::now();
        due.retain(|(_, drain)| {
            let later = postponed.get(&drain.id);
            later.is_none_or(|(until, _)| *until <= now)
        });
        due.sort_by_key(|(_, drain)| postponed.get(&drain.id).map(|(_, pause)| *pause));
        let more = (due.len() > BETWEEN).then_some(now);
        due.truncate(BETWEEN);
        for some in due.chunks(AT_ONCE) {
            let tries = some.iter().map(|(key, drain)| {
                let first = !postponed.contains_key(&drain.id);
                self.repair_one(key, drain, first)
            });
            let outcomes = join_all(tries).await;
            for ((_, drain), outcome) in some.iter().zip(outcomes) {
                if outcome.is_ok() {
                    postponed.remove(&drain.id);
                    continue;
                }
                let before = postponed.get(&drain.id).map(|(_, pause)| *pause);
                let pause = before.map_or(AGAIN, |before| (before * 2).min(POSTPONED));
                postponed.insert(drain.id.clone(), (Instant::now() + pause, pause));
            }
        }
        let later = postponed.values().map(|(until, _)| *until).min();
        more.or(later)
    }

    /// Undoes one, if nobody else does. Only the first try is noted when it fails.
    async fn repair_one(&self, key: &str, drain: &Drain, first: bool) -> Result<(), String> {
        let began = Instant::now();
        let taken = self.ledger.take(key, &drain.id).await;
        let Some(claim) = taken.map_err(|away| away.to_string())? else {
            return Ok(());
        };
        let action = if is_over(drain, SystemTime::now()) {
            "expire"
        } else {
            "repair"
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
