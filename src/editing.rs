//! Writing documents: what the reader would refuse is refused before it is written, what a document names is there, and
//! what others name is not deleted. Each change is one transaction that rests on what was read for it, so that none of this
//! depends on who else is writing.

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

use std::sync::Arc;

use serde_json::{Map, Value};
use tokio::sync::Mutex;

use crate::documents;
use crate::model::document::Format;
use crate::model::{Discovery, Id, Key, Kind};
use crate::store::Writer;
use crate::store::writer::{Held, Reading};

pub use history::{Back, Compared, Entry};
pub use record::Author;
pub use references::{id, spoken};
pub use refused::Refused;

/// How often a change is tried that others' writes were faster than.
const ATTEMPTS: usize = 4;

/// Writes documents of one store.
#[derive(Debug)]
pub struct Editor {
    writer: Writer,
    registries: Vec<Discovery>,
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
    /// Delete also what others name.
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
    /// Documents may name services of `registries`.
    pub fn new(writer: Writer, registries: Vec<Discovery>) -> Self {
        Self {
            writer,
            registries,
            row: Mutex::new(()),
        }
    }

    /// The whole key of a document.
    pub fn key(&self, path: &str) -> String {
        self.writer.key(path)
    }

    /// One document as it is now.
    pub async fn read(&self, path: &str) -> Result<Option<Held>, Refused> {
        let reading = self.writer.read(&[path]).await?;
        Ok(reading.documents.into_iter().next())
    }

    /// All documents below a folder, `routes/`.
    pub async fn list(&self, folder: &str) -> Result<Reading, Refused> {
        Ok(self.writer.list(&[folder]).await?)
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

/// The fields of a document as it is written.
pub fn fields(held: &Held) -> Option<Map<String, Value>> {
    documents::text(Format::Json, &held.text).ok()
}
