//! What became of documents, and the way back. A form is taken from the store itself where it still has it, and from the records
//! where it was compacted: those have no secrets.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::model::{Key, Keyring};
use crate::store::writer::{Former, Held, Recorded, SINCE, Since};

use super::record::{Author, Note};
use super::{Change, Done, Editor, Match, Refused, Terms, Wish, fields, opened};

/// A change of a document.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub path: Arc<str>,
    pub revision: i64,
    pub note: Note,
}

/// A document at two revisions, or why it is not known.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    pub path: Arc<str>,
    pub before: Form,
    pub after: Form,
}

/// A document, nothing where there was none, or why it is not known.
type Form = Result<Option<Map<String, Value>>, String>;

/// Where to go back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Back {
    /// All documents become what they were at this revision.
    To(i64),
    /// The documents of this change become what they were before it.
    Change(i64),
}

impl Editor {
    /// The newest changes of a document or of all, newest first.
    pub async fn history(&self, path: Option<&str>, limit: u32) -> Result<Vec<Entry>, Refused> {
        let recorded = self.writer.recorded(path, limit.into()).await?;
        let mut entries: Vec<_> = recorded.iter().filter_map(Entry::read).collect();
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.revision));
        Ok(entries)
    }

    /// Goes back, in one transaction. `only` are the documents that go back; all, where there are none.
    pub async fn roll_back(
        &self,
        back: Back,
        only: &[Key],
        terms: Terms,
        author: &Author,
    ) -> Result<Done, Refused> {
        let changes = self.way_back(back, only).await?;
        if changes.is_empty() {
            return Ok(Done {
                changed: Vec::new(),
                revision: 0,
                warnings: Vec::new(),
            });
        }
        self.commit(&changes, terms, author).await
    }

    /// How documents differ between two revisions, or between one and now. Tells which the latter is.
    pub async fn compare(
        &self,
        from: i64,
        to: Option<i64>,
    ) -> Result<(i64, Vec<Compared>), Refused> {
        let past = self.past(from, to.unwrap_or_default()).await?;
        let to = to.unwrap_or(past.revision);
        let mut compared = Vec::new();
        for path in past.changed().into_keys() {
            let before = known(self.form_at(&path, from, &past).await)?;
            let after = known(self.form_at(&path, to, &past).await)?;
            if before != after {
                compared.push(Compared {
                    path,
                    before,
                    after,
                });
            }
        }
        Ok((to, compared))
    }

    /// What a document was at a revision.
    async fn form_at(
        &self,
        path: &str,
        revision: i64,
        past: &Past,
    ) -> Result<Option<Map<String, Value>>, Refused> {
        let keyring = self.reader.keyring();
        match self.writer.at(path, revision).await? {
            Former::Held(held) => {
                let clear = fields(&opened(keyring, held));
                clear.map(Some).ok_or_else(|| {
                    Refused::Invalid(format!("{path} was no document at revision {revision}"))
                })
            }
            Former::Absent => Ok(None),
            Former::Compacted => past.recorded_at(path, revision, keyring),
        }
    }

    /// What was written after a revision. Another one is to be reached, too.
    async fn past(&self, revision: i64, reached: i64) -> Result<Past, Refused> {
        let since = self.writer.since(revision).await?.ok_or_else(|| {
            Refused::Invalid(format!(
                "more than {SINCE} documents and changes were written after revision {revision}: name the documents, or a later one"
            ))
        })?;
        if since.revision < reached {
            return Err(Refused::Invalid(format!(
                "revision {reached} is still to come: the store is at {}",
                since.revision
            )));
        }
        Ok(Past::new(since))
    }

    async fn way_back(&self, back: Back, only: &[Key]) -> Result<Vec<Change>, Refused> {
        let revision = match back {
            Back::To(revision) => revision,
            Back::Change(revision) => revision - 1,
        };
        let past = self.past(revision, revision).await?;
        let mut paths = past.changed();
        if let Back::Change(change) = back {
            let of_change = past.of_change(change);
            if of_change.is_empty() {
                return Err(Refused::Invalid(format!(
                    "no change of revision {change} is in the history"
                )));
            }
            paths.retain(|path, _| of_change.contains(path));
            let later = paths.iter().find(|(_, newest)| **newest > change);
            if let Some((path, newest)) = later {
                return Err(Refused::Invalid(format!(
                    "{path} was changed again by revision {newest}: roll that back before, or all to revision {revision}"
                )));
            }
        }
        let mut changes = Vec::new();
        for path in paths.into_keys() {
            // Whatever else lies there is left alone.
            let Ok(key) = path.parse::<Key>() else {
                continue;
            };
            if !(only.is_empty() || only.contains(&key)) {
                continue;
            }
            let now = self.read(&path).await?;
            let then = self.form_at(&path, revision, &past).await?;
            changes.extend(change(key, now.as_ref(), then));
        }
        Ok(changes)
    }
}

/// What is not known is no failure.
fn known(form: Result<Option<Map<String, Value>>, Refused>) -> Result<Form, Refused> {
    match form {
        Ok(form) => Ok(Ok(form)),
        Err(Refused::Invalid(why)) => Ok(Err(why)),
        Err(other) => Err(other),
    }
}

/// What makes a document what it was.
fn change(key: Key, now: Option<&Held>, then: Option<Map<String, Value>>) -> Option<Change> {
    if now.and_then(fields) == then {
        return None;
    }
    Some(Change {
        key,
        wish: then.map_or(Wish::Delete, Wish::Restore),
        matches: now.map_or(Match::Absent, |held| Match::Written(held.modified)),
    })
}

/// What was written after a revision, with its records read.
struct Past {
    /// At which it was read.
    revision: i64,
    documents: Vec<Held>,
    entries: Vec<Entry>,
}

impl Past {
    fn new(since: Since) -> Self {
        Self {
            revision: since.revision,
            documents: since.documents,
            entries: since.records.iter().filter_map(Entry::read).collect(),
        }
    }

    /// What was written, each time with the revision that did.
    fn written(&self) -> impl Iterator<Item = (&Arc<str>, i64)> {
        let recorded = self.entries.iter();
        let recorded = recorded.map(|entry| (&entry.path, entry.revision));
        let documents = self.documents.iter();
        recorded.chain(documents.map(|held| (&held.path, held.modified)))
    }

    /// The documents that were, each with its newest change.
    fn changed(&self) -> BTreeMap<Arc<str>, i64> {
        let mut changed = BTreeMap::new();
        for (path, revision) in self.written() {
            let newest = changed.entry(path.clone()).or_insert(revision);
            *newest = revision.max(*newest);
        }
        changed
    }

    /// The documents that a change wrote.
    fn of_change(&self, change: i64) -> BTreeSet<Arc<str>> {
        let of_change = self.written().filter(|(_, revision)| *revision == change);
        of_change.map(|(path, _)| path.clone()).collect()
    }

    /// What records say that a document was at a revision. Each record says which form it replaced: so a change that has no record is
    /// noticed.
    fn recorded_at(
        &self,
        path: &str,
        revision: i64,
        keyring: &Keyring,
    ) -> Result<Option<Map<String, Value>>, Refused> {
        let unknown = |why: &str| {
            Refused::Invalid(format!(
                "what {path} was at revision {revision} is not known: {why}"
            ))
        };
        let of_path = self.entries.iter().filter(|one| &*one.path == path);
        let (later, earlier): (Vec<_>, Vec<_>) =
            of_path.partition(|entry| entry.revision > revision);
        let Some(first) = later.into_iter().min_by_key(|entry| entry.revision) else {
            let now = self.documents.iter().find(|held| &*held.path == path);
            let last = earlier.into_iter().max_by_key(|entry| entry.revision);
            return match (now, last) {
                (Some(held), _) if held.modified <= revision => {
                    Ok(fields(&opened(keyring, held.clone())))
                }
                (None, Some(last)) if last.note.deleted => Ok(None),
                _ => Err(unknown("its change has no record, and etcd was compacted")),
            };
        };
        let Some(former) = &first.note.former else {
            return Ok(None);
        };
        if former.revision > revision {
            return Err(unknown(&format!(
                "its change of revision {} has no record, and etcd was compacted",
                former.revision
            )));
        }
        former.whole(keyring).map(Some).map_err(unknown)
    }
}

impl Entry {
    pub(super) fn read(recorded: &Recorded) -> Option<Self> {
        let note = Note::read(recorded)?;
        Some(Self {
            path: recorded.path.clone(),
            revision: note.revision(recorded.revision),
            note,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::record::Before;
    use super::*;

    fn recorded(path: &str, revision: i64, former: Option<(i64, Value)>) -> Recorded {
        let former = former.map(|(revision, document)| Before {
            revision,
            document: Some(document),
            ..Before::default()
        });
        let note = Note {
            former,
            ..Note::default()
        };
        Recorded {
            path: path.into(),
            revision,
            text: note.text().into(),
        }
    }

    #[test]
    fn a_document_was_what_the_first_change_after_a_revision_replaced() {
        let since = Since {
            revision: 20,
            records: vec![
                recorded("routes/a", 5, None),
                recorded("routes/a", 9, Some((5, json!({"uri": "/5"})))),
                recorded("routes/a", 12, Some((11, json!({"uri": "/11"})))),
                recorded("routes/b", 8, Some((2, json!({"uri": "/2"})))),
            ],
            ..Since::default()
        };
        let none = Keyring::default();
        let past = Past::new(since.clone());
        let was = |path, revision| past.recorded_at(path, revision, &none);
        assert_eq!(was("routes/a", 4).unwrap(), None);
        assert_eq!(was("routes/a", 5).unwrap().unwrap()["uri"], "/5");
        assert_eq!(was("routes/a", 8).unwrap().unwrap()["uri"], "/5");
        assert_eq!(was("routes/a", 11).unwrap().unwrap()["uri"], "/11");
        assert_eq!(was("routes/b", 3).unwrap().unwrap()["uri"], "/2");
        let now = Since {
            documents: vec![Held {
                path: "routes/b".into(),
                text: r#"{"uri": "/8"}"#.into(),
                created: 2,
                modified: 8,
            }],
            ..since.clone()
        };
        assert_eq!(
            Past::new(now)
                .recorded_at("routes/b", 8, &none)
                .unwrap()
                .unwrap()["uri"],
            "/8"
        );
        for (path, revision) in [("routes/a", 9), ("routes/a", 12), ("routes/b", 1)] {
            let why = was(path, revision).unwrap_err().to_string();
            assert!(why.contains("has no record"), "{path} {revision}: {why}");
        }
    }

    #[test]
    fn the_newest_change_of_each_document_counts() {
        let since = Since {
            revision: 20,
            records: vec![recorded("routes/a", 5, None), recorded("routes/a", 9, None)],
            documents: vec![Held {
                path: "routes/b".into(),
                text: "{}".into(),
                created: 3,
                modified: 9,
            }],
        };
        let past = Past::new(since);
        let changed: Vec<_> = past.changed().into_iter().collect();
        assert_eq!(changed, [("routes/a".into(), 9), ("routes/b".into(), 9)]);
        let of_change = |change| past.of_change(change).into_iter().collect::<Vec<_>>();
        assert_eq!(
            of_change(9),
            [Arc::<str>::from("routes/a"), Arc::<str>::from("routes/b")]
        );
        assert_eq!(of_change(5), [Arc::<str>::from("routes/a")]);
    }
}
