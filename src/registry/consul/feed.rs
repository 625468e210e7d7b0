//! Many services with few connections: three lists that say what changed, and a read of each service that did.
//!
//! Followed by blocking queries are the checks that are critical, those that warn, and the names of services. The first
//! two say whose health changed. The third wakes with every registration that differs and does not say which, so that all
//! nodes are looked at then ([`sweep`]): a node tells when each of its services was last written. Only what differs is read.
//!
//! Nothing is read before all lists were heard once and all nodes looked at, so that no change falls in between.

mod catalog;
mod follow;
mod sweep;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::registry::freshness::Freshness;
use crate::registry::{Answer, Scope, ServiceKey, Status};

use super::budget::{Budget, IMMEDIATE};
use super::client::{Client, Response};
use super::poll::{Known, News};
use super::query::Query;
use super::{Asker, Error, Outcome};
use catalog::{Catalog, Check};
use follow::{Follow, Heard};
use sweep::Nodes;

/// How soon after a sweep the next one may be: a rollout's registrations are merged, and Consul's share of it is bounded.
const SWEEP_PACE: Duration = Duration::from_secs(1);
/// How often nodes are looked at though nothing woke: what is said of a node itself wakes no list.
const SWEEP_AGAIN: Duration = Duration::from_secs(60);
/// How soon a service whose read failed is read again.
const READ_AGAIN: Duration = Duration::from_secs(1);

/// What one feed is about: services of one place, sorted by one node.
pub type Group = (Scope, Option<Arc<str>>);

/// What a feed is connected to.
#[derive(Debug)]
pub struct Feed {
    pub client: Arc<Client>,
    pub budget: Arc<Budget>,
    pub wait: Duration,
    pub group: Group,
    pub freshness: Freshness,
    pub answers: mpsc::Sender<Answer>,
    pub outcomes: mpsc::Sender<Outcome>,
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

/// How what is known of a service compares to Consul.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Fresh,
    /// To be read.
    Stale,
    Reading,
    /// Being read, and changed since that began.
    ReadingStale,
}

struct Entry {
    known: Known,
    state: State,
}

/// The feed at work.
struct Work {
    feed: Feed,
    entries: BTreeMap<ServiceKey, Entry>,
    /// Stale services, in the order in which they are read.
    queue: VecDeque<ServiceKey>,
    /// Stale services whose read failed, and when they are read again.
    later: BTreeSet<(Instant, ServiceKey)>,
    /// No reads before, as Consul asked for.
    quiet: Instant,
    hearing: [Hearing; 3],
    failing: [BTreeSet<Check>; 2],
    catalog: Catalog,
    /// Whether all nodes were looked at since the lists were last heard anew.
    swept: bool,
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
                        work.handle_wanted(services);
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
            entries: BTreeMap::new(),
            queue: VecDeque::new(),
            later: BTreeSet::new(),
            quiet: now,
            hearing: Default::default(),
            failing: Default::default(),
            catalog: Catalog::default(),
            swept: false,
            sweeping: false,
            sweep_at: None,
            sweep_began: now,
            tasks: JoinSet::new(),
        }
    }

    fn handle_wanted(&mut self, services: BTreeSet<ServiceKey>) {
        self.entries.retain(|service, _| services.contains(service));
        for service in services {
            if !self.entries.contains_key(&service) {
                let entry = Entry {
                    known: Known::default(),
                    state: State::Stale,
                };
                self.queue.push_back(service.clone());
                self.entries.insert(service, entry);
            }
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
        if self.is_well() {
            for (service, entry) in &self.entries {
                if entry.state == State::Fresh {
                    self.feed.freshness.confirm(service);
                }
            }
        }
        self.tell(result).await
    }

    /// Something was registered, changed or taken out.
    fn handle_registrations(&mut self, anew: bool) {
        if anew {
            self.swept = false;
            self.catalog = Catalog::default();
            self.touch_all();
        }
        let soonest = self.sweep_began + SWEEP_PACE;
        self.sweep_at = Some(match self.swept {
            true => soonest.max(Instant::now()),
            false => Instant::now(),
        });
    }

    /// Whoever is in one of the two lists, and not in the other, changed.
    fn handle_checks(&mut self, list: List, body: &[u8]) -> Result<(), Error> {
        let now: BTreeSet<Check> = match catalog::list(body) {
            Ok(checks) => checks.into_iter().collect(),
            Err(error) => {
                // What changed is not known, and will not be said again.
                self.touch_all();
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
                "" => self.touch_node(&check.node),
                service => self.touch(service),
            }
        }
        Ok(())
    }

    async fn handle_done(&mut self, done: Done) -> Result<(), Deaf> {
        match done {
            Done::Swept(result) => {
                self.sweeping = false;
                let result = result.map(|nodes| self.handle_sweep(nodes));
                if result.is_err() {
                    self.sweep_at = Some(Instant::now() + SWEEP_PACE);
                }
                self.tell(result).await
            }
            Done::Read(service, result) => self.handle_read(service, result).await,
        }
    }

    fn handle_sweep(&mut self, nodes: Nodes) {
        match nodes {
            Nodes::All(nodes) => {
                for service in self.catalog.handle_nodes(nodes) {
                    self.touch(&service);
                }
            }
            Nodes::TooMany => self.touch_all(),
        }
        self.swept = true;
        self.sweep_at.get_or_insert(self.sweep_began + SWEEP_AGAIN);
    }

    async fn handle_read(
        &mut self,
        service: ServiceKey,
        result: Result<Response, Error>,
    ) -> Result<(), Deaf> {
        let Some(entry) = self.entries.get_mut(&service) else {
            return Ok(());
        };
        entry.known.forget_index();
        let read = result.and_then(|response| entry.known.handle_response(&service, &response));
        match read {
            Ok(News { answer, warnings }) => {
                let again = entry.state == State::ReadingStale;
                entry.state = if again { State::Stale } else { State::Fresh };
                for warning in warnings {
                    tracing::warn!(%service, "{warning}");
                }
                self.feed.freshness.confirm(&service);
                if again {
                    self.queue.push_back(service);
                }
                if let Some(answer) = answer {
                    self.feed.answers.send(answer).await?;
                }
                self.tell(Ok(())).await
            }
            Err(error) => {
                entry.state = State::Stale;
                let now = Instant::now();
                if let Some(pause) = error.retry_after() {
                    self.quiet = now + pause;
                }
                self.later.insert((now + READ_AGAIN, service));
                self.tell(Err(error)).await
            }
        }
    }

    fn is_well(&self) -> bool {
        self.later.is_empty() && self.hearing.iter().all(|list| *list == Hearing::Well)
    }

    /// Passes on how it went; well is only who is well in everything.
    async fn tell(&self, result: Result<(), Error>) -> Result<(), Deaf> {
        if result.is_ok() && !self.is_well() {
            return Ok(());
        }
        let asker = Asker::Feed(self.feed.group.clone());
        let outcome = Outcome { asker, result };
        Ok(self.feed.outcomes.send(outcome).await?)
    }

    fn touch_all(&mut self) {
        for (service, entry) in &mut self.entries {
            entry.touch(service, &mut self.queue);
        }
    }

    fn touch(&mut self, name: &str) {
        let (scope, near) = &self.feed.group;
        let service = ServiceKey {
            scope: scope.clone(),
            near: near.clone(),
            ..ServiceKey::new(crate::registry::Discovery::Consul, name)
        };
        if let Some(entry) = self.entries.get_mut(&service) {
            entry.touch(&service, &mut self.queue);
        }
    }

    /// Something was said of a node: that holds for whoever is on it.
    fn touch_node(&mut self, node: &str) {
        for (service, entry) in &mut self.entries {
            if entry.known.is_on(node) {
                entry.touch(service, &mut self.queue);
            }
        }
    }

    /// When to look again though nothing came in.
    fn due(&self) -> Instant {
        let read = self.later.first().map(|(at, _)| *at);
        let sweep = self.sweep_at.filter(|_| !self.sweeping);
        let quiet = Some(self.quiet).filter(|quiet| *quiet > Instant::now());
        let all = [read, sweep, quiet].into_iter().flatten();
        // A failed list wakes this by itself.
        let earliest = all.min().unwrap_or_else(|| Instant::now() + SWEEP_AGAIN);
        match self.may_ask() {
            true => earliest,
            false => earliest.max(Instant::now() + READ_AGAIN),
        }
    }

    /// Whether Consul can be expected to answer.
    fn may_ask(&self) -> bool {
        let heard = self.hearing.iter().all(|list| *list != Hearing::Never);
        heard && self.hearing[List::Services as usize] == Hearing::Well
    }

    /// Starts what is due.
    fn start(&mut self) {
        let now = Instant::now();
        if !self.may_ask() || now < self.quiet {
            return;
        }
        if !self.sweeping && self.sweep_at.is_some_and(|at| at <= now) {
            self.sweeping = true;
            self.sweep_at = None;
            self.sweep_began = now;
            let (client, budget) = (self.feed.client.clone(), self.feed.budget.clone());
            let (scope, most) = (self.feed.group.0.clone(), self.entries.len());
            self.tasks.spawn(async move {
                Done::Swept(sweep::sweep(&client, &budget, &scope, most).await)
            });
        }
        if !self.swept {
            return;
        }
        while self.later.first().is_some_and(|(at, _)| *at <= now) {
            self.queue
                .extend(self.later.pop_first().map(|(_, service)| service));
        }
        while self.tasks.len() < IMMEDIATE
            && let Some(service) = self.queue.pop_front()
        {
            self.read(service);
        }
    }

    fn read(&mut self, service: ServiceKey) {
        match self.entries.get_mut(&service) {
            Some(entry) if entry.state == State::Stale => entry.state = State::Reading,
            _ => return,
        }
        let (client, budget) = (self.feed.client.clone(), self.feed.budget.clone());
        self.tasks.spawn(async move {
            let _place = budget.immediate().await;
            let read = client.ask(Query::Service(&service)).await;
            Done::Read(service, read)
        });
    }
}

impl Entry {
    fn touch(&mut self, service: &ServiceKey, queue: &mut VecDeque<ServiceKey>) {
        self.state = match self.state {
            State::Fresh => {
                queue.push_back(service.clone());
                State::Stale
            }
            State::Reading => State::ReadingStale,
            state => state,
        };
    }
}

fn unusable(about: &str, error: &serde_json::Error) -> Error {
    Error::Answer {
        about: about.to_owned(),
        reason: error.to_string(),
    }
}
