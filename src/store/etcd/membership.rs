//! This replica among the others: `<prefix>/replicas/<id>`, under a lease that ends with the process.
//!
//! What the others say comes with the documents' own watch, so that whoever has seen a revision has seen all records
//! before it. Writing may fail, for want of permission for example, without harm to the documents.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use etcd_client::proto::{PbEvent, PbKeyValue};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::broken::Broken;
use super::connection::Connection;
use super::keys::Keys;
use crate::store::replicas::{Membership, Record, Records};

/// How long, in seconds, a replica counts after it was last heard of.
const TTL: i64 = 10;
/// How often it is heard of.
const KEEP_ALIVE: Duration = Duration::from_secs(3);
/// How long to wait after a write that failed.
const RETRY: Duration = Duration::from_secs(3);
/// How long a process that ends may take to say so.
const LEAVE: Duration = Duration::from_secs(1);

/// Keeps the records of all replicas as the watch tells them.
pub(super) struct Table(watch::Sender<Records>);

impl Table {
    pub(super) fn new(records: watch::Sender<Records>) -> Self {
        Self(records)
    }

    /// These are all records there are.
    pub(super) fn list(&self, keys: &Keys, values: &[PbKeyValue]) {
        let records = values
            .iter()
            .filter_map(|value| record(keys, value))
            .collect();
        self.0.send_modify(|table| {
            table.by_id = records;
        });
    }

    /// Takes what events say of records.
    pub(super) fn handle_events(&self, keys: &Keys, events: &[PbEvent]) {
        for event in events {
            let Some(value) = &event.kv else { continue };
            let Some((id, record)) = record(keys, value) else {
                continue;
            };
            self.0.send_modify(|table| {
                match event.r#type {
                    super::keys::DELETE => table.by_id.remove(&id),
                    _ => table.by_id.insert(id, record),
                };
            });
        }
    }

    /// Whether the watch is under way.
    pub(super) fn set_current(&self, current: bool) {
        self.0
            .send_if_modified(|table| std::mem::replace(&mut table.current, current) != current);
    }
}

fn record(keys: &Keys, value: &PbKeyValue) -> Option<(Arc<str>, Record)> {
    let id = keys.replica(&value.key)?;
    let record = Record {
        value: value.value.clone().into(),
        lease: value.lease,
        revision: value.mod_revision,
    };
    Some((id.into(), record))
}

/// Writes what this replica says of itself.
pub(super) struct Teller {
    membership: Membership,
    /// The lease, and the connection that it was last heard over.
    lease: Option<(i64, Connection)>,
    /// The revision of the first write under that lease.
    since: Option<i64>,
    failing: bool,
}

impl Teller {
    pub(super) fn new(membership: Membership) -> Self {
        let id = membership.id.clone();
        membership.records.send_modify(|records| records.own = id);
        Self {
            membership,
            lease: None,
            since: None,
            failing: false,
        }
    }

    /// Tells for as long as the connection is good; whether it is, others find out. May be dropped at any await.
    pub(super) async fn tell(&mut self, connection: &Connection, keys: &Keys) -> Infallible {
        loop {
            let Err(broken) = self.try_to_tell(connection, keys).await;
            if !std::mem::replace(&mut self.failing, true) {
                tracing::warn!(
                    replica = %self.membership.id, error = %broken,
                    "the other replicas cannot be told how this one fares; what they confirm is without its nodes",
                );
            }
            sleep(RETRY).await;
        }
    }

    async fn try_to_tell(
        &mut self,
        connection: &Connection,
        keys: &Keys,
    ) -> Result<Infallible, Broken> {
        let mut records = self.membership.records.subscribe();
        let mut beat = interval(KEEP_ALIVE);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        if !self.membership.own.borrow().is_empty() {
            // The lease may have ended while etcd was away, and every write under it would fail.
            self.keep_alive(connection).await?;
        }
        self.membership.own.mark_changed();
        loop {
            tokio::select! {
                _ = beat.tick(), if !self.membership.own.borrow().is_empty() => self.keep_alive(connection).await?,
                Ok(()) = self.membership.own.changed() => {
                    self.write(connection, keys).await?;
                }
                Ok(()) = records.changed() => {
                    let taken = self.is_taken(&records.borrow_and_update());
                    if taken {
                        self.rename();
                        self.membership.own.mark_changed();
                    }
                }
            }
        }
    }

    /// Keeps the lease, or takes one.
    async fn keep_alive(&mut self, connection: &Connection) -> Result<(), Broken> {
        if let Some((lease, _)) = self.lease
            && connection.keep_alive(lease).await?
        {
            self.lease = Some((lease, connection.clone()));
            return Ok(());
        }
        self.since = None;
        self.lease = Some((connection.grant(TTL).await?, connection.clone()));
        self.membership.own.mark_changed();
        Ok(())
    }

    async fn write(&mut self, connection: &Connection, keys: &Keys) -> Result<(), Broken> {
        let own = self.membership.own.borrow_and_update().clone();
        // Once there is a lease, this is called again.
        let Some((lease, _)) = self.lease else {
            return Ok(());
        };
        let key = keys.of_replica(&self.membership.id);
        let revision = connection.put(key, own.into(), lease).await?;
        self.since.get_or_insert(revision);
        if std::mem::take(&mut self.failing) {
            tracing::info!(replica = %self.membership.id, "the other replicas are told again");
        }
        Ok(())
    }

    /// Whether another process has written over what this one said.
    fn is_taken(&self, records: &Records) -> bool {
        let (Some((lease, _)), Some(since)) = (&self.lease, self.since) else {
            return false;
        };
        records
            .by_id
            .get(&self.membership.id)
            .is_some_and(|found| found.revision > since && found.lease != *lease)
    }

    /// Goes by another name from now on: two processes under one would hide each other's nodes.
    fn rename(&mut self) {
        let id: Arc<str> = format!("{}-{:04x}", self.membership.id, fastrand::u16(..)).into();
        tracing::warn!(
            replica = %self.membership.id, renamed = %id,
            "another process goes by this replica's name: set --replica-id apart",
        );
        self.membership.id = id.clone();
        self.since = None;
        self.membership
            .records
            .send_modify(|records| records.own = id);
    }

    /// Says that this replica is gone, rather than let the others wait for its lease to end.
    pub(super) async fn leave(self) {
        if let Some((lease, connection)) = self.lease {
            // Else the lease ends by itself.
            let _ = timeout(LEAVE, connection.revoke(lease)).await;
        }
    }
}
