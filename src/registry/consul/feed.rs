//! Many services with few connections: three lists that say what changed, and a read of each service that did.
//!
//! Followed by blocking queries are the checks that are critical, those that warn, and the names of services. The first
//! two say whose health changed. The third wakes with every registration that differs and does not say which, so that all
//! nodes are looked at then ([`sweep`]): a node tells when each of its services was last written. Only what differs from what
//! was read before is read again.
//!
//! Nothing is read before all lists were heard once, so that no change falls in between: what changes later wakes one of them.

mod catalog;
mod follow;
mod reads;
mod sweep;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::asker::{Asker, Ended, Group};
use super::budget::{Budget, IMMEDIATE};
use super::client::{Client, Response};
use super::error::Error;
use super::poll::News;
use super::query::Query;
use crate::model::ServiceKey;
use crate::model::instance::Status;
use crate::registry::Answer;
use crate::registry::freshness::{Beat, Freshness};

use catalog::Check;
use follow::{Follow, Heard};
use reads::{READ_AGAIN, Reads};
use sweep::Nodes;

/// How soon after a sweep the next one may be: a rollout's registrations are merged, and Consul's share of it is bounded.
const SWEEP_PACE: Duration = Duration::from_secs(1);
/// How often nodes are looked at though nothing woke: what is said of a node itself wakes no list.
const SWEEP_AGAIN: Duration = Duration::from_secs(60);

/// What a feed is connected to.
#[derive(Debug)]
pub struct Feed {
    pub client: Arc<Client>,
    pub budget: Arc<Budget>,
    pub wait: Duration,
    pub group: Group,
    pub freshness: Freshness,
    pub answers: mpsc::Sender<Answer>,
    pub ends: mpsc::Sender<Ended>,
}

/// The lists that are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum List {
    Critical,
    Warning,
    Services,
}

/// How a list fares.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Hearing {
    #[default]
    Never,
    Well,
    Lost,
}

/// What a task brought.
enum Done {
    Read(ServiceKey, Result<Response, Error>),
    Swept(Result<Nodes, Error>),
}

/// The feed at work.
struct Work {
    feed: Feed,
    reads: Reads,
    /// Confirms all services that are fresh.
    beat: Beat,
    /// Nothing is asked before, as Consul wished.
    quiet: Option<Instant>,
    hearing: [Hearing; 3],
    failing: [BTreeSet<Check>; 2],
    sweeping: bool,
    /// When the next sweep is to begin.
    sweep_at: Option<Instant>,
    /// When the last one began.
    sweep_began: Instant,
    tasks: JoinSet<Done>,
}

impl Feed {
    /// Tells of the services in `wanted` until nobody listens any more.
    pub async fn run(self, mut wanted: watch::Receiver<BTreeSet<ServiceKey>>) {
        let (heard, mut hears) = mpsc::channel(4);
        let mut lists = JoinSet::new();
        let losses = Arc::new(AtomicU64::new(0));
        for list in [List::Critical, List::Warning, List::Services] {
            let follow = Follow {
                client: self.client.clone(),
                budget: self.budget.clone(),
                wait: self.wait,
                losses: losses.clone(),
                pace: match list {
                    List::Services => SWEEP_PACE,
                    _ => Duration::ZERO,
                },
            };
            let (scope, heard) = (self.group.0.clone(), heard.clone());
            lists.spawn(async move {
                let query = match list {
                    List::Critical => Query::Checks(&scope, Status::Critical),
                    List::Warning => Query::Checks(&scope, Status::Warning),
                    List::Services => Query::Services(&scope),
                };
                follow.run(query, heard, |news| (list, news)).await;
            });
        }
        let mut work = Work::new(self);
        wanted.mark_changed();
        loop {
            let due = work.due();
            let told = tokio::select! {
                changed = wanted.changed() => match changed {
                    Ok(()) => {
                        let services = wanted.borrow_and_update().clone();
                        work.reads.handle_wanted(services);
                        Ok(())
                    }
                    Err(_) => return,
                },
                Some((list, heard)) = hears.recv() => work.handle_heard(list, heard).await,
                Some(done) = work.tasks.join_next() => match done {
                    Ok(done) => work.handle_done(done).await,
                    Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                    Err(_) => Ok(()),
                },
                () = sleep_until(due) => Ok(()),
            };
            if told.is_err() {
                return;
            }
            work.start();
        }
    }
}

/// Nobody listens any more.
struct Deaf;

impl<T> From<mpsc::error::SendError<T>> for Deaf {
    fn from(_: mpsc::error::SendError<T>) -> Self {
        Self
    }
}

impl Work {
    fn new(feed: Feed) -> Self {
        let now = Instant::now();
        Self {
            feed,
            reads: Reads::default(),
            beat: Beat::default(),
            quiet: None,
            hearing: Default::default(),
            failing: Default::default(),
            sweeping: false,
            sweep_at: None,
            sweep_began: now,
            tasks: JoinSet::new(),
        }
    }

    async fn handle_heard(&mut self, list: List, heard: Heard) -> Result<(), Deaf> {
        let result = match heard {
            Heard::Lost(error) => Err(error),
            Heard::Same => Ok(()),
            Heard::List { body, anew } => match list {
                List::Services => {
                    self.handle_registrations(anew);
                    Ok(())
                }
                List::Critical | List::Warning => self.handle_checks(list, &body),
            },
        };
        self.hearing[list as usize] = match result {
            Ok(()) => Hearing::Well,
            Err(_) => Hearing::Lost,
        };
        self.follow_freshness();
        if self.is_well() {
            self.beat.confirm();
        }
        self.tell(result).await
    }

    /// What the lists say of all services holds for those that are fresh.
    fn follow_freshness(&mut self) {
        let freshness = &self.feed.freshness;
        for (service, is_fresh) in self.reads.poll_turned() {
            if is_fresh {
                freshness.go_along(&service, &self.beat);
            } else {
                freshness.part(&service);
            }
        }
    }

    /// Something was registered, changed or taken out.
    fn handle_registrations(&mut self, anew: bool) {
        let now = Instant::now();
        self.sweep_at = Some(if anew {
            self.reads.touch_all();
            now + SWEEP_AGAIN
        } else {
            now.max(self.sweep_began + SWEEP_PACE)
        });
    }

    /// Whoever is in one of the two lists, and not in the other, changed.
    fn handle_checks(&mut self, list: List, body: &[u8]) -> Result<(), Error> {
        let now: BTreeSet<Check> = match catalog::list(body) {
            Ok(checks) => checks.into_iter().collect(),
            Err(error) => {
                // What changed is not known, and will not be said again.
                self.reads.touch_all();
                return Err(unusable("the failing checks", &error));
            }
        };
        let before = std::mem::replace(&mut self.failing[list as usize], now);
        let changed: Vec<Check> = before
            .symmetric_difference(&self.failing[list as usize])
            .cloned()
            .collect();
        for check in changed {
            match &*check.service_name {
                "" => self.reads.touch_node(&check.node),
                service => self.touch(service),
            }
        }
        Ok(())
    }

    async fn handle_done(&mut self, done: Done) -> Result<(), Deaf> {
        match done {
            Done::Swept(swept) => {
                self.sweeping = false;
                let result = swept.map(|nodes| self.handle_sweep(nodes));
                if let Err(error) = &result {
                    self.sweep_at = Some(Instant::now() + SWEEP_PACE);
                    self.heed(error);
                }
                self.tell(result).await
            }
            Done::Read(service, result) => self.handle_read(service, result).await,
        }
    }

    fn handle_sweep(&mut self, nodes: Nodes) {
        match nodes {
            Nodes::All(registrations) => self.reads.handle_registrations(&registrations),
            Nodes::TooMany => self.reads.touch_all(),
        }
        self.sweep_at.get_or_insert(self.sweep_began + SWEEP_AGAIN);
    }

    async fn handle_read(
        &mut self,
        service: ServiceKey,
        result: Result<Response, Error>,
    ) -> Result<(), Deaf> {
        if let Err(error) = &result {
            self.heed(error);
        }
        match self.reads.handle_read(&service, result, Instant::now()) {
            None => Ok(()),
            Some(Ok(News { answer, warnings })) => {
                for warning in warnings {
                    tracing::warn!(%service, "{warning}");
                }
                self.feed.freshness.confirm(&service);
                if let Some(answer) = answer {
                    self.feed.answers.send(answer).await?;
                }
                self.tell(Ok(())).await
            }
            Some(Err(error)) => self.tell(Err(error)).await,
        }
    }

    /// Leaves Consul alone for as long as it wishes.
    fn heed(&mut self, error: &Error) {
        let until = error.retry_after().map(|pause| Instant::now() + pause);
        self.quiet = self.quiet.max(until);
    }

    fn is_well(&self) -> bool {
        self.reads.is_well() && self.hearing.iter().all(|list| *list == Hearing::Well)
    }

    /// Passes on how it went; well is only who is well in everything.
    async fn tell(&self, result: Result<(), Error>) -> Result<(), Deaf> {
        if result.is_ok() && !self.is_well() {
            return Ok(());
        }
        let asker = Asker::Feed(self.feed.group.clone());
        let ended = Ended { asker, result };
        Ok(self.feed.ends.send(ended).await?)
    }

    fn touch(&mut self, name: &str) {
        let (scope, near) = &self.feed.group;
        let service = ServiceKey {
            scope: scope.clone(),
            near: near.clone(),
            ..ServiceKey::new(crate::model::Discovery::Consul, name)
        };
        self.reads.touch(&service);
    }

    /// When to look again though nothing came in.
    fn due(&self) -> Instant {
        let now = Instant::now();
        if let Some(quiet) = self.quiet.filter(|quiet| *quiet > now) {
            return quiet;
        }
        let sweep = self.sweep_at.filter(|_| !self.sweeping);
        let all = self.reads.due().into_iter().chain(sweep);
        // A failed list wakes this by itself.
        let earliest = all.min().unwrap_or(now + SWEEP_AGAIN);
        if self.may_ask() {
            earliest
        } else {
            earliest.max(now + READ_AGAIN)
        }
    }

    /// Whether Consul can be expected to answer.
    fn may_ask(&self) -> bool {
        let heard = self.hearing.iter().all(|list| *list != Hearing::Never);
        heard && self.hearing[List::Services as usize] == Hearing::Well
    }

    fn start(&mut self) {
        let now = Instant::now();
        if !self.may_ask() || self.quiet.is_some_and(|quiet| now < quiet) {
            return;
        }
        self.reads.handle_time(now);
        if !self.sweeping && self.sweep_at.is_some_and(|at| at <= now) {
            self.sweeping = true;
            self.sweep_at = None;
            self.sweep_began = now;
            let (client, budget) = (self.feed.client.clone(), self.feed.budget.clone());
            let (scope, most) = (self.feed.group.0.clone(), self.reads.len());
            self.tasks.spawn(async move {
                Done::Swept(sweep::sweep(&client, &budget, &scope, most).await)
            });
        }
        while self.tasks.len() < IMMEDIATE
            && let Some(service) = self.reads.poll_next()
        {
            let (client, budget) = (self.feed.client.clone(), self.feed.budget.clone());
            self.tasks.spawn(async move {
                let _place = budget.immediate().await;
                let read = client.ask(Query::Service(&service)).await;
                Done::Read(service, read)
            });
        }
    }
}

fn unusable(about: &str, error: &serde_json::Error) -> Error {
    Error::Answer {
        about: about.to_owned(),
        reason: error.to_string(),
    }
}
