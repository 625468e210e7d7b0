//! Documents in etcd: `<prefix>/<kind>/<id>`, one JSON document each.
//!
//! Lists the prefix at one revision, in pages, and watches from the next one. When the connection is lost it resumes
//! after the last revision it saw; only where the history is gone, or is another one, it lists anew. One watch per
//! process. No failure ends it, and none is passed on as "empty". The crate `etcd_client` is named below here only.

mod answers;
mod broken;
mod connection;
mod history;
mod journal;
mod keys;
mod ledger;
mod line;
mod membership;
mod missed;
mod record;
mod wishes;
mod writer;

use std::convert::Infallible;
use std::fmt;
use std::future::pending;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use etcd_client::proto::PbEvent;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::store::ledger::Journal;
use crate::store::replicas::Membership;
use crate::store::writer::Noticed;
use crate::store::{Event, PriorRevision, Told};
use crate::telemetry::Source;
use crate::telemetry::traces::Traced;
use answers::{Answers, WatchAnswer};
use broken::Broken;
use connection::Connection;
use history::History;
use journal::Mirror;
use keys::Keys;
pub use ledger::Ledger;
use membership::{Table, Teller};
use wishes::Wishes;
pub use writer::Writer;

/// How often etcd is asked whether it is alive. That it answers also keeps it from taking our pings for abuse.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// A session that held this long was a good one: the next pause starts small again.
const STOOD: Duration = Duration::from_secs(5);
/// The longest pause between two attempts, jitter included.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How to reach etcd, and where the documents are.
#[derive(Clone)]
pub struct Settings {
    /// `http://` or `https://` and host:port, at least one; one is used at a time, the next one when it fails.
    pub endpoints: Vec<String>,
    /// What all keys start with, without the slash that follows it: `/chancery`.
    pub prefix: String,
    /// Name and password, where etcd's authentication is on.
    pub user: Option<(String, String)>,
    /// The authority that signed etcd's certificate, PEM; `https://` needs it. Read anew at every connect, as are the
    /// next two.
    pub ca: Option<PathBuf>,
    /// Our own certificate, PEM; comes with `key`.
    pub cert: Option<PathBuf>,
    /// Its private key, PEM.
    pub key: Option<PathBuf>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: Vec<_> = self.endpoints.iter().map(|at| broken::shown(at)).collect();
        f.debug_struct("Settings")
            .field("endpoints", &shown)
            .field("prefix", &self.prefix)
            .field("user", &self.user.as_ref().map(|(name, _)| name))
            .field("ca", &self.ca)
            .field("cert", &self.cert)
            .field("key", &self.key)
            .finish()
    }
}

/// Runs until `events` is closed or the token is cancelled; never returns because of a failure.
pub async fn watch(
    settings: Settings,
    source: Source,
    mut earlier: mpsc::Receiver<PriorRevision>,
    events: mpsc::Sender<Event>,
    membership: Membership,
    told: Told,
    shutdown: CancellationToken,
) {
    let nobody_listens = events.clone();
    // Taken in at all times, so that whoever wishes never waits for an etcd that is away. One per bad document.
    let (wishes, taken) = mpsc::unbounded_channel();
    let take = async {
        while let Some(wish) = earlier.recv().await {
            let _ = wishes.send(wish);
        }
        pending().await
    };
    let mut watcher = Watcher {
        keys: Arc::new(Keys::new(&settings.prefix)),
        settings,
        source,
        events,
        history: None,
        table: Table::new(membership.records.clone()),
        journal: Mirror::new(told.journal),
        noticed: told.noticed,
        traces: told.traces,
    };
    let mut teller = Teller::new(membership);
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = nobody_listens.closed() => {}
        () = take => {}
        () = watcher.run(Wishes::new(taken), &mut teller) => {}
    }
    teller.leave().await;
}

/// Waits for room. Never returns once nobody listens: [`watch`] ends then.
async fn room(events: &mpsc::Sender<Event>) -> mpsc::Permit<'_, Event> {
    match events.reserve().await {
        Ok(room) => room,
        Err(_) => pending().await,
    }
}

/// From a tenth of a second to [`LONGEST_PAUSE`], with jitter.
fn pauses() -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(100))
        .with_max_delay(LONGEST_PAUSE / 2)
        .with_jitter()
        .without_max_times()
        .build()
}

struct Watcher {
    settings: Settings,
    keys: Arc<Keys>,
    source: Source,
    events: mpsc::Sender<Event>,
    /// What was seen and told; nothing before the first listing, or when it is worth nothing any more.
    history: Option<History>,
    /// What the replicas say of themselves.
    table: Table,
    /// What is drained, and who works at it.
    journal: Mirror,
    /// Who records changes that have no record.
    noticed: mpsc::Sender<Noticed>,
    traces: bool,
}

impl Watcher {
    async fn run(&mut self, mut wishes: Wishes, teller: &mut Teller) {
        let endpoints = self.settings.endpoints.clone();
        let mut pauses = self::pauses();
        for endpoint in endpoints.iter().cycle() {
            let began = Instant::now();
            let Err(broken) = self.session(endpoint, &mut wishes, teller).await;
            self.table.set_current(false);
            self.source.failed(&format_args!(
                "etcd at {}: {broken}",
                broken::shown(endpoint)
            ));
            if began.elapsed() > STOOD {
                pauses = self::pauses();
            }
            sleep(pauses.next().unwrap_or(LONGEST_PAUSE)).await;
        }
        self.source.failed(&"etcd: no endpoint is set");
        pending().await
    }

    /// One connection, for as long as it is good.
    async fn session(
        &mut self,
        endpoint: &str,
        wishes: &mut Wishes,
        teller: &mut Teller,
    ) -> Result<Infallible, Broken> {
        let connection = Connection::open(&self.settings, endpoint).await?;
        self.recall(&connection).await?;
        loop {
            if self.history.is_none() {
                self.list(&connection).await?;
            }
            let (keys, events) = (Arc::clone(&self.keys), self.events.clone());
            let source = self.source.clone();
            let Err(broken) = tokio::select! {
                over = self.follow(&connection) => over,
                over = wishes.answer(&connection, &keys, &events) => over,
                over = heartbeat(&connection, &keys, &source) => over,
                never = teller.tell(&connection, &keys) => match never {},
            };
            if !broken.history_is_gone() {
                return Err(broken);
            }
            self.forget(&broken);
        }
    }

    /// Whether this etcd is one that the history can be gone on with; forgets it if not.
    ///
    /// The question is asked at the last revision seen, so that it fails when that revision has been compacted, and so
    /// does the watch never start at the compaction's own revision, which has lost its deletes (etcd#19179).
    async fn recall(&mut self, connection: &Connection) -> Result<(), Broken> {
        let Some(history) = &mut self.history else {
            return Ok(());
        };
        let witness = history.witness();
        let asked = witness.map_or(self.keys.prefix(), |document| &document.source);
        match connection.at(asked, Some(history.revision)).await {
            Ok(found) => {
                if let Err(reason) = history.goes_on(&found) {
                    self.forget(&reason);
                }
            }
            Err(broken) if broken.history_is_gone() => self.forget(&broken),
            Err(broken) => return Err(broken),
        }
        Ok(())
    }

    fn forget(&mut self, reason: &dyn fmt::Display) {
        tracing::info!(%reason, "etcd's watch cannot be resumed: listing anew");
        self.history = None;
    }

    /// Lists all documents at one revision, in pages.
    async fn list(&mut self, connection: &Connection) -> Result<(), Broken> {
        let [mut range, others @ ..] = self.keys.ranges();
        let mut others = others.into_iter();
        let mut page = connection.page(range.clone(), None).await?;
        let revision = page.revision;
        let (mut documents, mut replicas) = (Vec::new(), Vec::new());
        let mut journal = Journal {
            revision,
            ..Journal::default()
        };
        loop {
            let last = page.values.last().map(|value| value.key.clone());
            let values = std::mem::take(&mut page.values);
            for value in &values {
                journal::take(&mut journal, &self.keys, value);
            }
            let (spoken, values): (Vec<_>, Vec<_>) = values
                .into_iter()
                .partition(|value| self.keys.replica(&value.key).is_some());
            replicas.extend(spoken);
            documents.extend(
                values
                    .into_iter()
                    .filter_map(|value| self.keys.document(value)),
            );
            match (last, page.more) {
                (Some(mut next), true) => {
                    next.push(0);
                    range.start = next;
                }
                _ => match others.next() {
                    Some(other) => range = other,
                    None => break,
                },
            }
            page = connection.page(range.clone(), Some(revision)).await?;
        }
        self.table.list(&self.keys, &replicas);
        self.journal.list(journal);
        let history = History::new(&page, revision, documents.last());
        room(&self.events).await.send(Event::Listed {
            revision,
            documents,
        });
        self.history = Some(history);
        // Where there is no room, the recorder is far behind, and does what it can.
        let _ = self.noticed.try_send(Noticed::Listed);
        Ok(())
    }

    /// Watches from where the history ends.
    async fn follow(&mut self, connection: &Connection) -> Result<Infallible, Broken> {
        let Some(history) = &mut self.history else {
            return Err(Broken::Ended);
        };
        let watch = connection.watch(self.keys.range(), history.revision + 1);
        let (_requests, mut responses) = watch.await?;
        self.table.set_current(true);
        let mut answers = Answers::default();
        while let Some(response) = responses.message().await? {
            let answer = answers.handle_response(response.0)?;
            self.source.answered();
            if let WatchAnswer::Events(events) = &answer {
                self.table.handle_events(&self.keys, events);
                self.journal.handle_events(&self.keys, events);
                notice(&self.keys, events, &self.noticed);
            }
            let traced = match &answer {
                WatchAnswer::Events(events) if self.traces => record::traced(&self.keys, events),
                _ => Vec::new(),
            };
            if let Some(event) = event(&self.keys, answer, history.revision, traced) {
                let room = room(&self.events).await;
                history.told(&event);
                room.send(event);
            }
        }
        Err(Broken::Ended)
    }
}

/// Tells what has to be recorded. A watch waits for nobody: what is too much is not recorded.
fn notice(keys: &Keys, events: &[PbEvent], recorder: &mpsc::Sender<Noticed>) {
    let noticed = record::notice(keys, events).into_iter();
    let told = noticed.map(|one| recorder.try_send(one));
    let lost = told.filter(|told| matches!(told, Err(TrySendError::Full(_))));
    let count = lost.count();
    if count > 0 {
        tracing::warn!(
            count,
            "changes beside the Admin API are not recorded: there are too many at once"
        );
    }
}

/// Asks for a key, whether it is there or not, for as long as etcd answers with its leader's consent.
///
/// A watch may rightly be silent. To ask it for its progress would be no better: some versions do not answer while they
/// are idle (etcd#17507), and others answer with a revision whose events are still to come (etcd#15220).
async fn heartbeat(
    connection: &Connection,
    keys: &Keys,
    source: &Source,
) -> Result<Infallible, Broken> {
    loop {
        sleep(HEARTBEAT).await;
        connection.at(keys.prefix(), None).await?;
        source.answered();
    }
}

/// What an answer tells beyond the revision that was seen.
fn event(keys: &Keys, answer: WatchAnswer, seen: i64, traced: Vec<Traced>) -> Option<Event> {
    let (revision, changes) = match answer {
        WatchAnswer::Alive => return None,
        WatchAnswer::Progress(revision) => (revision, Vec::new()),
        WatchAnswer::Events(events) => keys.changes(events),
    };
    if !changes.is_empty() {
        Some(Event::Changed {
            revision,
            changes,
            traced,
        })
    } else if revision > seen {
        Some(Event::Progress { revision })
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
