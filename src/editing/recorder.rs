//! Records changes that were made beside the Admin API, and lets go of records that are too many. Every replica tries: the
//! first one records, and the others find it done.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep;
use tracing::warn;

use crate::model::{Key, Keyring};
use crate::store::Writer;
use crate::store::writer::{Away, Former, KEPT, Noticed, Record};
use crate::telemetry;

use super::record::{Before, Note};
use super::{caught_up, opened};

/// How many changes may wait to be recorded. What is beyond has no record.
pub const QUEUE: usize = 20_000;
/// How often a record is tried that etcd does not take, and how long after.
const ATTEMPTS: usize = 5;
const AGAIN: Duration = Duration::from_secs(2);

/// Runs until nobody notices anything any more.
pub async fn run(writer: Writer, keyring: Keyring, mut noticed: mpsc::Receiver<Noticed>) {
    // How many records there are of each document, at least.
    let mut counts: HashMap<Arc<str>, usize> = HashMap::new();
    let mut lost: usize = 0;
    while let Some(one) = noticed.recv().await {
        // Where the last one failed for good, etcd may refuse all: then each is tried once, and it is said once.
        let mut left = if lost == 0 { ATTEMPTS } else { 1 };
        let handled = loop {
            left -= 1;
            match handle(&writer, &keyring, &one, &mut counts).await {
                Err(_) if left > 0 => sleep(AGAIN).await,
                handled => break handled,
            }
        };
        match handled {
            Ok(()) if lost > 0 => {
                warn!(lost, "changes beside the Admin API are recorded again");
                lost = 0;
            }
            Ok(()) => {}
            Err(away) => {
                if lost == 0 {
                    warn!(reason = %away, "changes beside the Admin API are not recorded");
                }
                lost += 1;
            }
        }
    }
}

async fn handle(
    writer: &Writer,
    keyring: &Keyring,
    noticed: &Noticed,
    counts: &mut HashMap<Arc<str>, usize>,
) -> Result<(), Away> {
    match noticed {
        Noticed::Recorded(path) => trim(writer, path, counts).await,
        Noticed::Listed => caught_up::catch_up(writer, keyring).await,
        Noticed::Unrecorded { .. } => record(writer, keyring, noticed, "").await,
    }
}

/// Records a change that has no record, unless another replica has, or it is of something else that lies in the store.
pub(super) async fn record(
    writer: &Writer,
    keyring: &Keyring,
    noticed: &Noticed,
    reason: &str,
) -> Result<(), Away> {
    let Noticed::Unrecorded {
        path,
        revision,
        is_new,
        deleted,
    } = noticed
    else {
        return Ok(());
    };
    if path.parse::<Key>().is_err() {
        return Ok(());
    }
    let before = if *is_new {
        None
    } else {
        former(writer, keyring, path, revision - 1).await?
    };
    let mut note = Note::beside(*revision, before, *deleted, telemetry::now());
    reason.clone_into(&mut note.reason);
    let record = Record {
        path: path.clone(),
        since: *revision,
        text: note.text(),
    };
    writer.record(&record).await
}

async fn former(
    writer: &Writer,
    keyring: &Keyring,
    path: &str,
    revision: i64,
) -> Result<Option<Before>, Away> {
    Ok(match writer.at(path, revision).await? {
        Former::Held(held) => Some(Before::of(&opened(keyring, held), keyring)),
        Former::Absent => None,
        Former::Compacted => Some(Before::lost(
            0,
            "etcd was compacted before it could be read",
        )),
    })
}

/// Another change of a document has been recorded.
async fn trim(
    writer: &Writer,
    path: &Arc<str>,
    counts: &mut HashMap<Arc<str>, usize>,
) -> Result<(), Away> {
    let count = counts.entry(path.clone()).or_insert(usize::MAX);
    // The first time, it is not known how many there are.
    *count = count.saturating_add(1);
    if *count > KEPT {
        *count = writer.trim(path).await?;
    }
    Ok(())
}
