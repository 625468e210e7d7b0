//! Instances in Consul: whoever passes all health checks, heard of by blocking queries.
//!
//! One task per watched service asks ([`poll`]), all share one connection pool and one budget ([`budget`]). An error is
//! never an empty answer. What is read from an answer: [`health`]; how Consul is spoken to: [`client`].

mod agents;
mod budget;
mod client;
mod error;
pub mod health;
mod poll;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::registry::{Answer, ServiceKey};
use crate::telemetry::Source;

pub use agents::{Agents, Failure};
use budget::Budget;
use client::Client;
use error::Error;
use poll::{Outcome, Poll};

/// How long one query blocks, unless told otherwise: a Consul that hangs is noticed after it, and idle services cost a
/// request per this time.
pub const WAIT: Duration = Duration::from_secs(10);

/// How long to wait before settings that cannot be used are read again.
const SETTINGS_AGAIN: Duration = Duration::from_secs(2);

/// Where Consul is, and how to be let in.
#[derive(Clone)]
pub struct Settings {
    /// `http://127.0.0.1:8500`, or https.
    pub address: String,
    /// An ACL token with `service:read` and `node:read`.
    pub token: Option<String>,
    /// Roots that Consul's certificate must lead to, in PEM; the system's without it.
    pub ca: Option<PathBuf>,
    /// The client's certificate, in PEM; only with `key`.
    pub cert: Option<PathBuf>,
    /// The client's key, in PEM; only with `cert`.
    pub key: Option<PathBuf>,
    /// How long one query blocks; [`WAIT`] unless there is a reason.
    pub wait: Duration,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("address", &self.address)
            .field("token", &self.token.as_ref().map(|_| "(secret)"))
            .field("ca", &self.ca)
            .field("cert", &self.cert)
            .field("key", &self.key)
            .field("wait", &self.wait)
            .finish()
    }
}

/// Watches the services in `wanted` until shutdown; a service that leaves the set is asked for no longer. The first
/// answer of a service always comes out, later ones when they differ. Never returns because of a failure.
pub async fn watch(
    settings: Settings,
    source: Source,
    wanted: watch::Receiver<Arc<BTreeSet<ServiceKey>>>,
    answers: mpsc::Sender<Answer>,
    shutdown: CancellationToken,
) {
    let watching = async {
        let client = connect(&settings, &source).await;
        let (outcomes, outcome) = mpsc::channel(64);
        let watches = Watches {
            client: Arc::new(client),
            budget: Arc::new(Budget::new(settings.wait)),
            source,
            answers,
            outcomes,
            watched: BTreeMap::new(),
            failing: BTreeSet::new(),
            tasks: JoinSet::new(),
        };
        watches.run(wanted, outcome).await;
    };
    shutdown.run_until_cancelled(watching).await;
}

/// Tries until the settings can be used: a missing file may still come.
async fn connect(settings: &Settings, source: &Source) -> Client {
    loop {
        match Client::new(settings) {
            Ok(client) => return client,
            Err(error) => source.failed(&error),
        }
        sleep(SETTINGS_AGAIN).await;
    }
}

/// The one who starts and ends the tasks of the services, and tells how Consul fares. Dropping it ends them all.
struct Watches {
    client: Arc<Client>,
    budget: Arc<Budget>,
    source: Source,
    answers: mpsc::Sender<Answer>,
    outcomes: mpsc::Sender<Outcome>,
    watched: BTreeMap<ServiceKey, AbortHandle>,
    /// Watched services whose last query failed.
    failing: BTreeSet<ServiceKey>,
    tasks: JoinSet<()>,
}

impl Watches {
    async fn run(
        mut self,
        mut wanted: watch::Receiver<Arc<BTreeSet<ServiceKey>>>,
        mut outcome: mpsc::Receiver<Outcome>,
    ) {
        wanted.mark_changed();
        loop {
            tokio::select! {
                changed = wanted.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let services = wanted.borrow_and_update().clone();
                    self.handle_wanted(&services);
                }
                Some(outcome) = outcome.recv() => self.handle_outcome(outcome),
                Some(ended) = self.tasks.join_next() => {
                    // A task ends by itself only with the whole process; a panic is a bug and must be heard.
                    if let Err(error) = ended && error.is_panic() {
                        std::panic::resume_unwind(error.into_panic());
                    }
                }
            }
        }
    }

    /// Ends the tasks of services that nobody wants, starts those of new ones, and leaves the others alone.
    fn handle_wanted(&mut self, services: &BTreeSet<ServiceKey>) {
        self.watched.retain(|service, task| {
            let stays = services.contains(service);
            if !stays {
                task.abort();
            }
            stays
        });
        self.failing.retain(|service| services.contains(service));
        self.budget.handle_watched(services.len());
        for service in services {
            if !self.watched.contains_key(service) {
                let poll = Poll {
                    client: self.client.clone(),
                    budget: self.budget.clone(),
                    service: service.clone(),
                    answers: self.answers.clone(),
                    outcomes: self.outcomes.clone(),
                };
                let task = self.tasks.spawn(poll.run());
                self.watched.insert(service.clone(), task);
            }
        }
    }

    /// Consul is well when no service fails; else one that fails beside many that do not would say "lost" and "back" in
    /// turns.
    fn handle_outcome(&mut self, outcome: Outcome) {
        if !self.watched.contains_key(&outcome.service) {
            return;
        }
        match outcome.result {
            Ok(()) => {
                self.failing.remove(&outcome.service);
                if self.failing.is_empty() {
                    self.source.answered();
                }
            }
            Err(error) => {
                tracing::debug!(service = %outcome.service, %error, "query failed");
                self.failing.insert(outcome.service);
                self.source.failed(&error);
            }
        }
    }
}
