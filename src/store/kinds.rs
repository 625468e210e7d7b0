//! The kinds of stores: a new one is a row in each of these, and a folder beside this file.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::replicas::Membership;
use super::{Event, Ledger, PriorRevision, Told, Writer, etcd, file};
use crate::telemetry::Source;

/// The store to watch, as settings name it.
#[derive(Debug, Clone)]
pub enum Store {
    Etcd(etcd::Settings),
    Files(PathBuf),
}

impl Store {
    /// What logs, metrics and readiness call it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Etcd(_) => "etcd",
            Self::Files(_) => "files",
        }
    }

    /// Whether replicas tell each other through it how they fare.
    pub fn is_shared(&self) -> bool {
        match self {
            Self::Etcd(_) => true,
            Self::Files(_) => false,
        }
    }

    /// Where draining writes down what it does, where it can.
    pub fn ledger(&self) -> Option<Ledger> {
        match self {
            Self::Etcd(settings) => Some(Ledger::new(settings.clone())),
            Self::Files(_) => None,
        }
    }

    /// Where documents are written, where it can be done. Records of changes are kept for so long.
    pub fn writer(&self, keep: Duration) -> Option<Writer> {
        match self {
            Self::Etcd(settings) => Some(Writer::new(settings.clone(), keep)),
            Self::Files(_) => None,
        }
    }

    /// Tells what documents there are, until `events` is closed or shutdown, and what else it sees.
    pub async fn watch(
        self,
        source: Source,
        earlier: mpsc::Receiver<PriorRevision>,
        events: mpsc::Sender<Event>,
        membership: Membership,
        told: Told,
        shutdown: CancellationToken,
    ) {
        match self {
            Self::Etcd(settings) => {
                let watch = etcd::watch(
                    settings, source, earlier, events, membership, told, shutdown,
                );
                watch.await;
            }
            Self::Files(folder) => {
                file::watch(folder, source, earlier, events, shutdown).await;
            }
        }
    }
}
