//! The audit trail: who did what, from where, with which result, in what time. Every record is a line of the log with the
//! target `audit`, and a key in etcd for a set time.

use std::fmt::Display;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::model::drain::Drain;
use crate::store::Ledger;
use crate::telemetry::millis;

/// The step that lets a call in, or does not.
pub const ACCESS: &str = "access";

/// How many records may wait for etcd. What is beyond is in the log only.
const QUEUE: usize = 10_000;
/// How many records are written at once: etcd takes 128 changes in a transaction.
const BATCH: usize = 100;
/// Records of this time share a lease, and are kept for so much longer.
const SHARED: Duration = Duration::from_secs(3600);
/// How many calls that access refused are kept in etcd per minute: whoever may not call at all must not fill it.
const REFUSALS: u32 = 60;
const MINUTE: Duration = Duration::from_secs(60);
/// The longest texts, in characters: etcd takes 1.5 MB in a transaction, and a path may be as long as the caller likes.
const WHAT: usize = 200;
const DETAIL: usize = 1500;
/// How long to wait after etcd did not take records.
const AGAIN: Duration = Duration::from_secs(1);
/// How long what is queued may take to be written when Chancery ends: less than it gives itself.
const LAST: Duration = Duration::from_secs(2);

/// The version of records. Fields may come without a new one: nothing is done on what a record says.
const VERSION: u32 = 1;

/// One step, or one call that was refused. Read with what is there of it, as another version of Chancery may have written it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    /// 0 for those from before there were versions.
    pub version: u32,
    /// When it was over, as RFC 3339 has it.
    pub time: String,
    /// `drain`, `undrain`, `prolong`, `expire`, `repair` or `call`.
    pub action: String,
    /// `request`, `registry`, `document`, `confirmation`, `access`, or `fault` where Chancery itself failed.
    pub step: String,
    /// The drain's id, or empty.
    pub drain: String,
    /// The name of the key, or of the replica that acts by itself.
    pub who: String,
    /// The caller's address.
    pub from: String,
    pub what: String,
    /// `done`, `refused`, `failed` or `unconfirmed`.
    pub result: String,
    /// Why, where it is not done.
    pub detail: String,
    pub took_ms: f64,
}

/// Where records go. A clone is the same one.
#[derive(Debug, Clone)]
pub struct Trail(Option<Kept>);

/// What goes to etcd.
#[derive(Debug, Clone)]
struct Kept {
    queue: mpsc::Sender<Record>,
    /// Since when refused calls are counted, and how many they are.
    refused: Arc<Mutex<(Instant, u32)>>,
}

impl Kept {
    /// Whether one more refused call may be kept.
    fn has_room(&self) -> bool {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.0.elapsed() >= MINUTE {
            *refused = (Instant::now(), 0);
        }
        refused.1 = refused.1.saturating_add(1);
        refused.1 <= REFUSALS
    }
}

impl Trail {
    /// To the log only.
    pub fn to_log() -> Self {
        Self(None)
    }

    /// To the log, and to whoever writes them.
    pub fn new() -> (Self, mpsc::Receiver<Record>) {
        let (sender, records) = mpsc::channel(QUEUE);
        let kept = Kept {
            queue: sender,
            refused: Arc::new(Mutex::new((Instant::now(), 0))),
        };
        (Self(Some(kept)), records)
    }

    fn note(&self, record: Record) {
        info!(
            target: "audit",
            action = record.action,
            step = record.step,
            drain = record.drain,
            who = record.who,
            from = record.from,
            what = record.what,
            result = record.result,
            detail = record.detail,
            took_ms = record.took_ms,
            "audit"
        );
        if let Some(kept) = &self.0
            && (record.step != ACCESS || kept.has_room())
            && kept.queue.try_send(record).is_err()
        {
            warn!("etcd has not taken audit records for a while: this one is in the log only");
        }
    }
}

/// What is done for somebody: the common part of the records of its steps.
#[derive(Debug)]
pub struct Deed<'a> {
    trail: &'a Trail,
    action: &'static str,
    who: &'a str,
    from: &'a str,
    /// The drain's id, once there is one.
    pub drain: Arc<str>,
    pub what: String,
}

impl<'a> Deed<'a> {
    /// One that is about nothing yet.
    pub fn new(trail: &'a Trail, action: &'static str, who: &'a str, from: &'a str) -> Self {
        Self {
            trail,
            action,
            who,
            from,
            drain: Arc::from(""),
            what: String::new(),
        }
    }

    pub fn is_about(&mut self, drain: &Drain) {
        self.drain = drain.id.clone();
        self.what = format!("{} {}", drain.of, drain.place());
    }

    /// A step was done, or failed.
    pub fn step(&self, step: &'static str, began: Instant, error: Option<&impl Display>) {
        let (result, detail) = match error {
            Some(error) => ("failed", error.to_string()),
            None => ("done", String::new()),
        };
        self.note(step, began, result, detail);
    }

    /// It was refused before anything changed.
    pub fn refused(&self, step: &'static str, began: Instant, reason: &impl Display) {
        self.note(step, began, "refused", reason.to_string());
    }

    /// Not everybody has confirmed it.
    pub fn unconfirmed(&self, began: Instant, who: String) {
        self.note("confirmation", began, "unconfirmed", who);
    }

    fn note(&self, step: &str, began: Instant, result: &str, detail: String) {
        self.trail.note(Record {
            version: VERSION,
            time: humantime::format_rfc3339_millis(SystemTime::now()).to_string(),
            action: self.action.to_owned(),
            step: step.to_owned(),
            drain: self.drain.to_string(),
            who: self.who.to_owned(),
            from: self.from.to_owned(),
            what: self.what.chars().take(WHAT).collect(),
            result: result.to_owned(),
            detail: detail.chars().take(DETAIL).collect(),
            took_ms: millis(began.elapsed()),
        });
    }
}

impl Drop for Deed<'_> {
    /// What breaks off by a fault of Chancery is noted as well.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let reason = "a fault of Chancery: the log has more".to_owned();
            self.note("fault", Instant::now(), "failed", reason);
        }
    }
}

/// Writes records to etcd, each kept for `keep`. Ends when nobody can make any more, and soon after `shutdown` in any case.
pub async fn write(
    ledger: Arc<Ledger>,
    records: mpsc::Receiver<Record>,
    keep: Duration,
    shutdown: CancellationToken,
) {
    let mut writer = Writer {
        ledger,
        records,
        keep,
        texts: Vec::new(),
    };
    let late = async {
        shutdown.cancelled().await;
        sleep(LAST).await;
    };
    tokio::select! {
        () = writer.run() => {}
        () = late => {}
    }
    let left = writer.texts.len() + writer.records.len();
    if left > 0 {
        warn!(
            records = left,
            "etcd has not taken the last audit records in time: they are in the log only"
        );
    }
}

/// Between the queue and etcd.
struct Writer {
    ledger: Arc<Ledger>,
    records: mpsc::Receiver<Record>,
    keep: Duration,
    /// What is being written: keys and texts.
    texts: Vec<(String, String)>,
}

impl Writer {
    /// Ends when all records are written that anybody can make.
    async fn run(&mut self) {
        let mut lease: Option<(i64, Instant)> = None;
        let mut batch = Vec::new();
        let mut said = false;
        while self.records.recv_many(&mut batch, BATCH).await > 0 {
            self.texts = batch.drain(..).filter_map(|it| text(&it)).collect();
            while !self.texts.is_empty() {
                let shared = lease
                    .filter(|(_, since)| since.elapsed() < SHARED)
                    .map(|(lease, _)| lease);
                let keep = self.keep + SHARED;
                match self.ledger.append(&self.texts, shared, keep).await {
                    Ok(used) => {
                        said = false;
                        self.texts.clear();
                        if shared.is_none() {
                            lease = Some((used, Instant::now()));
                        }
                    }
                    Err(error) => {
                        if !std::mem::replace(&mut said, true) {
                            warn!(%error, "audit records wait until etcd takes them");
                        }
                        // The lease may be what is wrong: etcd may have been wiped.
                        lease = None;
                        sleep(AGAIN).await;
                    }
                }
            }
        }
    }
}

/// The key of a record, in the order of time, and its text.
fn text(record: &Record) -> Option<(String, String)> {
    let key = format!("{}-{:08x}", record.time, fastrand::u32(..));
    Some((key, serde_json::to_string(record).ok()?))
}

#[cfg(test)]
mod tests;
