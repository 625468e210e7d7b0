//! What became of documents: `<prefix>/history/<path>/<revision>`, a record of each change, which ends with a lease. The revision
//! in its key is one that is not younger than the change; so the keys of a document are in the order of its changes.
//!
//! Changes of the Admin API are recorded in the transaction that makes them. For others, of etcdctl, whoever watches records them:
//! the first of the replicas does.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use etcd_client::proto::{PbEvent, PbKeyValue};
use etcd_client::{Compare, CompareOp, GetOptions, PutOptions, SortOrder, SortTarget, Txn, TxnOp};
use serde::Deserialize;

use crate::store::writer::{Away, Former, KEPT, Noticed, Record, Recorded, SINCE, Since};
use crate::telemetry::traces::{Context, Traced};

use super::broken::Broken;
use super::connection::Connection;
use super::keys::{DELETE, DRAINS, HISTORY, Keys, Meaning};
use super::writer::Writer;

/// Records of this time share a lease, and are kept for so much longer.
const SHARED: Duration = Duration::from_secs(3600);

/// What records end with.
pub(super) struct Lease {
    keep: Duration,
    newest: Mutex<Option<(i64, Instant)>>,
}

impl Lease {
    pub(super) fn new(keep: Duration) -> Self {
        Self {
            keep,
            newest: Mutex::new(None),
        }
    }

    /// It may be gone.
    pub(super) fn forget(&self) {
        *self.slot() = None;
    }

    async fn get(&self, etcd: &Connection) -> Result<i64, Broken> {
        let newest = *self.slot();
        if let Some((lease, made)) = newest
            && made.elapsed() < SHARED
        {
            return Ok(lease);
        }
        let ttl = self.keep.saturating_add(SHARED).as_secs();
        let lease = etcd.grant(i64::try_from(ttl).unwrap_or(i64::MAX)).await?;
        *self.slot() = Some((lease, Instant::now()));
        Ok(lease)
    }

    fn slot(&self) -> MutexGuard<'_, Option<(i64, Instant)>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    /// The changes that keep records.
    pub(super) async fn records(
        &self,
        etcd: &Connection,
        records: &[Record],
    ) -> Result<Vec<TxnOp>, Broken> {
        let mut changes = Vec::with_capacity(records.len());
        for record in records {
            changes.push(self.put(etcd, record).await?);
        }
        Ok(changes)
    }

    async fn put(&self, etcd: &Connection, record: &Record) -> Result<TxnOp, Broken> {
        let options = PutOptions::new().with_lease(self.lease.get(etcd).await?);
        let key = self.keys.record(&record.path, record.since);
        Ok(TxnOp::put(key, record.text.as_str(), Some(options)))
    }

    /// Records a change that was made without, unless another has.
    pub async fn record(&self, record: &Record) -> Result<(), Away> {
        let key = self.keys.record(&record.path, record.since);
        let recorded = self.line.step(async |etcd| {
            let put = self.put(etcd, record).await?;
            let is_absent = Compare::create_revision(key, CompareOp::Equal, 0);
            etcd.transact(Txn::new().when([is_absent]).and_then([put]))
                .await
        });
        let recorded = recorded.await;
        recorded.map(drop).inspect_err(|_| self.lease.forget())
    }

    /// The newest records of a document or of all, newest first.
    pub async fn recorded(&self, path: Option<&str>, limit: i64) -> Result<Vec<Recorded>, Away> {
        let range = match path {
            Some(path) => self.keys.records(path),
            None => self.keys.folder(HISTORY),
        };
        let options = GetOptions::new()
            .with_sort(SortTarget::Mod, SortOrder::Descend)
            .with_limit(limit);
        let found = self
            .line
            .step(async |etcd| etcd.get(range, options).await)
            .await?;
        Ok(found
            .values
            .into_iter()
            .filter_map(|it| self.read_record(it))
            .collect())
    }

    /// All that was written after a revision; nothing where that is too much.
    pub async fn since(&self, revision: i64) -> Result<Option<Since>, Away> {
        let younger = |range: Range<Vec<u8>>| {
            let options = GetOptions::new()
                .with_range(range.end)
                .with_min_mod_revision(revision + 1)
                .with_limit(SINCE);
            (range.start, options)
        };
        let records = self.keys.folder(HISTORY);
        let ranges = self.keys.ranges().into_iter().chain([records]);
        let ranges: Vec<_> = ranges.map(younger).collect();
        let (revision, read) = self
            .line
            .step(async |etcd| etcd.together(&ranges).await)
            .await?;
        if read.iter().any(|found| found.more) {
            return Ok(None);
        }
        let mut since = Since {
            revision,
            ..Since::default()
        };
        for value in read.into_iter().flat_map(|found| found.values) {
            match self.keys.read(&value.key) {
                Meaning::Record(_) => since.records.extend(self.read_record(value)),
                Meaning::Document(path) if !path.starts_with(DRAINS) => {
                    since.documents.extend(self.held(value));
                }
                _ => {}
            }
        }
        since.records.sort_by_key(|recorded| recorded.revision);
        Ok(Some(since))
    }

    /// A document as it was at a revision.
    pub async fn at(&self, path: &str, revision: i64) -> Result<Former, Away> {
        let key = self.keys.key(path);
        self.line
            .step(async |etcd| match etcd.at(&key, Some(revision)).await {
                Ok(found) => {
                    let mut values = found.values.into_iter();
                    let held = values.next().and_then(|value| self.held(value));
                    Ok(held.map_or(Former::Absent, Former::Held))
                }
                Err(broken) if broken.history_is_gone() => Ok(Former::Compacted),
                Err(broken) => Err(broken),
            })
            .await
    }

    /// Deletes the oldest records of a document that has too many. Tells how many are left.
    pub async fn trim(&self, path: &str) -> Result<usize, Away> {
        let range = self.keys.records(path);
        self.line
            .step(async |etcd| {
                let keys_only = GetOptions::new().with_keys_only();
                let found = etcd.get(range.clone(), keys_only).await?;
                let Some(surplus) = found.values.len().checked_sub(KEPT) else {
                    return Ok(found.values.len());
                };
                let Some(first) = found.values.get(surplus) else {
                    return Ok(found.values.len());
                };
                etcd.delete(range.start..first.key.clone()).await?;
                Ok(KEPT)
            })
            .await
    }

    fn read_record(&self, value: PbKeyValue) -> Option<Recorded> {
        let Meaning::Record(path) = self.keys.read(&value.key) else {
            return None;
        };
        Some(Recorded {
            path: path.into(),
            revision: value.mod_revision,
            text: Bytes::from(value.value),
        })
    }
}

impl Keys {
    /// The key of what a change made of a document.
    fn record(&self, path: &str, since: i64) -> String {
        self.key(&format!("{HISTORY}{path}/{since:020}"))
    }

    /// All keys of records of a document, without those of documents below it.
    fn records(&self, path: &str) -> Range<Vec<u8>> {
        let below = self.key(&format!("{HISTORY}{path}/"));
        // Those begin with a digit, and a colon comes after all digits.
        format!("{below}0").into()..format!("{below}:").into()
    }
}

/// Which revisions changed documents, and under which contexts: those that their records have.
pub(super) fn traced(keys: &Keys, events: &[PbEvent]) -> Vec<Traced> {
    let of = |event: &PbEvent| event.kv.as_ref().map(|kv| kv.mod_revision);
    let mut traced = Vec::new();
    for events in events.chunk_by(|a, b| of(a) == of(b)) {
        let values = events.iter().filter_map(|event| event.kv.as_ref());
        let mut of_documents = values.clone().filter(|kv| {
            let meaning = keys.read(&kv.key);
            matches!(meaning, Meaning::Document(_))
        });
        let Some(changed) = of_documents.next() else {
            continue;
        };
        let mut contexts = values.filter_map(|kv| match keys.read(&kv.key) {
            Meaning::Record(_) => context(&kv.value),
            _ => None,
        });
        traced.push(Traced {
            revision: changed.mod_revision,
            context: contexts.next(),
        });
    }
    traced
}

/// The one thing in a record that a watch looks for.
fn context(record: &[u8]) -> Option<Context> {
    #[derive(Deserialize)]
    struct Of {
        trace: String,
    }
    let of: Of = serde_json::from_slice(record).ok()?;
    of.trace.parse().ok()
}

/// What events tell of records.
pub(super) fn notice(keys: &Keys, events: &[PbEvent]) -> Vec<Noticed> {
    let of = |event: &PbEvent| event.kv.as_ref().map(|kv| kv.mod_revision);
    let mut noticed = Vec::new();
    for events in events.chunk_by(|a, b| of(a) == of(b)) {
        let mut recorded: BTreeSet<Arc<str>> = BTreeSet::new();
        for event in events {
            if let (false, Some(kv)) = (event.r#type == DELETE, &event.kv)
                && let Meaning::Record(path) = keys.read(&kv.key)
            {
                recorded.insert(path.into());
            }
        }
        for event in events {
            let Some(kv) = &event.kv else { continue };
            let Meaning::Document(path) = keys.read(&kv.key) else {
                continue;
            };
            if !path.starts_with(DRAINS) && !recorded.contains(path) {
                let deleted = event.r#type == DELETE;
                noticed.push(Noticed::Unrecorded {
                    path: path.into(),
                    revision: kv.mod_revision,
                    is_new: !deleted && kv.version == 1,
                    deleted,
                });
            }
        }
        noticed.extend(recorded.into_iter().map(Noticed::Recorded));
    }
    noticed
}
