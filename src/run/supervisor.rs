//! Tells who supervises this process, as systemd does, when it is ready, that it lives, and that it ends: the protocol of
//! `sd_notify(3)`. Ready is what `/readyz` calls so. It lives as long as the loop answers: a timer would go on when that hangs.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::control::question::Question;
use crate::telemetry::Source;

use super::Shared;
use super::tasks::Tasks;

/// How often the status is told where no watchdog asks for more.
const STATUS: Duration = Duration::from_secs(10);

/// Starts the task, where there is a supervisor.
pub fn start(
    shared: &Shared,
    sources: Vec<Source>,
    questions: mpsc::Sender<Question>,
    tasks: &mut Tasks,
) {
    if std::env::var_os("NOTIFY_SOCKET").is_none() {
        return;
    }
    let watchdog = sd_notify::watchdog_enabled().filter(|time| !time.is_zero());
    let supervised = Supervised {
        served: shared.gateways.served(),
        questions,
        watchdog,
        shutdown: tasks.shutdown.clone(),
    };
    let (gateways, nodes) = (shared.gateways.clone(), shared.nodes.clone());
    let mut said = String::new();
    let status = move || {
        let newest = gateways.newest();
        if newest.is_empty() {
            return waiting(&sources);
        }
        let revision = newest.iter().map(|snapshot| snapshot.revision).max();
        let revision = revision.unwrap_or_default();
        format!("serves revision {revision} to {} proxies", nodes.count())
    };
    let tell = move |states: &[NotifyState]| {
        let failure = match sd_notify::notify(states) {
            Ok(()) => String::new(),
            Err(error) => error.to_string(),
        };
        if !failure.is_empty() && failure != said {
            warn!(error = %failure, "cannot tell the supervisor of this process how it fares");
        }
        said = failure;
    };
    // Telling waits for a supervisor that does not read: nothing else may wait with it.
    tasks.spawn_apart("supervisor", supervised.run(status, tell));
}

fn waiting(sources: &[Source]) -> String {
    let silent = Source::reports(sources);
    let silent = silent.filter(|report| report.age.is_none());
    let names: Vec<_> = silent.map(|report| report.name).collect();
    if names.is_empty() {
        "starts".to_owned()
    } else {
        format!("waits for {}", names.join(" and "))
    }
}

/// What is told of.
struct Supervised {
    served: watch::Receiver<bool>,
    questions: mpsc::Sender<Question>,
    /// Within which time it wants to hear that the server lives, if it does.
    watchdog: Option<Duration>,
    shutdown: CancellationToken,
}

impl Supervised {
    async fn run(self, status: impl Fn() -> String, mut tell: impl FnMut(&[NotifyState])) {
        let Self {
            mut served,
            questions,
            watchdog,
            shutdown,
        } = self;
        // Thrice within the time, so that the loop may take most of it for one thing.
        let every = watchdog.map_or(STATUS, |time| STATUS.min(time / 3));
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_ready = false;
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                Ok(_) = served.wait_for(|serves| *serves), if !is_ready => {
                    is_ready = true;
                    tell(&[NotifyState::Ready, NotifyState::Status(&status())]);
                }
                Ok(()) = loop_lives(&mut ticks, &questions) => {
                    let status = status();
                    let alive = [NotifyState::Watchdog, NotifyState::Status(&status)];
                    tell(if watchdog.is_some() { &alive } else { &alive[1..] });
                }
            }
        }
        tell(&[NotifyState::Stopping, NotifyState::Status("ends")]);
    }
}

/// Asks the loop at the next tick, and waits for its answer, however long that takes.
async fn loop_lives(
    ticks: &mut Interval,
    questions: &mpsc::Sender<Question>,
) -> Result<(), oneshot::error::RecvError> {
    ticks.tick().await;
    let (answer, answered) = oneshot::channel();
    // Where it is gone, so is the answer's sender.
    let _ = questions.send(Question::Alive(answer)).await;
    answered.await
}

#[cfg(test)]
mod tests;
