//! Instances in Consul, heard of by blocking queries.
//!
//! A task per watched service asks ([`poll`]); of more services than there may be connections ([`budget`]) a feed per
//! datacenter tells ([`feed`]). All share one pool. An error is never an empty answer. What is read from an answer:
//! [`health`]; what is asked: [`query`]; how Consul is spoken to: [`client`]
//! and [`transport`].

mod agents;
mod asker;
mod body;
mod budget;
mod client;
mod error;
mod feed;
pub mod health;
mod poll;
mod query;
mod settings;
#[cfg(test)]
mod tests;
mod token;
mod transport;
mod written;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::Answer;
use crate::model::ServiceKey;
use crate::registry::freshness::Freshness;
use crate::telemetry::Source;

pub use agents::{Agents, Failure};
use asker::{Asker, Ended};
use budget::Budget;
pub use budget::CONNECTIONS;
use client::Client;
use feed::Feed;
use poll::Poll;
pub use settings::{Settings, WAIT};

/// How long to wait before settings that cannot be used are read again.
const SETTINGS_AGAIN: Duration = Duration::from_secs(2);

/// Watches the services in `wanted` until shutdown; a service that leaves the set is asked for no longer. The first
/// answer of a service always comes out, later ones when they differ. Never returns because of a failure.
pub async fn watch(
    settings: Settings,
    source: Source,
    freshness: Freshness,
    wanted: watch::Receiver<Arc<BTreeSet<ServiceKey>>>,
    answers: mpsc::Sender<Answer>,
    shutdown: CancellationToken,
) {
    let watching = async {
        let client = Arc::new(connect(&settings, &source).await);
        let (ends, ended) = mpsc::channel(64);
        let watches = Watches {
            client: client.clone(),
            budget: Arc::new(Budget::new(settings.connections)),
            wait: settings.wait,
            source,
            freshness,
            answers,
            ends,
            fed: false,
            watched: BTreeMap::new(),
            failing: BTreeSet::new(),
            tasks: JoinSet::new(),
        };
        tokio::join!(watches.run(wanted, ended), client.watch_files());
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

/// A task that asks, and what a feed is told to ask for.
struct Task {
    abort: AbortHandle,
    services: Option<watch::Sender<BTreeSet<ServiceKey>>>,
}

/// The one who starts and ends the tasks of the services, and tells how Consul fares. Dropping it ends them all.
struct Watches {
    client: Arc<Client>,
    budget: Arc<Budget>,
    wait: Duration,
    source: Source,
    freshness: Freshness,
    answers: mpsc::Sender<Answer>,
    ends: mpsc::Sender<Ended>,
    /// Whether there are too many services for a query each.
    fed: bool,
    watched: BTreeMap<Asker, Task>,
    /// Those whose last query failed.
    failing: BTreeSet<Asker>,
    tasks: JoinSet<()>,
}

impl Watches {
    async fn run(
        mut self,
        mut wanted: watch::Receiver<Arc<BTreeSet<ServiceKey>>>,
        mut ended: mpsc::Receiver<Ended>,
    ) {
        wanted.mark_changed();
        let mut services = Arc::default();
        loop {
            tokio::select! {
                changed = wanted.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let before = std::mem::replace(&mut services, wanted.borrow_and_update().clone());
                    for unwanted in before.difference(&services) {
                        self.freshness.forget(unwanted);
                    }
                    self.handle_wanted(&services);
                }
                Some(ended) = ended.recv() => self.handle_ended(ended),
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
        let most = self.budget.places;
        // Not back and forth with every service.
        let margin = if self.fed { most / 4 } else { 0 };
        self.fed = services.len() > most - margin;
        let mut askers: BTreeMap<Asker, BTreeSet<ServiceKey>> = BTreeMap::new();
        for service in services {
            let asker = if self.fed {
                Asker::Feed((service.scope.clone(), service.near.clone()))
            } else {
                Asker::Service(service.clone())
            };
            askers.entry(asker).or_default().insert(service.clone());
        }
        self.watched.retain(|asker, task| {
            let stays = askers.contains_key(asker);
            if !stays {
                task.abort.abort();
            }
            stays
        });
        self.failing.retain(|asker| askers.contains_key(asker));
        for (asker, services) in askers {
            match self.watched.get(&asker) {
                None => self.start(asker, services),
                Some(Task { services: fed, .. }) => {
                    if let Some(fed) = fed {
                        fed.send_if_modified(|fed| {
                            let differ = *fed != services;
                            *fed = services;
                            differ
                        });
                    }
                }
            }
        }
    }

    fn start(&mut self, asker: Asker, wanted: BTreeSet<ServiceKey>) {
        let (client, budget) = (self.client.clone(), self.budget.clone());
        let (answers, ends) = (self.answers.clone(), self.ends.clone());
        let (wait, freshness) = (self.wait, self.freshness.clone());
        let task = match &asker {
            Asker::Service(service) => {
                let service = service.clone();
                let poll = Poll {
                    client,
                    budget,
                    service,
                    wait,
                    freshness,
                    answers,
                    ends,
                };
                Task {
                    abort: self.tasks.spawn(poll.run()),
                    services: None,
                }
            }
            Asker::Feed(group) => {
                let (sender, services) = watch::channel(wanted);
                let group = group.clone();
                let feed = Feed {
                    client,
                    budget,
                    wait,
                    group,
                    freshness,
                    answers,
                    ends,
                };
                Task {
                    abort: self.tasks.spawn(feed.run(services)),
                    services: Some(sender),
                }
            }
        };
        self.watched.insert(asker, task);
    }

    /// Consul is well when no service fails; else one that fails beside many that do not would say "lost" and "back" in
    /// turns.
    fn handle_ended(&mut self, ended: Ended) {
        if !self.watched.contains_key(&ended.asker) {
            return;
        }
        match ended.result {
            Ok(()) => {
                self.failing.remove(&ended.asker);
                if self.failing.is_empty() {
                    self.source.answered();
                }
            }
            Err(error) => {
                tracing::debug!(%error, "query failed");
                self.failing.insert(ended.asker);
                self.source.failed(&error);
            }
        }
    }
}
