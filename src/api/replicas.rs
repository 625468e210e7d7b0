//! What this replica tells the others, and what they tell.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::store::replicas::{Record, Records};
use crate::xds::{Gateways, Nodes};

use super::{confirmed, json, pb};

/// How many nodes a replica names as behind, and how many documents as rejected.
const NAMED: usize = 16;
/// Between two records: what changes meanwhile is told together.
const PAUSE: Duration = Duration::from_millis(250);

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
            && let Ok(record) = json::whole(&replica)
        {
            own.send_replace(record.into());
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

/// The other replicas.
#[derive(Debug, Clone)]
pub struct Others(watch::Receiver<Records>);

impl Others {
    /// As the store tells.
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

    /// What they say.
    pub fn live(&self) -> Vec<pb::Replica> {
        let records = self.0.borrow();
        others(&records)
            .map(|(id, record)| read(id, record))
            .collect()
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

/// What one of them says; one that cannot be read has confirmed nothing.
fn read(id: &str, record: &Record) -> pb::Replica {
    let replica: pb::Replica = json::read(&record.value).unwrap_or_default();
    pb::Replica {
        id: id.to_owned(),
        ..replica
    }
}

/// Who of one replica has not accepted a revision of documents.
fn behind(replica: &pb::Replica, revision: i64) -> Vec<pb::Behind> {
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
    if replica.revision < revision || behind.is_empty() {
        behind.push(pb::Behind {
            replica: id.clone(),
            revision: replica.revision,
            reason: format!("has published up to revision {} only", replica.revision),
            ..pb::Behind::default()
        });
    }
    behind
}
