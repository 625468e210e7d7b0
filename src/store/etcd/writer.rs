//! Documents of one prefix in etcd, read and written on request. Reads are linearizable: who reads after a write was
//! answered, at whichever replica, sees it.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use etcd_client::proto::PbKeyValue;
use etcd_client::{
    Compare, CompareOp, DeleteOptions, GetOptions, PutOptions, Txn, TxnOp, TxnResponse,
};

use crate::store::writer::{Away, Condition, Edit, Held, Reading, Transaction};

use super::Settings;
use super::broken::Broken;
use super::connection::Connection;
use super::keys::{Keys, Meaning};
use super::line::Line;
use super::record::Lease;

/// The documents of one prefix, and what became of them.
pub struct Writer {
    pub(super) keys: Keys,
    pub(super) line: Line,
    /// What records end with.
    pub(super) lease: Lease,
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer")
            .field("settings", self.line.settings())
            .finish_non_exhaustive()
    }
}

impl Writer {
    /// Connects to nothing yet. Records of changes are kept for so long.
    pub fn new(settings: Settings, keep: Duration) -> Self {
        Self {
            keys: Keys::new(&settings.prefix),
            line: Line::new(settings),
            lease: Lease::new(keep),
        }
    }

    /// The whole key of a document.
    pub fn key(&self, path: &str) -> String {
        self.keys.key(path)
    }

    /// Those of these documents that are there. At most 128.
    pub async fn read(&self, paths: &[&str]) -> Result<Reading, Away> {
        let keys = paths.iter().map(|path| self.keys.key(path).into_bytes());
        let reads: Vec<_> = keys.map(|key| (key, GetOptions::new())).collect();
        let (revision, read) = self
            .line
            .step(async |etcd| etcd.together(&reads).await)
            .await?;
        let values = read.into_iter().flat_map(|found| found.values);
        Ok(Reading {
            revision,
            documents: values.filter_map(|value| self.held(value)).collect(),
        })
    }

    /// All documents below these folders, `routes/`, as they were at one moment.
    pub async fn list(&self, folders: &[&str]) -> Result<Reading, Away> {
        self.line
            .step(async |etcd| {
                let mut reading = Reading::default();
                for folder in folders {
                    if folder.is_empty() {
                        for range in self.keys.ranges() {
                            self.list_range(etcd, range, &mut reading).await?;
                        }
                    } else {
                        let range = self.keys.folder(folder);
                        self.list_range(etcd, range, &mut reading).await?;
                    }
                }
                Ok(reading)
            })
            .await
    }

    /// Adds what is in a range to a reading, at its revision if it has one.
    async fn list_range(
        &self,
        etcd: &Connection,
        mut range: Range<Vec<u8>>,
        reading: &mut Reading,
    ) -> Result<(), Broken> {
        loop {
            let at = (reading.revision > 0).then_some(reading.revision);
            let page = etcd.page(range.clone(), at).await?;
            if reading.revision == 0 {
                reading.revision = page.revision;
            }
            let last = page.values.last().map(|value| value.key.clone());
            let held = page.values.into_iter();
            reading
                .documents
                .extend(held.filter_map(|value| self.held(value)));
            let (Some(mut next), true) = (last, page.more) else {
                return Ok(());
            };
            next.push(0);
            range.start = next;
        }
    }

    /// Makes changes; tells the revision that they made, or nothing where something that they rest on is not so.
    pub async fn write(&self, transaction: &Transaction) -> Result<Option<i64>, Away> {
        let written = self
            .line
            .step(async |etcd| {
                let mut changes = self.records(etcd, &transaction.records).await?;
                for edit in &transaction.edits {
                    changes.push(self.change(etcd, edit).await?);
                }
                let conditions = transaction.conditions.iter();
                let rests_on: Vec<_> = conditions.map(|one| self.compare(one)).collect();
                let txn = Txn::new().when(rests_on).and_then(changes);
                let response = etcd.transact(txn).await?;
                Ok(response.succeeded().then(|| revision(&response)))
            })
            .await;
        written.inspect_err(|_| self.lease.forget())
    }

    async fn change(&self, etcd: &Connection, edit: &Edit) -> Result<TxnOp, Broken> {
        Ok(match edit {
            Edit::Put { path, text, ttl } => {
                let options = match ttl {
                    Some(ttl) => {
                        let lease = etcd.grant((*ttl).into()).await?;
                        Some(PutOptions::new().with_lease(lease))
                    }
                    None => None,
                };
                TxnOp::put(self.keys.key(path), text.as_str(), options)
            }
            Edit::Delete(path) => TxnOp::delete(self.keys.key(path), None),
            Edit::DeleteAll(folder) => {
                let all = DeleteOptions::new().with_prefix();
                TxnOp::delete(self.keys.key(folder), Some(all))
            }
        })
    }

    fn compare(&self, condition: &Condition) -> Compare {
        match condition {
            Condition::Written(path, revision) => {
                Compare::mod_revision(self.keys.key(path), CompareOp::Equal, *revision)
            }
            Condition::Exists(path) => {
                Compare::create_revision(self.keys.key(path), CompareOp::Greater, 0)
            }
            Condition::Unchanged(folder, revision) => {
                let folder = self.keys.key(folder);
                Compare::mod_revision(folder, CompareOp::Less, revision + 1).with_prefix()
            }
        }
    }

    pub(super) fn held(&self, value: PbKeyValue) -> Option<Held> {
        let Meaning::Document(path) = self.keys.read(&value.key) else {
            return None;
        };
        Some(Held {
            path: path.into(),
            text: Bytes::from(value.value),
            created: value.create_revision,
            modified: value.mod_revision,
        })
    }
}

pub(super) fn revision(response: &TxnResponse) -> i64 {
    response.header().map_or(0, |header| header.revision())
}
