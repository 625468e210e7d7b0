//! What is kept of a change: who made it, when, and what the document was before. Secrets are kept only where there is a keyring to
//! seal them with.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::model::Keyring;
use crate::store::writer::{Held, Recorded};

use super::masked;

/// The version of records. Fields may come without a new one.
const VERSION: u32 = 1;
/// The longest text of an author, in characters: etcd takes 1.5 MB in a transaction.
const LONGEST: usize = 300;
/// Whoever writes to etcd by itself.
const BESIDE: &str = "etcd";

/// Who makes a change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Author {
    /// The name of the key; empty without keys.
    pub who: String,
    /// The address.
    pub from: String,
    /// The call: `put`, `apply`, `rollback`.
    pub action: &'static str,
    /// Why, as the caller says.
    pub reason: String,
    /// `traceparent`, as the caller has it.
    pub trace: String,
}

/// A record. Read with what is there of it, as another version of Chancery may have written it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Note {
    pub version: u32,
    /// In seconds since 1970.
    pub time: i64,
    pub who: String,
    pub from: String,
    pub action: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub trace: String,
    /// The revision of the change, where it is not the record's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<i64>,
    /// Whether the change deleted the document.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
    /// What there was before; nothing where the change made the document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub former: Option<Before>,
}

/// A document as it was before a change.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Before {
    /// The revision that wrote it; 0 where that is not known.
    pub revision: i64,
    /// Without what may be secret in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<Value>,
    /// All of it, sealed, where that is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sealed: Option<String>,
    /// Why it is not here.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub lost: String,
}

impl Note {
    /// Of a change that is about to be made to what was in the clear before.
    pub fn new(author: &Author, former: Option<Before>, deleted: bool, now: i64) -> Self {
        Self {
            version: VERSION,
            time: now,
            who: bounded(&author.who),
            from: bounded(&author.from),
            action: author.action.to_owned(),
            reason: bounded(&author.reason),
            trace: bounded(&author.trace),
            change: None,
            deleted,
            former,
        }
    }

    /// Of a change that was made without the Admin API.
    pub fn beside(change: i64, former: Option<Before>, deleted: bool, now: i64) -> Self {
        Self {
            version: VERSION,
            time: now,
            from: BESIDE.to_owned(),
            action: if deleted { "delete" } else { "put" }.to_owned(),
            change: Some(change),
            deleted,
            former,
            ..Self::default()
        }
    }

    /// What a record says; nothing where it is none.
    pub fn read(recorded: &Recorded) -> Option<Self> {
        serde_json::from_slice(&recorded.text).ok()
    }

    /// The revision of the change, given its record's.
    pub fn revision(&self, recorded: i64) -> i64 {
        self.change.unwrap_or(recorded)
    }

    /// The text of a record without what there was before.
    pub fn without_form(text: &str, why: &str) -> String {
        let mut note: Self = serde_json::from_str(text).unwrap_or_default();
        if let Some(former) = &mut note.former {
            *former = Before::lost(former.revision, why);
        }
        note.text()
    }

    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl Before {
    /// Of a document in the clear.
    pub fn of(held: &Held, keyring: &Keyring) -> Self {
        let document = masked::shown(held);
        let hides = masked::holds_marker(&document) && !keyring.is_empty();
        let text = String::from_utf8_lossy(&held.text);
        Self {
            revision: held.modified,
            document: Some(document),
            sealed: hides.then(|| keyring.seal(&text)),
            lost: String::new(),
        }
    }

    pub fn lost(revision: i64, why: &str) -> Self {
        Self {
            revision,
            lost: why.to_owned(),
            ..Self::default()
        }
    }

    /// The document, if all of it is here.
    pub fn whole(&self, keyring: &Keyring) -> Result<Map<String, Value>, &str> {
        if let Some(sealed) = &self.sealed {
            let text = keyring.open(sealed);
            let text = text.ok_or("it held secrets, and no key of the keyring opens them")?;
            return serde_json::from_str(&text).map_err(|_| "it was no document");
        }
        match &self.document {
            Some(document) if masked::holds_marker(document) => {
                Err("it held secrets, and these are kept only with a data-encryption-keyring")
            }
            Some(Value::Object(fields)) => Ok(fields.clone()),
            Some(_) => Err("it was no document"),
            None => Err(&self.lost),
        }
    }
}

fn bounded(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn held(text: &Value) -> Held {
        Held {
            path: "routes/a".into(),
            text: text.to_string().into(),
            created: 3,
            modified: 5,
        }
    }

    #[test]
    fn a_record_says_who_made_what_of_which() {
        let author = Author {
            who: "ci".to_owned(),
            action: "put",
            reason: "r".repeat(1_000),
            ..Author::default()
        };
        let none = Keyring::default();
        let before = Before::of(&held(&json!({"uri": "/a"})), &none);
        let note = Note::new(&author, Some(before), false, 9);
        let recorded = Recorded {
            path: "routes/a".into(),
            revision: 7,
            text: note.text().into(),
        };
        let read = Note::read(&recorded).unwrap();
        assert_eq!(read, note);
        assert_eq!((read.revision(7), read.reason.len()), (7, LONGEST));
        let former = read.former.unwrap();
        assert_eq!(former.revision, 5);
        assert_eq!(former.whole(&none).unwrap()["uri"], "/a");
        assert_eq!(Note::beside(4, None, true, 9).revision(7), 4);
    }

    #[test]
    fn what_held_secrets_is_whole_only_for_who_has_the_keyring() {
        let consumer = json!({"username": "a", "plugins": {"key-auth": {"key": "planted"}}});
        let (none, ring) = (
            Keyring::default(),
            Keyring::new(&["edd1c9f0985e76a2".to_owned()]).unwrap(),
        );
        for (keyring, is_whole) in [(&none, false), (&ring, true)] {
            let before = Before::of(&held(&consumer), keyring);
            let note = Note::new(&Author::default(), Some(before), true, 9);
            assert!(!note.text().contains("planted"));
            let former = note.former.unwrap();
            assert_eq!(former.whole(keyring).is_ok(), is_whole);
            let why = former.whole(&none).unwrap_err();
            assert!(why.starts_with("it held secrets"), "{why}");
        }
        // One without secrets is kept in the clear.
        let before = Before::of(&held(&json!({"uri": "/a"})), &ring);
        assert_eq!(before.sealed, None);
        assert_eq!(Before::lost(5, "too large").whole(&ring), Err("too large"));
    }
}
