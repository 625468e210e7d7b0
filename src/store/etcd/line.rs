//! A connection beside the watch's, made when it is needed: a watch that is busy holds up nobody who asks or writes.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::timeout;

use crate::store::ledger::Away;

use super::Settings;
use super::broken::{self, Broken};
use super::connection::Connection;

/// How long one step may take.
const STEP: Duration = Duration::from_secs(5);

pub(super) struct Line {
    settings: Settings,
    connection: Mutex<Option<Connection>>,
}

impl Line {
    /// Connects to nothing yet.
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            connection: Mutex::new(None),
        }
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// One step on a connection that is good, as far as anybody knows.
    pub(super) async fn step<T>(
        &self,
        step: impl AsyncFnOnce(&Connection) -> Result<T, Broken>,
    ) -> Result<T, Away> {
        let work = async {
            let connection = self.connection().await?;
            let done = step(&connection).await;
            done.map_err(|broken| Away(format!("etcd: {broken}")))
        };
        let done = timeout(STEP, work)
            .await
            .unwrap_or_else(|_| Err(Away(format!("etcd: no answer within {STEP:?}"))));
        if done.is_err() {
            *self.slot() = None;
        }
        done
    }

    async fn connection(&self) -> Result<Connection, Away> {
        if let Some(connection) = self.slot().clone() {
            return Ok(connection);
        }
        let mut reasons = Vec::new();
        for endpoint in &self.settings.endpoints {
            match Connection::open(&self.settings, endpoint).await {
                Ok(connection) => {
                    *self.slot() = Some(connection.clone());
                    return Ok(connection);
                }
                Err(broken) => {
                    reasons.push(format!("etcd at {}: {broken}", broken::shown(endpoint)));
                }
            }
        }
        Err(Away(reasons.join("; ")))
    }

    fn slot(&self) -> MutexGuard<'_, Option<Connection>> {
        let slot = self.connection.lock();
        slot.unwrap_or_else(PoisonError::into_inner)
    }
}
