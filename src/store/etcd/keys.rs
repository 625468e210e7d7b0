//! Which keys are documents. No I/O.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use etcd_client::proto::{PbEvent, PbKeyValue};

use crate::model::Document;
use crate::model::document::{Change, Format};
use crate::telemetry::shown;

/// As much of a key as is logged.
const KEY: usize = 300;
/// An event's type: the key is gone.
pub(super) const DELETE: i32 = 1;

/// What APISIX writes to learn a revision that nobody else has.
const NEW_ID: &str = "gen_id";
/// Where replicas speak of themselves: what is there is no document.
const REPLICAS: &str = "replicas/";
/// What draining keeps besides its documents: the journal, who works at it, and the audit trail. Only [`super::ledger`]
/// reads it.
const LEDGER: [&str; 2] = ["drain/", AUDIT];
pub(super) const AUDIT: &str = "audit/";
/// What became of documents: `history/<path>/<revision>`. Only [`super::record`] reads it.
pub(super) const HISTORY: &str = "history/";
/// Its parts that make the journal, with the documents that rest on it.
pub(super) const JOURNAL: &str = "drain/journal/";
pub(super) const CLAIMS: &str = "drain/claims/";
pub(super) const DRAINS: &str = "drains/";

/// The keys below a prefix.
#[derive(Debug)]
pub(super) struct Keys {
    /// With the slash at its end.
    prefix: String,
}

/// What a key is to the journal.
#[derive(Debug, PartialEq)]
pub(super) enum Part<'a> {
    /// An entry, with its key.
    Entry(&'a str),
    /// A claim, with the entry's key.
    Claim(&'a str),
    /// The document of a drain, with the drain's id.
    Document(&'a str),
}

/// What a key stands for.
#[derive(Debug, PartialEq)]
pub(super) enum Meaning<'a> {
    /// A document, with its path. The path may be deeper than `<kind>/<id>`: the model refuses it by name.
    Document(&'a str),
    /// What a replica of Chancery says of itself, with the replica's id.
    Replica(&'a str),
    Ledger,
    /// What a change made of a document, with the document's path.
    Record(&'a str),
    /// A folder's mark, as APISIX writes them: `<prefix>/routes/` holds `init_dir`.
    Mark,
    /// Something that no kind is named for.
    Stray,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        Self {
            prefix: format!("{}/", prefix.trim_end_matches('/')),
        }
    }

    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// All keys below the prefix, as etcd wants a range.
    pub(super) fn range(&self) -> Range<Vec<u8>> {
        let start = self.prefix.as_bytes();
        // The key after all that start with the prefix: its last byte, the slash, counted up.
        let mut end = start.to_vec();
        end.pop();
        end.push(b'/' + 1);
        start.to_vec()..end
    }

    /// All keys below the prefix but records and the audit trail, of which there may be many more than documents.
    pub(super) fn ranges(&self) -> [Range<Vec<u8>>; 3] {
        let all = self.range();
        let (audit, records) = (self.folder(AUDIT), self.folder(HISTORY));
        [
            all.start..audit.start,
            audit.end..records.start,
            records.end..all.end,
        ]
    }

    /// All keys below a folder, `routes/`.
    pub(super) fn folder(&self, folder: &str) -> Range<Vec<u8>> {
        let within = format!("{}{folder}", self.prefix);
        Self::new(&within).range()
    }

    /// The key of a document.
    pub(super) fn key(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }

    /// The key of what a replica says of itself.
    pub(super) fn of_replica(&self, id: &str) -> String {
        format!("{}{REPLICAS}{id}", self.prefix)
    }

    /// The id of the replica that speaks at this key, if one does.
    pub(super) fn replica<'a>(&self, key: &'a [u8]) -> Option<&'a str> {
        match self.read(key) {
            Meaning::Replica(id) => Some(id),
            _ => None,
        }
    }

    /// What a key is to the journal, if anything.
    pub(super) fn part<'a>(&self, key: &'a [u8]) -> Option<Part<'a>> {
        let path = std::str::from_utf8(key).ok()?.strip_prefix(&self.prefix)?;
        let entry = path.strip_prefix(JOURNAL).map(Part::Entry);
        let claim = || path.strip_prefix(CLAIMS).map(Part::Claim);
        let document = || path.strip_prefix(DRAINS).map(Part::Document);
        entry.or_else(claim).or_else(document)
    }

    /// What a key stands for.
    pub(super) fn read<'a>(&self, key: &'a [u8]) -> Meaning<'a> {
        let path = std::str::from_utf8(key)
            .ok()
            .and_then(|key| key.strip_prefix(&self.prefix));
        match path {
            Some(path) if path.is_empty() || path.ends_with('/') || path == NEW_ID => Meaning::Mark,
            Some(path) if LEDGER.iter().any(|part| path.starts_with(part)) => Meaning::Ledger,
            Some(path) if path.starts_with(HISTORY) => path[HISTORY.len()..]
                .rsplit_once('/')
                .map_or(Meaning::Stray, |(document, _)| Meaning::Record(document)),
            Some(path) if path.starts_with(REPLICAS) => Meaning::Replica(&path[REPLICAS.len()..]),
            Some(path)
                if path
                    .split_once('/')
                    .is_some_and(|(kind, _)| !kind.is_empty()) =>
            {
                Meaning::Document(path)
            }
            _ => Meaning::Stray,
        }
    }

    /// The path of a document, or nothing and a word in the log.
    fn path(&self, key: &[u8]) -> Option<Arc<str>> {
        match self.read(key) {
            Meaning::Document(path) => Some(path.into()),
            Meaning::Mark | Meaning::Replica(_) | Meaning::Ledger | Meaning::Record(_) => None,
            Meaning::Stray => {
                tracing::warn!(
                    key = %shown(&key.escape_ascii().to_string(), KEY),
                    "key is no document: it has to be {}<kind>/<id>, in UTF-8",
                    self.prefix
                );
                None
            }
        }
    }

    /// The document that lies at a key.
    pub(super) fn document(&self, found: PbKeyValue) -> Option<Document> {
        let path = self.path(&found.key)?;
        Some(Document {
            source: self.key(&path).into(),
            path,
            format: Format::Json,
            value: Bytes::from(found.value),
            revision: found.mod_revision,
        })
    }

    /// What events say of documents, and the revision that they reach.
    pub(super) fn changes(&self, events: Vec<PbEvent>) -> (i64, Vec<Change>) {
        let mut revision = 0;
        let mut changes = Vec::with_capacity(events.len());
        for event in events {
            let Some(found) = event.kv else { continue };
            revision = revision.max(found.mod_revision);
            let change = match event.r#type {
                DELETE => self.path(&found.key).map(|path| Change::Deleted { path }),
                _ => self.document(found).map(Change::Put),
            };
            changes.extend(change);
        }
        (revision, changes)
    }
}
