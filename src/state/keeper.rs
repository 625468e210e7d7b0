//! The task that writes the state: asks for it when it can write, so that nobody copies what nobody writes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::{Origin, Saved, file};
use crate::telemetry::{Metrics, millis};

/// A wish for the newest state, to be granted once it is another one than before.
pub type SaveRequest = oneshot::Sender<Saved>;

/// How long after the begin of a write the next one begins, where the disk allows; also the longest pause after one, and
/// how long what could not be written waits for something newer before it is tried again.
const PACE: Duration = Duration::from_secs(1);

/// Writes every state that is granted to `folder`. Runs until nobody grants wishes any more; after `shutdown` without
/// pauses. A failure is said once. What could not be written is tried again, until there is a newer state: that takes its
/// place, as it may fit where the one before did not.
pub async fn keep(
    folder: PathBuf,
    origin: Origin,
    wisher: mpsc::Sender<SaveRequest>,
    metrics: Arc<Metrics>,
    shutdown: CancellationToken,
) {
    let mut wishes = Wishes {
        place: wisher,
        pending: None,
    };
    let mut failing = false;
    let mut unwritten = None;
    loop {
        let newest = tokio::select! {
            biased;
            granted = wishes.newest() => granted,
            () = sleep(PACE), if unwritten.is_some() => unwritten.take(),
        };
        let Some(newest) = newest else { return };
        let began = Instant::now();
        let (folder, origin) = (folder.clone(), origin.clone());
        let written = spawn_blocking(move || {
            let saved = file::save(&folder, &origin, newest.clone());
            saved.map_err(|error| Box::new((error, folder, newest)))
        });
        match written.await {
            Ok(Ok(())) => {
                unwritten = None;
                debug!(took_ms = millis(began.elapsed()), "state saved");
                if std::mem::take(&mut failing) {
                    info!("the state can be saved again");
                }
            }
            Ok(Err(failed)) => {
                let (error, folder, newest) = *failed;
                metrics.state_write_failures.inc();
                if !std::mem::replace(&mut failing, true) {
                    warn!(folder = %folder.display(), %error, "the state cannot be saved: a restart would find an older one; retrying");
                }
                unwritten = Some(newest);
            }
            // The runtime is going down.
            Err(_) => return,
        }
        tokio::select! {
            () = sleep(pause(began.elapsed())) => {}
            () = shutdown.cancelled() => {}
        }
    }
}

/// The pause after a write that took as long: the disk rests as long as it worked, up to [`PACE`], so that what changes in
/// the pause is on its way within a second, and what changed during the write within another one after it.
fn pause(took: Duration) -> Duration {
    PACE.saturating_sub(took).max(took).min(PACE)
}

/// Wishes to the loop, and the one that it has not granted yet: it does so once something has changed.
struct Wishes {
    place: mpsc::Sender<SaveRequest>,
    pending: Option<oneshot::Receiver<Saved>>,
}

impl Wishes {
    /// The next state that is granted; nothing once nobody grants any. May be dropped at any await.
    async fn newest(&mut self) -> Option<Saved> {
        let granted = match &mut self.pending {
            Some(pending) => pending.await,
            None => {
                let place = self.place.reserve().await.ok()?;
                let (wish, granted) = oneshot::channel();
                place.send(wish);
                self.pending.insert(granted).await
            }
        };
        self.pending = None;
        granted.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_waits_for_a_second_and_on_a_slow_disk_for_no_more_than_the_write_and_another() {
        let ms = Duration::from_millis;
        for (took, expected) in [(0, 1000), (50, 950), (500, 500), (700, 700), (9000, 1000)] {
            assert_eq!(pause(ms(took)), ms(expected), "after {took} ms");
        }
    }
}
