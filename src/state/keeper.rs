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
pub type Wish = oneshot::Sender<Saved>;

/// The shortest pause between two writes.
const PAUSE: Duration = Duration::from_secs(1);
/// How many times as long as a write the pause after it is: a large state must not keep a disk busy.
const REST: u32 = 20;

/// Writes every state that is granted to `folder`. Runs until nobody grants wishes any more; after `shutdown` without
/// pauses. A failure is said once and tried again.
pub async fn keep(
    folder: PathBuf,
    origin: Origin,
    wishes: mpsc::Sender<Wish>,
    metrics: Arc<Metrics>,
    shutdown: CancellationToken,
) {
    let origin = Arc::new(origin);
    let mut failing = false;
    let mut unwritten = None;
    loop {
        let newest = match unwritten.take() {
            Some(saved) => saved,
            None => match wish(&wishes).await {
                Some(saved) => saved,
                None => return,
            },
        };
        let began = Instant::now();
        let (folder, origin) = (folder.clone(), origin.clone());
        let written = spawn_blocking(move || {
            let saved = file::save(&folder, &origin, newest.clone());
            saved.map_err(|error| (error, folder, newest))
        });
        match written.await {
            Ok(Ok(())) => {
                debug!(took_ms = millis(began.elapsed()), "state saved");
                if std::mem::take(&mut failing) {
                    info!("the state can be saved again");
                }
            }
            Ok(Err((error, folder, newest))) => {
                metrics.state_write_failures.inc();
                if !std::mem::replace(&mut failing, true) {
                    warn!(folder = %folder.display(), %error, "the state cannot be saved: a restart would find an older one; retrying");
                }
                if shutdown.is_cancelled() {
                    return;
                }
                unwritten = Some(newest);
            }
            // The runtime is going down.
            Err(_) => return,
        }
        tokio::select! {
            () = sleep(PAUSE.max(REST * began.elapsed())) => {}
            () = shutdown.cancelled() => {}
        }
    }
}

async fn wish(wishes: &mpsc::Sender<Wish>) -> Option<Saved> {
    let (wish, granted) = oneshot::channel();
    wishes.send(wish).await.ok()?;
    granted.await.ok()
}
