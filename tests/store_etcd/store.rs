//! The store under test, and what it tells.

use std::collections::BTreeMap;
use std::time::Duration;

use chancery::model::Document;
use chancery::model::document::Change;
use chancery::store::etcd::{self, Settings};
use chancery::store::ledger::Journal;
use chancery::store::replicas::Membership;
use chancery::store::{Event, PriorRevision, Told};
use chancery::telemetry::Source;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::etcd::DEADLINE;

pub struct Store {
    events: mpsc::Receiver<Event>,
    wishes: mpsc::Sender<PriorRevision>,
    source: Source,
    /// The journal of drains as the watch tells it.
    pub journal: watch::Receiver<Journal>,
    _stop: DropGuard,
}

pub fn settings(endpoint: String) -> Settings {
    Settings {
        endpoints: vec![endpoint],
        prefix: "/chancery".into(),
        user: None,
        ca: None,
        cert: None,
        key: None,
    }
}

/// A replica that has nothing to say.
fn silent() -> Membership {
    Membership {
        id: "silent".into(),
        own: watch::channel(Default::default()).1,
        records: watch::Sender::default(),
    }
}

impl Store {
    pub fn at(endpoint: String) -> Self {
        Self::with(settings(endpoint))
    }

    pub fn with(settings: Settings) -> Self {
        let (sender, events) = mpsc::channel(64);
        let (wishes, earlier) = mpsc::channel(64);
        let (shutdown, source) = (CancellationToken::new(), Source::new("etcd"));
        let token = shutdown.clone();
        let (mirror, journal) = watch::channel(Journal::default());
        let told = Told {
            journal: mirror,
            noticed: mpsc::channel(1).0,
            traces: false,
        };
        tokio::spawn(etcd::watch(
            settings,
            source.clone(),
            earlier,
            sender,
            silent(),
            told,
            token,
        ));
        Self {
            events,
            wishes,
            source,
            journal,
            _stop: shutdown.drop_guard(),
        }
    }

    /// The next event of any kind.
    pub async fn next(&mut self) -> Event {
        let next = tokio::time::timeout(DEADLINE, self.events.recv()).await;
        match next {
            Ok(event) => event.expect("the store has ended"),
            Err(_) => panic!("the store tells nothing: {:?}", self.error()),
        }
    }

    /// The next event that is not mere progress.
    pub async fn told(&mut self) -> Event {
        loop {
            match self.next().await {
                Event::Progress { .. } => {}
                event => return event,
            }
        }
    }

    /// What the next event, which has to be a listing, lists.
    pub async fn listed(&mut self) -> BTreeMap<String, String> {
        match self.told().await {
            Event::Listed { documents, .. } => documents.iter().map(shown).collect(),
            other => panic!("no listing: {other:?}"),
        }
    }

    /// The next event, which has to be changes: its revision, and each path with its value, or nothing when it is gone.
    pub async fn changed(&mut self) -> (i64, Vec<(String, Option<String>)>) {
        match self.told().await {
            Event::Changed {
                revision, changes, ..
            } => (revision, changes.iter().map(change).collect()),
            other => panic!("no change: {other:?}"),
        }
    }

    /// Waits for progress up to a revision, and for nothing else.
    pub async fn progress(&mut self, to: i64) {
        loop {
            match self.next().await {
                Event::Progress { revision } if revision >= to => return,
                Event::Progress { .. } => {}
                other => panic!("no progress: {other:?}"),
            }
        }
    }

    /// Wishes for the form before a revision.
    pub async fn wish(&self, path: &str, revision: i64) {
        let path = path.into();
        let wish = self.wishes.send(PriorRevision { path, revision });
        let sent = tokio::time::timeout(DEADLINE, wish).await;
        sent.expect("no room for a wish").unwrap();
    }

    /// The document that the next event, which has to be the answer to a wish, brings.
    pub async fn granted(&mut self) -> Option<Document> {
        match self.told().await {
            Event::PriorRevision { document, .. } => document,
            other => panic!("no answer: {other:?}"),
        }
    }

    pub async fn earlier(&mut self, path: &str, revision: i64) -> Option<Document> {
        self.wish(path, revision).await;
        self.granted().await
    }

    pub fn error(&self) -> Option<String> {
        self.source.report().error
    }

    /// Waits until the source fails; its words.
    pub async fn fails(&self) -> String {
        self.fails_with("").await
    }

    /// Waits until the source fails in words that hold these.
    pub async fn fails_with(&self, words: &str) -> String {
        let failing = async {
            loop {
                match self.error() {
                    Some(error) if error.contains(words) => return error,
                    _ => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        };
        let failed = tokio::time::timeout(DEADLINE, failing).await;
        failed.unwrap_or_else(|_| panic!("does not fail with {words:?}: {:?}", self.error()))
    }
}

fn shown(document: &Document) -> (String, String) {
    let value = String::from_utf8(document.value.to_vec()).unwrap();
    assert_eq!(*document.source, format!("/chancery/{}", document.path));
    (document.path.to_string(), value)
}

fn change(change: &Change) -> (String, Option<String>) {
    match change {
        Change::Put(document) => {
            let (path, value) = shown(document);
            (path, Some(value))
        }
        Change::Deleted { path } => (path.to_string(), None),
    }
}

/// One document that was written.
pub fn put(path: &str, value: &str) -> (String, Option<String>) {
    (path.into(), Some(value.into()))
}

/// One document that is gone.
pub fn gone(path: &str) -> (String, Option<String>) {
    (path.into(), None)
}

/// What a listing holds.
pub fn documents(all: &[(&str, &str)]) -> BTreeMap<String, String> {
    all.iter()
        .map(|(path, value)| ((*path).into(), (*value).into()))
        .collect()
}
