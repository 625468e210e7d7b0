//! The tasks that the server consists of. Each runs until the server ends: one that ends before is a failure of the whole.

use std::collections::HashMap;
use std::future::pending;
use std::time::Duration;

use tokio::task::{Id, JoinSet};
use tokio_util::sync::CancellationToken;

use super::Error;

/// The tasks, and the token that ends them. Dropping it aborts them.
pub struct Tasks {
    /// Ends all tasks.
    pub shutdown: CancellationToken,
    running: JoinSet<()>,
    names: HashMap<Id, &'static str>,
}

impl Tasks {
    pub fn new(shutdown: CancellationToken) -> Self {
        Self {
            shutdown,
            running: JoinSet::new(),
            names: HashMap::new(),
        }
    }

    /// Starts a task that ends by itself once the server is to end.
    pub fn spawn(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let started = self.running.spawn(task);
        self.names.insert(started.id(), name);
    }

    /// Starts a task that is dropped once the server is to end.
    pub fn spawn_dropped(
        &mut self,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let shutdown = self.shutdown.clone();
        self.spawn(name, async move {
            shutdown.run_until_cancelled(task).await;
        });
    }

    /// Waits for the first task that ends though nobody told it to.
    pub async fn first_ended(&mut self) -> Error {
        let Some(ended) = self.running.join_next_with_id().await else {
            return pending().await;
        };
        let (id, why) = match ended {
            Ok((id, ())) => (id, "it returned".to_owned()),
            Err(error) => (error.id(), error.to_string()),
        };
        let task = self.names.get(&id).copied().unwrap_or("unknown");
        Error::Ended { task, why }
    }

    /// Ends all tasks; whether they all ended in time. The others are aborted.
    pub async fn end(mut self, grace: Duration) -> bool {
        self.shutdown.cancel();
        let all = async { while self.running.join_next().await.is_some() {} };
        tokio::time::timeout(grace, all).await.is_ok()
    }
}

#[cfg(test)]
mod tests;
