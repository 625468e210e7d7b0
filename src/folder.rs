//! A folder that people edit, as a sequence of settled scans: the files below it and what they hold.
//!
//! An event of the file system says only "look again"; what counts is the difference of two scans, so that renames,
//! folders moved in, symlinks swapped as Kubernetes does it and lost events all come out right. Bytes go out as they
//! lie there, never half-written. It never says "empty" because it could not look: what cannot be read keeps its last form.

mod emptied;
mod tree;

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use crate::telemetry::Source;
use tree::{SETTLED, Tree};

/// How often the folder is looked at without being told to: inotify loses events, and does not see every file system.
const RESCAN: Duration = Duration::from_secs(2);
/// How long the first scan waits for files that are being written at that moment.
const FIRST: Duration = Duration::from_secs(2);

/// Every file below the folder, by its path relative to it (`routes/echo.yaml`), with what it holds.
///
/// Left out are files and folders whose name starts with `.` and files whose name ends in `~`, `.swp` or `.tmp`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scan(pub(crate) BTreeMap<String, Bytes>);

/// Sends a scan at first, and again whenever what the files hold differs. `wanted` chooses among the names that lie
/// directly in `folder`. Runs until `scans` is closed or the token is cancelled; a failure is told to `source` and retried.
pub(crate) async fn watch(
    folder: PathBuf,
    wanted: fn(&str) -> bool,
    source: &Source,
    scans: mpsc::Sender<Scan>,
    shutdown: CancellationToken,
) {
    let mut events = Events::new(folder.clone());
    let mut tree = Tree::new(folder, wanted);
    let started = Instant::now();
    let mut sent = false;
    let mut woken = false;
    loop {
        events.follow();
        let looked = tokio::task::spawn_blocking(move || {
            let look = tree.look(Instant::now());
            (tree, look)
        });
        let look = match looked.await {
            Ok((back, look)) => {
                tree = back;
                look
            }
            // The runtime is going down.
            Err(_) => return,
        };
        match &look.problem {
            Some(problem) => source.failed(problem),
            None => source.answered(),
        }
        let emptied = look.emptied.as_ref();
        source.emptied(emptied.map(|folder| folder.to_string_lossy().into()));
        let first = !sent && look.found && (look.due.is_none() || started.elapsed() > FIRST);
        if first || (sent && look.changed) {
            let closed = tokio::select! {
                () = shutdown.cancelled() => true,
                sending = scans.send(tree.scan()) => sending.is_err(),
            };
            if closed {
                return;
            }
            sent = true;
        }
        // What woke us has hardly settled, and a folder that has just come is not watched yet: look again soon, and no
        // sooner, however many events there are.
        let pause = if woken {
            SETTLED
        } else {
            look.due.unwrap_or(RESCAN).min(RESCAN)
        };
        woken = tokio::select! {
            () = shutdown.cancelled() => return,
            () = scans.closed() => return,
            () = events.changed(), if !woken => true,
            () = source.accepted_empty() => {
                tree.accept_empty();
                true
            }
            () = tokio::time::sleep(pause) => false,
        };
    }
}

/// What the file system tells of the folder.
struct Events {
    folder: PathBuf,
    changed: Arc<Notify>,
    /// The watcher, and which folder it watches: another one may come to stand at the same path.
    watcher: Option<(RecommendedWatcher, (u64, u64))>,
}

impl Events {
    fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            changed: Arc::default(),
            watcher: None,
        }
    }

    /// Watches the folder that stands at the path now. Without one, the rescans alone have to do.
    fn follow(&mut self) {
        let standing = std::fs::metadata(&self.folder)
            .ok()
            .map(|metadata| (metadata.dev(), metadata.ino()));
        if standing == self.watcher.as_ref().map(|(_, watched)| *watched) {
            return;
        }
        self.watcher = None;
        let Some(standing) = standing else { return };
        match watcher(&self.folder, Arc::clone(&self.changed)) {
            Ok(watcher) => self.watcher = Some((watcher, standing)),
            Err(error) => tracing::debug!(
                folder = %self.folder.display(),
                %error,
                "folder cannot be watched, only rescanned"
            ),
        }
    }

    async fn changed(&self) {
        self.changed.notified().await;
    }
}

fn watcher(folder: &Path, changed: Arc<Notify>) -> notify::Result<RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Reading the folder causes events as well.
        let read = matches!(
            &event,
            Ok(notify::Event { kind: EventKind::Access(access), .. })
                if *access != AccessKind::Close(AccessMode::Write)
        );
        if !read {
            changed.notify_one();
        }
    })?;
    watcher.watch(folder, RecursiveMode::Recursive)?;
    Ok(watcher)
}

/// What could not be looked at, and why.
#[derive(Debug, thiserror::Error)]
#[error("{}: {error}: what it held before stays in force", path.display())]
struct Unreadable {
    path: PathBuf,
    error: io::Error,
}

#[cfg(test)]
mod tests;
