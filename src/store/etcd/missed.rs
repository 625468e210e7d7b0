//! What was changed while nobody watched: as long as etcd has its history, a watch from an earlier revision tells of each change.

use std::time::Duration;

use etcd_client::{PutOptions, Txn, TxnOp};

use crate::store::writer::{Away, Missed, Noticed};

use super::answers::{Answers, WatchAnswer};
use super::broken::Broken;
use super::connection::Connection;
use super::record;
use super::writer::{self, Writer};

/// Whoever has seen this key written has seen all that was written before. It is a mark, no document.
const SEEN: &str = "watched/";
/// How long it stays.
const STAYS: Duration = Duration::from_secs(60);
/// How many events are looked at in one step.
const EVENTS: usize = 5_000;

impl Writer {
    /// What was changed after a revision without a record, the first of it at least.
    pub async fn missed(&self, revision: i64) -> Result<Missed, Away> {
        self.line
            .step(async |etcd| match self.watched(etcd, revision).await {
                Err(broken) if broken.history_is_gone() => Ok(Missed::Compacted),
                other => other,
            })
            .await
    }

    async fn watched(&self, etcd: &Connection, revision: i64) -> Result<Missed, Broken> {
        let mark = self.keys.key(SEEN);
        // A watch from a compaction's own revision would lack its deletes (etcd#19179); this fails there.
        etcd.at(&mark, Some(revision)).await?;
        let (_requests, mut responses) = etcd.watch(self.keys.range(), revision + 1).await?;
        let lease = etcd.grant(STAYS.as_secs().cast_signed()).await?;
        let put = TxnOp::put(mark, "", Some(PutOptions::new().with_lease(lease)));
        let end = writer::revision(&etcd.transact(Txn::new().and_then([put])).await?);
        let (mut answers, mut changes, mut count) = (Answers::default(), Vec::new(), 0);
        while let Some(response) = responses.message().await? {
            let WatchAnswer::Events(events) = answers.handle_response(response.0)? else {
                continue;
            };
            let noticed = record::notice(&self.keys, &events).into_iter();
            changes.extend(noticed.filter(|one| matches!(one, Noticed::Unrecorded { .. })));
            count += events.len();
            let last = events.last().and_then(|event| event.kv.as_ref());
            let reached = last.map_or(0, |kv| kv.mod_revision);
            if reached >= end || count >= EVENTS {
                let reached = (reached < end).then_some(reached);
                return Ok(Missed::Changes { changes, reached });
            }
        }
        Err(Broken::Ended)
    }
}
