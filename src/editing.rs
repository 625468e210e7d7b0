//! Writing documents: what the reader would refuse is refused before it is written, what a document names is there, and
//! what others name is not deleted. Each change is one transaction that rests on what was read for it, so that none of this
//! depends on who else is writing.

mod check;
pub mod masked;
mod merge;
mod references;
mod refused;
mod stamp;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};
use tokio::sync::Mutex;

use crate::documents;
use crate::model::document::Format;
use crate::model::{Discovery, Id, Key, Kind};
use crate::store::Writer;
use crate::store::writer::{Condition, Edit, Held, Reading, Transaction};
use crate::telemetry;

pub use refused::Refused;
use stamp::Times;

/// How often a change is tried that others' writes were faster than.
const ATTEMPTS: usize = 4;
/// How often a deletion is: it rests on all documents that could name what is deleted.
const DELETIONS: usize = 16;
/// How many documents one may need to be checked with.
const NEEDED: usize = 100;
/// The longest text that etcd takes, with room for what goes with it.
const LONGEST: usize = 1_500_000;

/// What is said of a document that was read without its secrets.
const MARKED: &str = "holds what is shown in the place of a secret: write the secret itself, or leave the document as it is";

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
    pub matches: Match,
    /// After so many seconds it is gone by itself.
    pub ttl: Option<u32>,
    /// Delete also what others name.
    pub force: bool,
    /// Write nothing; only tell what would be written.
    pub dry_run: bool,
}

/// What was written, or would be.
#[derive(Debug)]
pub struct Done {
    /// `<kind>/<id>`
    pub path: Arc<str>,
    /// As it is now; nothing where it was deleted.
    pub document: Option<Map<String, Value>>,
    pub before: Option<Held>,
    /// The revision that wrote it; 0 where nothing was.
    pub revision: i64,
    /// What Envoy does not do exactly.
    pub warnings: Vec<String>,
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

    /// Writes a document whole.
    pub async fn put(
        &self,
        key: &Key,
        document: &Map<String, Value>,
        terms: Terms,
    ) -> Result<Done, Refused> {
        let make = |_: Option<&Map<String, Value>>| Ok(document.clone());
        self.write(key, make, Times::Ours, terms).await
    }

    /// Writes a new document under an id that no other has.
    pub async fn post(
        &self,
        kind: Kind,
        document: &Map<String, Value>,
        terms: Terms,
    ) -> Result<Done, Refused> {
        let absent = Terms {
            matches: Match::Absent,
            ..terms
        };
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
            match self.put(&key, document, absent).await {
                Err(Refused::Stale(_)) => {}
                other => return other,
            }
        }
        Err(Refused::Conflict)
    }

    /// Writes what a change makes of the document that is there: merges it where the path has no further steps, and puts it
    /// where they lead otherwise.
    pub async fn patch(
        &self,
        key: &Key,
        steps: &[&str],
        change: &Value,
        terms: Terms,
    ) -> Result<Done, Refused> {
        let make = |before: Option<&Map<String, Value>>| {
            let mut document = before.cloned().ok_or(Refused::Absent)?;
            merge::replace_at(&mut document, steps, change.clone()).map_err(Refused::Invalid)?;
            Ok(document)
        };
        self.write(key, make, Times::Taken, terms).await
    }

    /// Deletes a document, and a consumer's credentials with it.
    pub async fn delete(&self, key: &Key, terms: Terms) -> Result<Done, Refused> {
        let path: Arc<str> = key.to_string().into();
        for _ in 0..DELETIONS {
            let before = self.read(&path).await?.ok_or(Refused::Absent)?;
            is_matched(Some(&before), terms.matches)?;
            let mut transaction = Transaction {
                conditions: vec![Condition::Written(path.clone(), before.modified)],
                edits: vec![Edit::Delete(path.clone())],
            };
            if key.kind == Kind::Consumer {
                let credentials = format!("{path}/credentials/").into();
                transaction.edits.push(Edit::DeleteAll(credentials));
            }
            if !terms.force {
                let unused = self.unused(key, &path).await?;
                transaction.conditions.extend(unused);
            }
            let done = |revision| Done {
                path: path.clone(),
                document: None,
                before: Some(before.clone()),
                revision,
                warnings: Vec::new(),
            };
            if terms.dry_run {
                return Ok(done(0));
            }
            if let Some(revision) = self.writer.write(&transaction).await? {
                return Ok(done(revision));
            }
        }
        Err(Refused::Conflict)
    }

    /// What a deletion rests on: that no document has come to name it. Refused where one does.
    async fn unused(&self, key: &Key, path: &str) -> Result<Vec<Condition>, Refused> {
        let folders = references::named_by(key.kind);
        if folders.is_empty() {
            return Ok(Vec::new());
        }
        let reading = self.writer.list(folders).await?;
        let named = key.id.as_str().to_owned();
        let path = path.to_owned();
        let unchanged = folders
            .iter()
            .map(|folder| Condition::Unchanged(folder, reading.revision));
        let conditions = unchanged.collect();
        // All texts may be looked through: not on the threads that answer others.
        let user = tokio::task::spawn_blocking(move || user(&reading.documents, &path, &named));
        match user.await {
            Ok(None) => Ok(conditions),
            Ok(Some(words)) => Err(Refused::Invalid(words)),
            Err(_) => Err(Refused::Conflict),
        }
    }

    async fn write(
        &self,
        key: &Key,
        make: impl Fn(Option<&Map<String, Value>>) -> Result<Map<String, Value>, Refused>,
        times: Times,
        terms: Terms,
    ) -> Result<Done, Refused> {
        let path: Arc<str> = key.to_string().into();
        let row = row(key.kind);
        let _alone = match row {
            Some(_) => Some(self.row.lock().await),
            None => None,
        };
        for _ in 0..ATTEMPTS {
            let before = self.read(&path).await?;
            is_matched(before.as_ref(), terms.matches)?;
            let former = before.as_ref().and_then(fields);
            let mut document = make(former.as_ref())?;
            stamp::stamp(key, &mut document, former.as_ref(), telemetry::now(), times)
                .map_err(Refused::Invalid)?;
            let value = Value::Object(document.clone());
            if masked::holds_marker(&value) {
                return Err(Refused::Invalid(MARKED.to_owned()));
            }
            let text = value.to_string();
            if text.len() > LONGEST {
                return Err(Refused::Invalid(format!(
                    "the document has {} bytes, allowed: at most {LONGEST}, which is what etcd takes",
                    text.len()
                )));
            }
            let named = references::of(key, &value);
            let mut conditions = vec![Condition::Written(
                path.clone(),
                before.as_ref().map_or(0, |held| held.modified),
            )];
            let mut others = self.needed(&named).await?;
            conditions.extend(named.iter().map(|one| Condition::Exists(one.path.clone())));
            if let Some(row) = row {
                let beside = self.writer.list(&[row]).await?;
                conditions.push(Condition::Unchanged(row, beside.revision));
                let known: BTreeSet<_> = others.iter().map(|held| held.path.clone()).collect();
                let new = beside.documents.into_iter();
                others.extend(new.filter(|held| !known.contains(&held.path)));
            }
            let warnings = self.checked(&path, &text, others).await?;
            let done = |revision| Done {
                path: path.clone(),
                document: Some(document.clone()),
                before: before.clone(),
                revision,
                warnings: warnings.clone(),
            };
            if terms.dry_run {
                return Ok(done(0));
            }
            let transaction = Transaction {
                conditions,
                edits: vec![Edit::Put {
                    path: path.clone(),
                    text,
                    ttl: terms.ttl,
                }],
            };
            if let Some(revision) = self.writer.write(&transaction).await? {
                return Ok(done(revision));
            }
        }
        Err(Refused::Conflict)
    }

    /// What would be wrong, looked at beside the loop.
    async fn checked(
        &self,
        path: &Arc<str>,
        text: &str,
        others: Vec<Held>,
    ) -> Result<Vec<String>, Refused> {
        let (path, text) = (path.clone(), text.to_owned());
        let registries = self.registries.clone();
        let check = move || check::check(&path, &text, &others, &registries);
        let checked = tokio::task::spawn_blocking(check).await;
        checked
            .map_err(|_| Refused::Conflict)?
            .map_err(Refused::Invalid)
    }

    /// The documents that are named, and those that these name. Refused where one is not there.
    async fn needed(&self, named: &[references::Reference]) -> Result<Vec<Held>, Refused> {
        let mut needed: Vec<Held> = Vec::new();
        let mut asked = BTreeSet::new();
        let mut open: Vec<_> = named.to_vec();
        let mut are_direct = true;
        while !open.is_empty() {
            open.retain(|one| asked.insert(one.path.clone()));
            if asked.len() > NEEDED {
                return Err(Refused::Invalid(format!(
                    "names more than {NEEDED} documents, allowed: at most {NEEDED}"
                )));
            }
            if open.is_empty() {
                break;
            }
            let paths: Vec<&str> = open.iter().map(|one| &*one.path).collect();
            let reading = self.writer.read(&paths).await?;
            let absent = open.iter().find(|one| reading.find(&one.path).is_none());
            if let (true, Some(absent)) = (are_direct, absent) {
                return Err(Refused::named(absent));
            }
            are_direct = false;
            let further = reading.documents.iter().filter_map(|held| {
                let key: Key = held.path.parse().ok()?;
                let value = serde_json::from_slice::<Value>(&held.text).ok()?;
                Some(references::of(&key, &value))
            });
            open = further.flatten().collect();
            needed.extend(reading.documents);
        }
        Ok(needed)
    }
}

/// The folder of those that a document of this kind is compared with.
fn row(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Consumer | Kind::Credential => Some("consumers/"),
        _ => None,
    }
}

fn is_matched(before: Option<&Held>, matches: Match) -> Result<(), Refused> {
    let found = before.map(|held| held.modified);
    let is_so = match matches {
        Match::Any => true,
        Match::Absent => found.is_none(),
        Match::Present => found.is_some(),
        Match::Written(revision) => found == Some(revision),
    };
    if is_so {
        Ok(())
    } else {
        Err(Refused::Stale(found))
    }
}

/// The fields of a document as it is written.
pub fn fields(held: &Held) -> Option<Map<String, Value>> {
    documents::text(Format::Json, &held.text).ok()
}

/// Who names the document at `path`, in the words of a refusal; `id` is what stands in its text.
fn user(documents: &[Held], path: &str, id: &str) -> Option<String> {
    let mut holding = documents.iter().filter(|held| mentions(&held.text, id));
    holding.find_map(|held| {
        let key: Key = held.path.parse().ok()?;
        let value = serde_json::from_slice::<Value>(&held.text).ok()?;
        let named = references::of(&key, &value);
        let this = named.iter().find(|one| &*one.path == path)?;
        Some(this.in_use(&held.path))
    })
}

/// Whether a text can name an id: it has it in it, unless it writes characters by their numbers.
fn mentions(text: &[u8], id: &str) -> bool {
    let has = |part: &[u8]| text.windows(part.len()).any(|window| window == part);
    has(id.as_bytes()) || has(b"\\u")
}
