//! Documents in files: `DIR/<kind>/<id>.yaml`, `.yml` or `.json`.
//!
//! Compares what the folder held with what it holds. It reads no document, and `DIR/instances/` is not its business:
//! the registry's files are there.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Event, PriorRevision};
use crate::folder::{self, Scan};
use crate::model::Document;
use crate::model::document::{Change, Format};
use crate::telemetry::Source;
use crate::telemetry::traces::Traced;

/// Runs until `events` is closed or the token is cancelled; never returns because of a failure.
pub async fn watch(
    folder: PathBuf,
    source: Source,
    mut earlier: mpsc::Receiver<PriorRevision>,
    events: mpsc::Sender<Event>,
    shutdown: CancellationToken,
) {
    let (sender, mut scans) = mpsc::channel(1);
    let mut files = Files::new(folder.clone());
    // Wishes are taken in at all times, so that whoever wishes never waits for room in its own ears.
    let mut outbox = VecDeque::new();
    let telling = async {
        loop {
            tokio::select! {
                Some(scan) = scans.recv(), if outbox.is_empty() => outbox.extend(files.handle_scan(scan)),
                // Files have no history.
                Some(PriorRevision { path, .. }) = earlier.recv() => {
                    outbox.push_back(Event::PriorRevision { path, document: None });
                }
                room = events.reserve(), if !outbox.is_empty() => match (room, outbox.pop_front()) {
                    (Ok(room), Some(event)) => room.send(event),
                    _ => return,
                },
                else => return,
            }
        }
    };
    tokio::select! {
        () = folder::watch(folder, |name| name != "instances", &source, sender, shutdown) => {}
        () = events.closed() => {}
        () = telling => {}
    }
}

/// The documents of a folder as they were last told.
struct Files {
    folder: PathBuf,
    /// How many times something was told; nothing before the listing.
    revision: i64,
    documents: BTreeMap<Arc<str>, Document>,
    /// Files that are no documents, and why: said once.
    strays: BTreeSet<String>,
}

impl Files {
    fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            revision: 0,
            documents: BTreeMap::new(),
            strays: BTreeSet::new(),
        }
    }

    /// What a scan tells beyond the one before.
    fn handle_scan(&mut self, scan: Scan) -> Option<Event> {
        let first = self.revision == 0;
        let revision = self.revision + 1;
        let (now, strays) = self.read(scan, revision);
        for stray in strays.difference(&self.strays) {
            tracing::warn!(folder = %self.folder.display(), "{stray}");
        }
        self.strays = strays;
        let changes = self.changes(&now);
        if !first && changes.is_empty() {
            return None;
        }
        self.revision = revision;
        for change in &changes {
            match change {
                Change::Put(document) => {
                    self.documents
                        .insert(Arc::clone(&document.path), document.clone());
                }
                Change::Deleted { path } => {
                    self.documents.remove(path);
                }
            }
        }
        Some(if first {
            Event::Listed {
                revision,
                documents: now.into_values().collect(),
            }
        } else {
            Event::Changed {
                revision,
                changes,
                traced: vec![Traced {
                    revision,
                    context: None,
                }],
            }
        })
    }

    fn changes(&self, now: &BTreeMap<Arc<str>, Document>) -> Vec<Change> {
        let same = |one: &Document, other: &Document| {
            (&one.source, one.format, &one.value) == (&other.source, other.format, &other.value)
        };
        let deleted = self
            .documents
            .keys()
            .filter(|path| !now.contains_key(*path))
            .map(|path| Change::Deleted {
                path: Arc::clone(path),
            });
        let put = now
            .values()
            .filter(|document| {
                !self
                    .documents
                    .get(&document.path)
                    .is_some_and(|before| same(before, document))
            })
            .map(|document| Change::Put(document.clone()));
        deleted.chain(put).collect()
    }

    /// The documents in a scan, and what to say of the other files.
    fn read(&self, scan: Scan, revision: i64) -> (BTreeMap<Arc<str>, Document>, BTreeSet<String>) {
        let mut documents: BTreeMap<Arc<str>, Document> = BTreeMap::new();
        let mut strays = BTreeSet::new();
        for (name, value) in scan.0 {
            let Some((stem, format)) = document(&name) else {
                strays.extend(complaint(&name));
                continue;
            };
            // In the order of their names: of `a.json` and `a.yaml` the first one is in force.
            if let Some(first) = documents.get(stem) {
                strays.insert(format!(
                    "{name} is left out: {} is the same document",
                    first.source
                ));
                continue;
            }
            let path: Arc<str> = stem.into();
            let document = Document {
                path: Arc::clone(&path),
                source: self.folder.join(&name).to_string_lossy().into(),
                format,
                value,
                revision,
            };
            documents.insert(path, document);
        }
        (documents, strays)
    }
}

/// The path and format of a document's file.
fn document(name: &str) -> Option<(&str, Format)> {
    let (path, extension) = name.rsplit_once('.')?;
    let format = match extension {
        "yaml" | "yml" => Format::Yaml,
        "json" => Format::Json,
        _ => return None,
    };
    path.contains('/').then_some((path, format))
}

/// What is wrong with a file that is no document; nothing for a `README` beside the folders.
fn complaint(name: &str) -> Option<String> {
    let stray = name.contains('/')
        || [".yaml", ".yml", ".json"]
            .iter()
            .any(|end| name.ends_with(end));
    stray.then(|| format!("{name} is no document: it has to be <kind>/<id>.yaml, .yml or .json"))
}

#[cfg(test)]
mod tests;
