//! The tasks that the server consists of. Each runs until the server ends: one that ends before is a failure of the whole.

use std::collections::HashMap;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::{Id, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::error;

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

    /// Starts such a task on a thread of its own, so that none other waits while it computes.
    pub fn spawn_apart(
        &mut self,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let (runtime, (sender, ended)) = (Handle::current(), oneshot::channel());
        let run = move || {
            let ended = catch_unwind(AssertUnwindSafe(|| runtime.block_on(task)));
            // Nobody waits any longer when the process ends.
            let _ = sender.send(ended);
        };
        // Not one of the runtime's threads for what blocks: the process would not end before it does.
        let started = thread::Builder::new().name(name.to_owned()).spawn(run);
        self.spawn(name, async move {
            match started.map(|_| ended) {
                Ok(ended) => {
                    if let Ok(Err(panic)) = ended.await {
                        resume_unwind(panic);
                    }
                }
                Err(error) => error!(task = name, %error, "there is no thread for a task"),
            }
        });
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
