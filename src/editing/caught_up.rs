//! Records what was changed while no Chancery watched: each change, as long as etcd has its history; of what was compacted, one record a
//! document that says so. Every replica tries, as with all records of changes beside the Admin API.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{Key, Keyring};
use crate::store::Writer;
use crate::store::writer::{Away, Held, Missed, Record, SINCE};
use crate::telemetry;

use super::history::Entry;
use super::record::{Before, Note};
use super::recorder::{self, QUEUE};

/// How many of the newest records are looked at for the last change that has one: two replicas do not write them in order.
const NEWEST: i64 = 20;
/// What is said of a change that was found.
const FOUND: &str =
    "found as etcd was listed anew, as no Chancery had watched; the time is that of the finding";
/// Of a form that is in no history.
const COMPACTED: &str = "etcd was compacted while no Chancery watched";

/// Records what has no record since the last one. A store without any has nothing to go on with: its history begins now.
pub async fn catch_up(writer: &Writer, keyring: &Keyring) -> Result<(), Away> {
    let newest = writer.recorded(None, NEWEST).await?;
    let newest = newest.iter().filter_map(Entry::read);
    let Some(mut seen) = newest.map(|entry| entry.revision).max() else {
        return Ok(());
    };
    let mut count = 0;
    loop {
        let (changes, reached) = match writer.missed(seen).await? {
            Missed::Compacted => return sum_up(writer, seen).await,
            Missed::Changes { changes, reached } => (changes, reached),
        };
        for change in &changes {
            recorder::record(writer, keyring, change, FOUND).await?;
        }
        count += changes.len();
        match reached {
            Some(reached) if count < QUEUE => seen = reached,
            Some(_) => return too_many(),
            None => return Ok(()),
        }
    }
}

fn too_many() -> Result<(), Away> {
    Err(Away("there are too many at once".to_owned()))
}

async fn sum_up(writer: &Writer, seen: i64) -> Result<(), Away> {
    let now = writer.list(&[""]).await?;
    let recorded = writer.recorded(None, SINCE).await?;
    let entries: Vec<_> = recorded.iter().filter_map(Entry::read).collect();
    let records = summaries(&now.documents, &entries, seen, now.revision);
    let are_all = records.len() <= QUEUE;
    for record in records.iter().take(QUEUE) {
        writer.record(record).await?;
    }
    if are_all { Ok(()) } else { too_many() }
}

/// A record for each document that is not as it was when the last change was recorded; oldest first, so that what is left when this
/// is broken off is done the next time.
fn summaries(now: &[Held], entries: &[Entry], seen: i64, revision: i64) -> Vec<Record> {
    let reason = format!(
        "sums up what was changed from revision {} to {revision}: {COMPACTED}",
        seen + 1
    );
    let time = telemetry::now();
    let summary = |path: &Arc<str>, change: i64, deleted: bool| {
        let former = Some(Before::lost(0, COMPACTED));
        let mut note = Note::beside(change, former, deleted, time);
        note.reason.clone_from(&reason);
        Record {
            path: path.clone(),
            since: change,
            text: note.text(),
        }
    };
    let there: BTreeSet<_> = now.iter().map(|held| &held.path).collect();
    let mut last: BTreeMap<&Arc<str>, &Entry> = BTreeMap::new();
    for entry in entries {
        let newest = last.entry(&entry.path).or_insert(entry);
        if entry.revision > newest.revision {
            *newest = entry;
        }
    }
    let gone = last
        .iter()
        .filter(|(path, entry)| !entry.note.deleted && !there.contains(*path));
    // When they were deleted is not known: not before the next revision.
    let gone = gone.map(|(path, _)| summary(path, seen + 1, true));
    let is_recorded = |held: &&Held| {
        last.get(&held.path)
            .is_some_and(|entry| entry.revision >= held.modified)
    };
    let mut changed: Vec<_> = now
        .iter()
        .filter(|held| held.modified > seen && held.path.parse::<Key>().is_ok())
        .filter(|held| !is_recorded(held))
        .collect();
    changed.sort_by_key(|held| held.modified);
    let changed = changed.into_iter();
    gone.chain(changed.map(|held| summary(&held.path, held.modified, false)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_compacted_is_summed_up_once_a_document() {
        let entry = |path: &str, revision, deleted| Entry {
            path: path.into(),
            revision,
            note: Note::beside(revision, None, deleted, 0),
        };
        let entries = [
            entry("routes/changed", 9, false),
            entry("routes/gone", 8, false),
            entry("routes/gone-before", 7, true),
            entry("routes/gone-before", 6, false),
            entry("routes/by-api", 30, false),
        ];
        let held = |path: &str, modified| Held {
            path: path.into(),
            text: "{}".into(),
            created: 2,
            modified,
        };
        let now = [
            held("routes/by-api", 30),
            held("routes/changed", 25),
            held("routes/new", 20),
            held("routes/same", 4),
            held("elsewhere/new", 21),
        ];
        let records = summaries(&now, &entries, 9, 31);
        let told: Vec<_> = records
            .iter()
            .map(|record| {
                let note: Note = serde_json::from_str(&record.text).unwrap();
                assert!(note.reason.contains("from revision 10 to 31"), "{note:?}");
                assert_eq!(note.former.unwrap().lost, COMPACTED);
                (&*record.path, record.since, note.deleted)
            })
            .collect();
        let expected = [
            ("routes/gone", 10, true),
            ("routes/new", 20, false),
            ("routes/changed", 25, false),
        ];
        assert_eq!(told, expected);
    }
}
