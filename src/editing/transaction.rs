//! What is written at once: the changes, what they rest on, and what is kept of them, within what etcd takes. Pure.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::model::{Key, Kind};
use crate::store::writer::{Condition, Edit, Held, Transaction};

use super::record::Note;
use super::references::Reference;
use super::{Refused, Terms};

/// How many conditions and how many changes a transaction may have: what etcd takes.
const OPERATIONS: usize = 128;
/// The longest text that etcd takes, with room for what goes with it, and so all texts of one transaction.
const LONGEST: usize = 1_500_000;
/// Why a document's former text is not kept.
const TOO_LARGE: &str = "it was too large to be kept beside what replaced it";

/// What is about to be made of one document.
pub struct Draft {
    pub key: Key,
    pub path: Arc<str>,
    /// The revision at which it was read.
    pub seen: i64,
    pub before: Option<Held>,
    /// In the clear, and its text as it is stored.
    pub after: Option<(Map<String, Value>, String)>,
    pub named: Vec<Reference>,
}

impl Draft {
    /// The folder of the credentials that go with a consumer.
    fn credentials(&self) -> Option<Arc<str>> {
        let goes = self.after.is_none() && self.key.kind == Kind::Consumer;
        goes.then(|| format!("{}/credentials/", self.path).into())
    }
}

/// The changes themselves, and that all is as it was read.
pub fn transaction(drafts: &[Draft], terms: Terms) -> Transaction {
    let mut transaction = Transaction::default();
    let own: BTreeSet<_> = drafts.iter().map(|draft| &draft.path).collect();
    let mut exist = BTreeSet::new();
    let consumers: Vec<_> = drafts.iter().filter_map(Draft::credentials).collect();
    for draft in drafts {
        let revision = draft.before.as_ref().map_or(0, |held| held.modified);
        let written = Condition::Written(draft.path.clone(), revision);
        transaction.conditions.push(written);
        let named = draft.named.iter().map(|one| one.path.clone());
        exist.extend(named.filter(|path| !own.contains(path)));
        let path = draft.path.clone();
        match &draft.after {
            Some((_, text)) => transaction.edits.push(Edit::Put {
                path,
                text: text.clone(),
                ttl: terms.ttl,
            }),
            // It goes with its consumer.
            None if consumers.iter().any(|one| path.starts_with(&**one)) => {}
            None => transaction.edits.push(Edit::Delete(path)),
        }
    }
    let all = consumers.into_iter().map(Edit::DeleteAll);
    transaction.edits.extend(all);
    let exist = exist.into_iter().map(Condition::Exists);
    transaction.conditions.extend(exist);
    transaction
}

/// Refuses what etcd would not take. What was there before is not kept where there is no room for it beside what is written.
pub fn keep_bounds(transaction: &mut Transaction) -> Result<(), Refused> {
    let texts = transaction.edits.iter().map(|edit| match edit {
        Edit::Put { text, .. } => text.len(),
        Edit::Delete(_) | Edit::DeleteAll(_) => 0,
    });
    let bytes: usize = texts.sum();
    if bytes > LONGEST {
        return Err(Refused::Invalid(format!(
            "the documents have {bytes} bytes, allowed: at most {LONGEST} at once, which is what etcd takes"
        )));
    }
    let mut room = LONGEST - bytes;
    for record in &mut transaction.records {
        match room.checked_sub(record.text.len()) {
            Some(rest) => room = rest,
            None => record.text = Note::without_form(&record.text, TOO_LARGE),
        }
    }
    let changed = transaction.edits.len() + transaction.records.len();
    let operations = changed.max(transaction.conditions.len());
    if operations > OPERATIONS {
        return Err(Refused::Invalid(format!(
            "{} documents are written, and {} named, allowed: at most {} and {OPERATIONS} at once, which is what etcd takes",
            transaction.records.len(),
            transaction.conditions.len(),
            OPERATIONS / 2,
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::editing::record::{Author, Before};
    use crate::model::Keyring;
    use crate::store::writer::Record;

    const TERMS: Terms = Terms {
        ttl: None,
        force: false,
        dry_run: false,
    };

    fn gone(path: &str) -> Draft {
        Draft {
            key: path.parse().unwrap(),
            path: path.into(),
            seen: 7,
            before: None,
            after: None,
            named: Vec::new(),
        }
    }

    #[test]
    fn a_consumer_takes_its_credentials_with_it() {
        let drafts = [
            gone("consumers/jack"),
            gone("consumers/jack/credentials/a"),
            gone("consumers/jill/credentials/b"),
        ];
        assert_eq!(
            transaction(&drafts, TERMS).edits,
            [
                Edit::Delete("consumers/jack".into()),
                Edit::Delete("consumers/jill/credentials/b".into()),
                Edit::DeleteAll("consumers/jack/credentials/".into()),
            ]
        );
    }

    #[test]
    fn what_is_too_large_is_not_kept_and_too_much_is_refused() {
        let held = |bytes: usize| Held {
            path: "routes/a".into(),
            text: json!({ "desc": "d".repeat(bytes) }).to_string().into(),
            created: 1,
            modified: 5,
        };
        let record = |bytes| {
            let before = Before::of(&held(bytes), &Keyring::default());
            Record {
                path: "routes/a".into(),
                since: 7,
                text: Note::new(&Author::default(), Some(before), false, 9).text(),
            }
        };
        let put = |bytes: usize| Edit::Put {
            path: "routes/a".into(),
            text: "t".repeat(bytes),
            ttl: None,
        };
        let bounded = |edits: Vec<Edit>, records: Vec<Record>| {
            let mut transaction = Transaction {
                edits,
                records,
                ..Transaction::default()
            };
            keep_bounds(&mut transaction).map(|()| transaction.records)
        };
        let kept = bounded(vec![put(1_000_000)], vec![record(400_000)]).unwrap();
        assert_eq!(kept, [record(400_000)]);
        let kept = bounded(vec![put(1_000_000)], vec![record(600_000)]).unwrap();
        assert!(kept[0].text.len() < 1_000 && kept[0].text.contains(TOO_LARGE));
        assert!(bounded(vec![put(1_600_000)], Vec::new()).is_err());
        let many = |count| bounded(vec![put(1); count], vec![record(1); count]);
        assert!(many(64).is_ok());
        let said = many(65).unwrap_err().to_string();
        assert!(said.contains("65 documents are written"), "{said}");
    }
}
