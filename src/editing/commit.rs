//! Changes that are made at once: read, checked and written in one transaction that rests on what was read for it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;

use crate::model::{Key, Keyring, Kind};
use crate::store::writer::{Condition, Held, Record};
use crate::telemetry;

use super::record::{Author, Before, Note};
use super::references::Reference;
use super::stamp::{self, Times};
use super::traced::Traced;
use super::transaction::{Draft, keep_bounds, transaction};
use super::{
    ATTEMPTS, Change, Changed, Done, Editor, Match, Refused, Terms, Wish, check, fields, masked,
    merge, opened, references,
};

/// How often a change is tried that deletes: it rests on all documents that could name what is deleted.
const DELETIONS: usize = 16;
/// How many documents those that are written may need to be checked with.
const NEEDED: usize = 1_000;
/// How many documents are read at once: what etcd takes.
const READ: usize = 128;
/// What is said of a document that was read without its secrets.
const MARKED: &str = "holds what is shown in the place of a secret: write the secret itself, or leave the document as it is";

impl Editor {
    /// Makes changes, all or none.
    pub async fn commit(
        &self,
        changes: &[Change],
        terms: Terms,
        author: &Author,
    ) -> Result<Done, Refused> {
        let traced = (!terms.dry_run).then(|| Traced::begin(&self.tracer, &author.trace));
        let Some(mut traced) = traced.flatten() else {
            return self.make(changes, terms, author, &mut None).await;
        };
        let author = Author {
            trace: traced.kept(),
            ..author.clone()
        };
        let mut sent = None;
        let done = self.make(changes, terms, &author, &mut sent).await;
        traced.sent = sent;
        self.tracer.send(traced.spans(&done, Instant::now()));
        done
    }

    /// The same; notes when it was written, from when to when.
    async fn make(
        &self,
        changes: &[Change],
        terms: Terms,
        author: &Author,
        sent: &mut Option<(Instant, Instant)>,
    ) -> Result<Done, Refused> {
        let deletes = changes.iter().any(|one| matches!(one.wish, Wish::Delete));
        let row = changes.iter().find_map(row);
        let _alone = match row {
            Some(_) => Some(self.row.lock().await),
            None => None,
        };
        for _ in 0..if deletes { DELETIONS } else { ATTEMPTS } {
            let drafts = self.drafts(changes).await?;
            let mut transaction = transaction(&drafts, terms);
            transaction.records = self.records(&drafts, author);
            let mut others = self.needed(&drafts).await?;
            if let Some(row) = row {
                let beside = self.writer.list(&[row]).await?;
                let condition = Condition::Unchanged(row, beside.revision);
                transaction.conditions.push(condition);
                let known: BTreeSet<_> = others.iter().map(|held| held.path.clone()).collect();
                let new = beside.documents.into_iter();
                others.extend(new.filter(|held| !known.contains(&held.path)));
            }
            if !terms.force {
                let unused = self.unused(&drafts).await?;
                transaction.conditions.extend(unused);
            }
            keep_bounds(&mut transaction)?;
            let warnings = self.checked(&drafts, others).await?;
            if !terms.force {
                self.leaves_users_right(&drafts).await?;
            }
            let revision = if terms.dry_run {
                Some(0)
            } else {
                let began = Instant::now();
                let written = self.writer.write(&transaction).await;
                *sent = Some((began, Instant::now()));
                written?
            };
            if let Some(revision) = revision {
                return Ok(Done {
                    changed: drafts.into_iter().map(Draft::changed).collect(),
                    revision,
                    warnings,
                });
            }
        }
        Err(Refused::Conflict)
    }

    /// What each change makes of what is there now.
    async fn drafts(&self, changes: &[Change]) -> Result<Vec<Draft>, Refused> {
        let paths: Vec<String> = changes.iter().map(|one| one.key.to_string()).collect();
        let mut drafts = Vec::with_capacity(changes.len());
        let keyring = self.reader.keyring();
        for (changes, paths) in changes.chunks(READ).zip(paths.chunks(READ)) {
            let names: Vec<&str> = paths.iter().map(String::as_str).collect();
            let reading = self.writer.read(&names).await?;
            for (change, path) in changes.iter().zip(paths) {
                let before = reading.find(path).cloned();
                let before = before.map(|held| opened(keyring, held));
                is_matched(before.as_ref(), change.matches)?;
                let seen = reading.revision;
                drafts.push(draft(change, path, seen, before, keyring)?);
            }
        }
        self.add_credentials(&mut drafts).await?;
        let mut all = BTreeSet::new();
        match drafts.iter().find(|draft| !all.insert(&draft.path)) {
            Some(twice) => Err(Refused::Invalid(format!(
                "`{}` is written twice, allowed: once",
                twice.path
            ))),
            None => Ok(drafts),
        }
    }

    /// A consumer's credentials go with it.
    async fn add_credentials(&self, drafts: &mut Vec<Draft>) -> Result<(), Refused> {
        let gone = drafts
            .iter()
            .filter(|draft| draft.after.is_none() && draft.key.kind == Kind::Consumer);
        let folders: Vec<_> = gone.map(|draft| format!("{}/", draft.path)).collect();
        for folder in folders {
            let below = self.writer.list(&[&folder]).await?;
            for held in below.documents {
                let held = opened(self.reader.keyring(), held);
                if drafts.iter().all(|draft| draft.path != held.path) {
                    drafts.extend(Draft::gone(held, below.revision));
                }
            }
        }
        Ok(())
    }

    /// The documents that are named, and those that these name. Refused where one is not there.
    async fn needed(&self, drafts: &[Draft]) -> Result<Vec<Held>, Refused> {
        let mut asked: BTreeSet<Arc<str>> = BTreeSet::new();
        for draft in drafts {
            // One that is deleted is not there for those that are written.
            let deleted = drafts.iter().filter(|one| one.after.is_none());
            let mut gone = deleted.flat_map(|gone| {
                let named = draft.named.iter();
                named.filter(|one| one.path == gone.path)
            });
            if let Some(gone) = gone.next() {
                return Err(Refused::Invalid(gone.in_use(&draft.path)));
            }
            asked.insert(draft.path.clone());
        }
        let mut needed: Vec<Held> = Vec::new();
        let mut open: Vec<Reference> = drafts.iter().flat_map(|one| one.named.clone()).collect();
        let implied = drafts.iter().filter(|one| one.after.is_some());
        let mut implied: Vec<_> = implied
            .filter_map(|one| references::implied(&one.key))
            .collect();
        let mut are_direct = true;
        loop {
            open.retain(|one| asked.insert(one.path.clone()));
            if needed.len() + open.len() > NEEDED {
                return Err(Refused::Invalid(format!(
                    "names more than {NEEDED} documents, allowed: at most {NEEDED}"
                )));
            }
            if open.is_empty() && implied.is_empty() {
                return Ok(needed);
            }
            let mut further = std::mem::take(&mut implied);
            for some in open.chunks(READ) {
                let paths: Vec<&str> = some.iter().map(|one| &*one.path).collect();
                let reading = self.writer.read(&paths).await?;
                let absent = some.iter().find(|one| reading.find(&one.path).is_none());
                if let (true, Some(absent)) = (are_direct, absent) {
                    return Err(Refused::named(absent));
                }
                let named = reading.documents.iter().filter_map(named_by);
                further.extend(named.flatten());
                needed.extend(reading.documents);
            }
            are_direct = false;
            open = further;
        }
    }

    /// What deletions rest on: that no document has come to name what is deleted. Refused where one does.
    async fn unused(&self, drafts: &[Draft]) -> Result<Vec<Condition>, Refused> {
        let deleted = drafts.iter().filter(|draft| draft.after.is_none());
        let gone: Vec<_> = deleted
            .map(|draft| (draft.path.to_string(), draft.key.clone()))
            .collect();
        let folders: BTreeSet<&'static str> = gone
            .iter()
            .flat_map(|(_, key)| references::named_by(key.kind))
            .copied()
            .collect();
        if folders.is_empty() {
            return Ok(Vec::new());
        }
        let folders: Vec<_> = folders.into_iter().collect();
        let mut reading = self.writer.list(&folders).await?;
        // Those that are written name it no more.
        let own: BTreeSet<_> = drafts.iter().map(|draft| &draft.path).collect();
        reading.documents.retain(|held| !own.contains(&held.path));
        let unchanged = folders
            .iter()
            .map(|folder| Condition::Unchanged(folder, reading.revision));
        let conditions = unchanged.collect();
        // All texts may be looked through: not on the threads that answer others.
        let keyring = self.reader.keyring().clone();
        let user = tokio::task::spawn_blocking(move || {
            // What refers to a secret may be sealed as that would be.
            if gone.iter().any(|(_, key)| key.kind == Kind::Secret) {
                let all = reading.documents.into_iter();
                reading.documents = all.map(|held| opened(&keyring, held)).collect();
            }
            gone.iter()
                .find_map(|(path, key)| user(&reading.documents, path, key.id.as_str()))
        });
        match user.await {
            Ok(None) => Ok(conditions),
            Ok(Some(words)) => Err(Refused::Invalid(words)),
            Err(error) => Err(Refused::invalid(error)),
        }
    }

    /// What is kept of each.
    fn records(&self, drafts: &[Draft], author: &Author) -> Vec<Record> {
        let now = telemetry::now();
        let record = |draft: &Draft| {
            let held = draft.before.as_ref();
            let before = held.map(|held| Before::of(held, self.reader.keyring()));
            Record {
                path: draft.path.clone(),
                since: draft.seen + 1,
                text: Note::new(author, before, draft.after.is_none(), now).text(),
            }
        };
        drafts.iter().map(record).collect()
    }

    /// What would be wrong, looked at beside the loop.
    async fn checked(
        &self,
        drafts: &[Draft],
        others: Vec<Held>,
    ) -> Result<Vec<(Arc<str>, String)>, Refused> {
        let written = drafts.iter().filter_map(|draft| {
            let (_, text) = draft.after.as_ref()?;
            Some((draft.path.clone(), text.clone()))
        });
        let written: Vec<_> = written.collect();
        if written.is_empty() {
            return Ok(Vec::new());
        }
        let reader = self.reader.clone();
        let check = move || check::check(&written, &others, &reader);
        let checked = tokio::task::spawn_blocking(check).await;
        checked.map_err(Refused::invalid)?.map_err(Refused::Invalid)
    }
}

impl Draft {
    /// Of a document that goes with another.
    fn gone(held: Held, seen: i64) -> Option<Self> {
        Some(Self {
            key: held.path.parse().ok()?,
            path: held.path.clone(),
            seen,
            before: Some(held),
            after: None,
            named: Vec::new(),
        })
    }

    fn changed(self) -> Changed {
        Changed {
            path: self.path,
            before: self.before,
            after: self.after.map(|(fields, _)| fields),
        }
    }
}

fn draft(
    change: &Change,
    path: &str,
    seen: i64,
    before: Option<Held>,
    keyring: &Keyring,
) -> Result<Draft, Refused> {
    let key = &change.key;
    let former = before.as_ref().and_then(fields);
    let (made, times) = match &change.wish {
        Wish::Put(fields) => (Some(fields.clone()), Times::Ours),
        Wish::Restore(fields) => (Some(fields.clone()), Times::Taken),
        Wish::Patch { steps, change } => {
            let mut fields = former.clone().ok_or(Refused::Absent)?;
            let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
            merge::replace_at(&mut fields, &steps, change.clone()).map_err(Refused::Invalid)?;
            (Some(fields), Times::Taken)
        }
        Wish::Delete if before.is_none() => return Err(Refused::Absent),
        Wish::Delete => (None, Times::Ours),
    };
    let mut after = None;
    let mut named = Vec::new();
    if let Some(mut fields) = made {
        // Whoever sends a text of the store means what it says in the clear.
        keyring.open_in(key.kind, &mut fields);
        let now = telemetry::now();
        stamp::stamp(key, &mut fields, former.as_ref(), now, times).map_err(Refused::Invalid)?;
        let value = Value::Object(fields);
        if masked::holds_marker(&value) {
            return Err(Refused::Invalid(MARKED.to_owned()));
        }
        named = references::of(key, &value);
        if let Value::Object(fields) = value {
            let text = keyring.sealed(key.kind, fields.clone());
            after = Some((fields, text));
        }
    }
    Ok(Draft {
        key: key.clone(),
        path: path.into(),
        seen,
        before,
        after,
        named,
    })
}

/// The folder of those that a document which is to be written is compared with.
fn row(change: &Change) -> Option<&'static str> {
    match (&change.wish, change.key.kind) {
        (
            Wish::Put(_) | Wish::Restore(_) | Wish::Patch { .. },
            Kind::Consumer | Kind::Credential,
        ) => Some("consumers/"),
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

/// The documents that one names.
pub(super) fn named_by(held: &Held) -> Option<Vec<Reference>> {
    let key: Key = held.path.parse().ok()?;
    let value = serde_json::from_slice::<Value>(&held.text).ok()?;
    Some(references::of(&key, &value))
}

/// Who names the document at `path`, in the words of a refusal; `id` is what stands in its text.
fn user(documents: &[Held], path: &str, id: &str) -> Option<String> {
    let mut holding = documents.iter().filter(|held| mentions(&held.text, id));
    holding.find_map(|held| {
        let named = named_by(held)?;
        let this = named.iter().find(|one| &*one.path == path)?;
        Some(this.in_use(&held.path))
    })
}

/// Whether a text can name an id: it has it in it, unless it writes characters by their numbers.
fn mentions(text: &[u8], id: &str) -> bool {
    let has = |part: &[u8]| text.windows(part.len()).any(|window| window == part);
    has(id.as_bytes()) || has(b"\\u")
}
