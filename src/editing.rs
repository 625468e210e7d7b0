//! Writing documents: what the reader would refuse is refused before it is written, what a document names is there, and
//! what others name is not deleted. Each change is one transaction that rests on what was read for it, so that none of this
//! depends on who else is writing.

mod caught_up;
mod check;
mod commit;
mod history;
pub mod masked;
mod merge;
mod record;
pub mod recorder;
mod references;
mod refused;
mod stamp;
mod traced;
mod transaction;
mod users;

use std::sync::Arc;

use serde_json::{Map, Value};
use tokio::sync::Mutex;

use crate::documents::{self, Reader};
use crate::model::document::Format;
use crate::model::{Id, Key, Keyring, Kind};
use crate::store::Writer;
use crate::store::writer::{Held, Reading};
use crate::telemetry::Tracer;

pub use history::{Back, Compared, Entry};
pub use record::{Author, Note};
pub use references::{id, of as named, spoken};
pub use refused::Refused;

/// How often a change is tried that others' writes were faster than.
const ATTEMPTS: usize = 4;

/// Writes documents of one store.
#[derive(Debug)]
pub struct Editor {
    writer: Writer,
    reader: Reader,
    tracer: Tracer,
    /// Held while a document is written that no other of its row may be like.
    row: Mutex<()>,
}

/// What must be so of the document before it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    Any,
    /// There is none.
    Absent,
    /// There is one.
    Present,
    /// This revision wrote it.
    Written(i64),
}

/// How a document is to be written.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// After so many seconds it is gone by itself.
    pub ttl: Option<u32>,
    /// Delete also what others name, and write what makes them wrong.
    pub force: bool,
    /// Write nothing; only tell what would be written.
    pub dry_run: bool,
}

/// One document that is to be written or deleted.
#[derive(Debug, Clone)]
pub struct Change {
    pub key: Key,
    pub wish: Wish,
    pub matches: Match,
}

/// What is to become of a document.
#[derive(Debug, Clone)]
pub enum Wish {
    /// It is these fields.
    Put(Map<String, Value>),
    /// It is these fields again, with the times that they say.
    Restore(Map<String, Value>),
    /// It is what this makes of the one that is there: merged where there are no steps, put where they lead otherwise.
    Patch {
        steps: Vec<String>,
        change: Value,
    },
    Delete,
}

/// What was written, or would be.
#[derive(Debug)]
pub struct Done {
    pub changed: Vec<Changed>,
    /// The revision that wrote it; 0 where nothing was.
    pub revision: i64,
    /// What Envoy does not do exactly, by path.
    pub warnings: Vec<(Arc<str>, String)>,
}

/// What became of one document.
#[derive(Debug, Clone)]
pub struct Changed {
    /// `<kind>/<id>`
    pub path: Arc<str>,
    pub before: Option<Held>,
    /// As it is now; nothing where it was deleted.
    pub after: Option<Map<String, Value>>,
}

impl Editor {
    /// Documents are to be such as `reader` takes.
    pub fn new(writer: Writer, reader: Reader, tracer: Tracer) -> Self {
        Self {
            writer,
            reader,
            tracer,
            row: Mutex::new(()),
        }
    }

    /// The whole key of a document.
    pub fn key(&self, path: &str) -> String {
        self.writer.key(path)
    }

    /// One document as it is now, in the clear.
    pub async fn read(&self, path: &str) -> Result<Option<Held>, Refused> {
        let reading = self.writer.read(&[path]).await?;
        let held = reading.documents.into_iter().next();
        Ok(held.map(|held| opened(self.reader.keyring(), held)))
    }

    /// All documents below a folder, `routes/`, in the clear.
    pub async fn list(&self, folder: &str) -> Result<Reading, Refused> {
        let mut reading = self.writer.list(&[folder]).await?;
        let keyring = self.reader.keyring().clone();
        if keyring.is_empty() {
            return Ok(reading);
        }
        // Texts are read one by one: not on the threads that answer others.
        let open = move || {
            let documents = reading.documents.into_iter();
            reading.documents = documents.map(|held| opened(&keyring, held)).collect();
            reading
        };
        let reading = tokio::task::spawn_blocking(open).await;
        reading.map_err(Refused::invalid)
    }

    /// Writes one document, or deletes it.
    pub async fn change(
        &self,
        change: Change,
        terms: Terms,
        author: &Author,
    ) -> Result<Done, Refused> {
        self.commit(&[change], terms, author).await
    }

    /// Writes a new document under an id that no other has.
    pub async fn post(
        &self,
        kind: Kind,
        document: &Map<String, Value>,
        terms: Terms,
        author: &Author,
    ) -> Result<Done, Refused> {
        let mut last = 0;
        for _ in 0..ATTEMPTS {
            let reading = self.writer.read(&["routes/"]).await?;
            last = reading.revision.max(last + 1);
            let id: Id = format!("{last:020}").parse().map_err(Refused::invalid)?;
            let key = Key {
                kind,
                id,
                consumer: None,
            };
            let change = Change {
                key,
                wish: Wish::Put(document.clone()),
                matches: Match::Absent,
            };
            match self.change(change, terms, author).await {
                Err(Refused::Stale(_)) => {}
                other => return other,
            }
        }
        Err(Refused::Conflict)
    }
}

/// A document in the clear.
pub fn opened(keyring: &Keyring, held: Held) -> Held {
    let kind = held.path.parse::<Key>().ok().map(|key| key.kind);
    let Some(kind) = kind.filter(|kind| keyring.concerns(*kind, &held.text)) else {
        return held;
    };
    let Some(mut document) = fields(&held) else {
        return held;
    };
    if !keyring.open_in(kind, &mut document).any {
        return held;
    }
    Held {
        text: Value::Object(document).to_string().into(),
        ..held
    }
}

/// The fields of a document as it is written.
pub fn fields(held: &Held) -> Option<Map<String, Value>> {
    documents::text(Format::Json, &held.text).ok()
}

#[cfg(test)]
mod tests;
