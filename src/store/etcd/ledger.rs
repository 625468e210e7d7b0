//! The ledger in etcd: `<prefix>/drain/journal/<key>`, `<prefix>/drain/claims/<key>` and `<prefix>/audit/<time>`, and the
//! documents `<prefix>/drains/<id>` that rest on them. Every step is one transaction that checks what it rests on.

use std::fmt;
use std::time::Duration;

use crate::store::ledger::{Away, Claim, Enforced, Entry, GROUP, Journal, Prolonged};
use bytes::Bytes;
use etcd_client::{
    Compare, CompareOp, GetOptions, PutOptions, SortOrder, SortTarget, Txn, TxnOp, TxnResponse,
};

use super::Settings;
use super::journal;
use super::keys::{AUDIT, CLAIMS, DRAINS, JOURNAL, Keys};
use super::line::Line;

/// How long, in seconds, a claim lasts: more than all steps under it may take together.
const CLAIM: i64 = 15;

/// The ledger of one prefix.
pub struct Ledger {
    keys: Keys,
    line: Line,
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger")
            .field("settings", self.line.settings())
            .finish_non_exhaustive()
    }
}

impl Ledger {
    /// Connects to nothing yet.
    pub fn new(settings: Settings) -> Self {
        Self {
            keys: Keys::new(&settings.prefix),
            line: Line::new(settings),
        }
    }

    /// What all its keys begin with, as the settings have it.
    pub fn prefix(&self) -> &str {
        self.line.settings().prefix.trim_end_matches('/')
    }

    pub async fn journal(&self) -> Result<Journal, Away> {
        let all = |prefix, options: GetOptions| {
            (self.keys.key(prefix).into_bytes(), options.with_prefix())
        };
        let keys_only = || GetOptions::new().with_keys_only();
        let parts = [
            all(JOURNAL, GetOptions::new()),
            all(DRAINS, keys_only()),
            all(CLAIMS, keys_only()),
        ];
        let (revision, read) = self
            .line
            .step(async |etcd| etcd.together(&parts).await)
            .await?;
        let mut journal = Journal {
            revision,
            ..Journal::default()
        };
        for value in read.iter().flat_map(|found| &found.values) {
            journal::take(&mut journal, &self.keys, value);
        }
        Ok(journal)
    }

    /// Writes entries and claims them, all or none: unless there is one at any of their keys, or anything has been written to
    /// their groups since they were read, or to the part of the journal that has no groups.
    ///
    /// The claims' lease is made before, so that a decision is one write.
    pub async fn begin(&self, entries: Vec<Entry>, lease: i64) -> Result<Option<Vec<Claim>>, Away> {
        let unchanged =
            |from: String, seen: i64| Compare::mod_revision(from, CompareOp::Less, seen + 1);
        let (whole, grouped) = (self.keys.key(JOURNAL), self.entry(&GROUP.to_string()));
        let (mut rests_on, mut changes, mut keys) = (Vec::new(), Vec::new(), Vec::new());
        for Entry { key, text, seen } in entries {
            let (entry, claim) = (self.entry(&key), self.claim(&key));
            rests_on.push(Compare::version(entry.clone(), CompareOp::Equal, 0));
            match key.split_once('.') {
                Some((group, _)) => {
                    let group = self.entry(&format!("{group}."));
                    rests_on.push(unchanged(group, seen).with_prefix());
                    // What an older Chancery writes.
                    rests_on.push(unchanged(whole.clone(), seen).with_range(grouped.clone()));
                }
                None => rests_on.push(unchanged(whole.clone(), seen).with_prefix()),
            }
            changes.extend([TxnOp::put(entry, text, None), put(claim, "", lease)]);
            keys.push(key);
        }
        let txn = Txn::new().when(rests_on).and_then(changes);
        let response = self
            .line
            .step(async |etcd| etcd.transact(txn).await)
            .await?;
        Ok(revision(&response).map(|revision| {
            let claim = |key: String| Claim {
                key: key.into(),
                lease,
                revision,
            };
            keys.into_iter().map(claim).collect()
        }))
    }

    /// A lease for a claim: it ends in a quarter of a minute from now.
    pub async fn lease(&self) -> Result<i64, Away> {
        self.line.step(async |etcd| etcd.grant(CLAIM).await).await
    }

    /// Writes an entry anew, and claims it anew; nothing when the claim has ended.
    pub async fn amend(&self, claim: Claim, text: String) -> Result<Option<Claim>, Away> {
        let (entry, claimed) = (self.entry(&claim.key), self.claim(&claim.key));
        let rests_on = [Compare::lease(
            claimed.clone(),
            CompareOp::Equal,
            claim.lease,
        )];
        let changes = |lease| vec![TxnOp::put(entry, text, None), put(claimed, "", lease)];
        self.claimed(&claim.key, rests_on, changes).await
    }

    /// Puts drains in force for so many seconds, all or none, and gives their claims up. Tells the revision; nothing when a
    /// claim has ended.
    pub async fn enforce(&self, drains: Vec<Enforced<'_>>, ttl: u32) -> Result<Option<i64>, Away> {
        let response = self
            .line
            .step(async |etcd| {
                let lease = etcd.grant(ttl.into()).await?;
                let (mut rests_on, mut changes) = (Vec::new(), Vec::new());
                for Enforced { claim, id, text } in drains {
                    let claimed = self.claim(&claim.key);
                    let is_held = Compare::lease(claimed.clone(), CompareOp::Equal, claim.lease);
                    rests_on.push(is_held);
                    let drain = self.keys.key(&format!("{DRAINS}{id}"));
                    changes.extend([put(drain, text, lease), TxnOp::delete(claimed, None)]);
                }
                etcd.transact(Txn::new().when(rests_on).and_then(changes))
                    .await
            })
            .await?;
        Ok(revision(&response))
    }

    /// Has drains end after so many seconds from now, all or none: unless one is not as it was read, or somebody works at its entry.
    /// Tells the revision.
    pub async fn prolong(&self, drains: Vec<Prolonged>, ttl: u32) -> Result<Option<i64>, Away> {
        let response = self
            .line
            .step(async |etcd| {
                let lease = etcd.grant(ttl.into()).await?;
                let (mut rests_on, mut changes) = (Vec::new(), Vec::new());
                for Prolonged {
                    key,
                    id,
                    seen,
                    text,
                } in drains
                {
                    let drain = self.keys.key(&format!("{DRAINS}{id}"));
                    rests_on.extend([
                        Compare::mod_revision(drain.clone(), CompareOp::Equal, seen),
                        Compare::version(self.claim(&key), CompareOp::Equal, 0),
                    ]);
                    let entry = TxnOp::put(self.entry(&key), text.clone(), None);
                    changes.extend([entry, put(drain, text, lease)]);
                }
                etcd.transact(Txn::new().when(rests_on).and_then(changes))
                    .await
            })
            .await?;
        Ok(revision(&response))
    }

    /// Whether a drain is in force at this moment.
    pub async fn is_in_force(&self, id: &str) -> Result<bool, Away> {
        let drain = self.keys.key(&format!("{DRAINS}{id}"));
        let there = Compare::version(drain, CompareOp::Greater, 0);
        let txn = Txn::new().when([there]);
        let response = self
            .line
            .step(async |etcd| etcd.transact(txn).await)
            .await?;
        Ok(response.succeeded())
    }

    /// Ends a drain that is in force, and claims its entry. Nothing when there is no such drain, or
    /// somebody works at it.
    pub async fn lift(&self, key: &str, id: &str) -> Result<Option<Claim>, Away> {
        let drain = self.keys.key(&format!("{DRAINS}{id}"));
        let claim = self.claim(key);
        let rests_on = [
            Compare::version(drain.clone(), CompareOp::Greater, 0),
            Compare::version(claim.clone(), CompareOp::Equal, 0),
        ];
        let changes = |lease| vec![TxnOp::delete(drain, None), put(claim, "", lease)];
        self.claimed(key, rests_on, changes).await
    }

    /// Claims an entry whose drain is not in force; nothing when it is, or somebody works at it, or it is gone.
    pub async fn take(&self, key: &str, id: &str) -> Result<Option<Claim>, Away> {
        let drain = self.keys.key(&format!("{DRAINS}{id}"));
        let claim = self.claim(key);
        let rests_on = [
            Compare::version(self.entry(key), CompareOp::Greater, 0),
            Compare::version(drain, CompareOp::Equal, 0),
            Compare::version(claim.clone(), CompareOp::Equal, 0),
        ];
        let changes = |lease| vec![put(claim, "", lease)];
        self.claimed(key, rests_on, changes).await
    }

    /// Strikes an entry: the registry is as it was before.
    pub async fn strike(&self, claim: &Claim) -> Result<(), Away> {
        let claimed = self.claim(&claim.key);
        let rests_on = [Compare::lease(
            claimed.clone(),
            CompareOp::Equal,
            claim.lease,
        )];
        let changes = [
            TxnOp::delete(self.entry(&claim.key), None),
            TxnOp::delete(claimed, None),
        ];
        let txn = Txn::new().when(rests_on).and_then(changes);
        self.line
            .step(async |etcd| etcd.transact(txn).await)
            .await?;
        Ok(())
    }

    /// Gives a claim up, so that anybody may go on. Others may share its lease.
    pub async fn release(&self, claim: &Claim) -> Result<(), Away> {
        let claimed = self.claim(&claim.key);
        let is_held = Compare::lease(claimed.clone(), CompareOp::Equal, claim.lease);
        let given_up = Txn::new()
            .when([is_held])
            .and_then([TxnOp::delete(claimed, None)]);
        self.line
            .step(async |etcd| etcd.transact(given_up).await)
            .await?;
        Ok(())
    }

    /// Appends to the audit trail. Keys are in the order of time; all end with a lease, which is made when there is none.
    pub async fn append(
        &self,
        records: &[(String, String)],
        lease: Option<i64>,
        keep: Duration,
    ) -> Result<i64, Away> {
        self.line
            .step(async |etcd| {
                let used = match lease {
                    Some(given) => given,
                    None => {
                        etcd.grant(i64::try_from(keep.as_secs()).unwrap_or(i64::MAX))
                            .await?
                    }
                };
                let put = |(key, text): &(String, String)| {
                    put(self.keys.key(&format!("{AUDIT}{key}")), text.as_str(), used)
                };
                let changes: Vec<_> = records.iter().map(put).collect();
                etcd.transact(Txn::new().and_then(changes)).await?;
                Ok(used)
            })
            .await
    }

    /// The newest of the audit trail, newest first.
    pub async fn newest(&self, limit: i64) -> Result<Vec<Bytes>, Away> {
        let options = GetOptions::new()
            .with_sort(SortTarget::Key, SortOrder::Descend)
            .with_limit(limit);
        let range = self.keys.folder(AUDIT);
        let found = self
            .line
            .step(async |etcd| etcd.get(range, options).await)
            .await?;
        let values = found.values.into_iter();
        Ok(values.map(|value| value.value.into()).collect())
    }

    fn entry(&self, key: &str) -> String {
        self.keys.key(&format!("{JOURNAL}{key}"))
    }

    fn claim(&self, key: &str) -> String {
        self.keys.key(&format!("{CLAIMS}{key}"))
    }

    /// Makes changes, a claim among them, if what they rest on is so.
    async fn claimed(
        &self,
        key: &str,
        rests_on: impl Into<Vec<Compare>>,
        changes: impl FnOnce(i64) -> Vec<TxnOp>,
    ) -> Result<Option<Claim>, Away> {
        let conditions = rests_on.into();
        self.line
            .step(async |etcd| {
                let lease = etcd.grant(CLAIM).await?;
                let txn = Txn::new().when(conditions).and_then(changes(lease));
                let written = revision(&etcd.transact(txn).await?);
                Ok(written.map(|revision| Claim {
                    key: key.into(),
                    lease,
                    revision,
                }))
            })
            .await
    }
}

fn put(key: String, text: impl Into<Vec<u8>>, lease: i64) -> TxnOp {
    TxnOp::put(key, text, Some(PutOptions::new().with_lease(lease)))
}

/// The revision of changes that were made.
fn revision(response: &TxnResponse) -> Option<i64> {
    let revision = response.header().map(|header| header.revision());
    revision.filter(|_| response.succeeded())
}
