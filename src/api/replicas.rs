//! What this replica tells the others, and what they tell.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::store::replicas::{Record, Records};
use crate::xds::{Gateways, Nodes};

use super::{confirmed, json, pb};

/// How many nodes a replica names as behind, and how many documents as rejected.
const NAMED: usize = 16;
/// Between two records: what changes meanwhile is told together.
pub(super) const PAUSE: Duration = Duration::from_millis(250);
/// The version of records. A field that an older Chancery may pass over needs no new one.
const VERSION: u32 = 1;

/// Tells what this replica says of itself, whenever that changes. Ends when nobody listens.
///
/// It speaks of revisions of documents only: a record is a write to the store too, and must not call for the next one.
pub async fn tell(
    gateways: Arc<Gateways>,
    nodes: Arc<Nodes>,
    address: String,
    own: watch::Sender<Bytes>,
) {
    let mut settled = gateways.settled();
    let mut changes = nodes.changes();
    let mut told = None;
    loop {
        settled.mark_unchanged();
        changes.mark_unchanged();
        let replica = pb::Replica {
            address: address.clone(),
            ..confirmed::own(&gateways, &nodes, NAMED)
        };
        if told.as_ref() != Some(&replica)
            && let Some(record) = record(&replica)
        {
            own.send_replace(record);
            told = Some(replica);
        }
        tokio::select! {
            Ok(()) = settled.changed() => {}
            Ok(()) = changes.changed() => {}
            () = own.closed() => return,
        }
        sleep(PAUSE).await;
    }
}

/// A replica's record: the message, and the version of what is written.
fn record(replica: &pb::Replica) -> Option<Bytes> {
    let message = json::whole(replica).ok()?;
    let mut record: Map<String, Value> = serde_json::from_str(&message).ok()?;
    record.insert("version".to_owned(), VERSION.into());
    serde_json::to_vec(&record).ok().map(Bytes::from)
}

/// The part of a record that says what the rest means.
#[derive(Deserialize)]
struct Versioned {
    /// There was none at first.
    #[serde(default)]
    version: u32,
}

/// Reads a record. Fields of a newer Chancery are passed over, and a newer version is not gone by.
fn try_read(record: &Record) -> Result<pb::Replica, String> {
    let unreadable = |error: &dyn Display| format!("its record cannot be read: {error}");
    let Versioned { version } =
        serde_json::from_slice(&record.value).map_err(|error| unreadable(&error))?;
    if version > VERSION {
        return Err(format!(
            "its record is of version {version}, of a newer Chancery: this replica knows versions up to {VERSION}"
        ));
    }
    json::read(&record.value).map_err(|status| unreadable(&status.message()))
}

#[derive(Debug, Clone)]
pub struct Others(watch::Receiver<Records>);

impl Others {
    pub fn new(records: watch::Receiver<Records>) -> Self {
        Self(records)
    }

    /// There are none, as where documents are files.
    pub fn none() -> Self {
        let alone = Records {
            current: true,
            ..Records::default()
        };
        Self(watch::Sender::new(alone).subscribe())
    }

    /// Tells that one of them changed, came or went.
    pub fn changes(&self) -> watch::Receiver<Records> {
        self.0.clone()
    }

    /// What this replica is called; empty where there are no others.
    pub fn own(&self) -> String {
        self.0.borrow().own.to_string()
    }

    pub fn live(&self) -> Vec<pb::Replica> {
        let records = self.0.borrow();
        others(&records)
            .map(|(id, record)| read(id, record))
            .collect()
    }

    /// Those whose records cannot be read, and why.
    pub fn unread(&self) -> BTreeMap<Arc<str>, String> {
        let records = self.0.borrow();
        let unread = others(&records).filter_map(|(id, record)| {
            let reason = try_read(record).err()?;
            Some((id.clone(), reason))
        });
        unread.collect()
    }

    /// The one that has published the most, and up to where, when that is beyond a revision of the store.
    pub fn ahead(&self, revision: i64) -> Option<(String, i64)> {
        let live = self.live().into_iter();
        let first = live.max_by_key(|replica| replica.revision)?;
        (first.revision > revision).then_some((first.id, first.revision))
    }

    /// Who of them has not accepted a revision of documents.
    pub fn behind(&self, live: &[pb::Replica], revision: i64) -> Vec<pb::Behind> {
        if !self.0.borrow().current {
            return vec![pb::Behind {
                replica: self.own(),
                reason: "does not know how the other replicas fare: etcd is away".to_owned(),
                ..pb::Behind::default()
            }];
        }
        live.iter()
            .flat_map(|replica| behind(replica, revision))
            .collect()
    }
}

fn others(records: &Records) -> impl Iterator<Item = (&Arc<str>, &Record)> {
    records.by_id.iter().filter(|(id, _)| **id != records.own)
}

/// What one of them says; one that cannot be read has confirmed nothing, and says why.
fn read(id: &str, record: &Record) -> pb::Replica {
    let replica = try_read(record).unwrap_or_else(|reason| pb::Replica {
        behind: vec![pb::Behind {
            reason,
            ..pb::Behind::default()
        }],
        ..pb::Replica::default()
    });
    pb::Replica {
        id: id.to_owned(),
        ..replica
    }
}

/// Who of one replica has not accepted a revision of documents.
fn behind(replica: &pb::Replica, revision: i64) -> Vec<pb::Behind> {
    let waiting = replica.waiting.iter().cloned();
    let mut behind = nodes_behind(replica, revision);
    behind.extend(confirmed::behind_by(waiting, revision, &replica.id));
    behind
}

fn nodes_behind(replica: &pb::Replica, revision: i64) -> Vec<pb::Behind> {
    if replica.confirmed >= revision {
        return Vec::new();
    }
    let id = &replica.id;
    let nodes = replica
        .behind
        .iter()
        .filter(|behind| behind.revision < revision);
    let mut behind: Vec<_> = nodes
        .map(|behind| pb::Behind {
            replica: id.clone(),
            ..behind.clone()
        })
        .collect();
    let says_itself = behind.iter().any(|behind| behind.node.is_empty());
    if !says_itself && (replica.revision < revision || behind.is_empty()) {
        behind.push(pb::Behind {
            replica: id.clone(),
            revision: replica.revision,
            reason: format!("has published up to revision {} only", replica.revision),
            ..pb::Behind::default()
        });
    }
    behind
}
