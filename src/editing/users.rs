//! What a document does to those that name it: one that is good by itself can make others wrong, as a service its routes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::documents::Reader;
use crate::model::Kind;
use crate::store::writer::Held;

use super::commit::named_by;
use super::transaction::Draft;
use super::{Editor, Refused, check, opened, references};

/// How many documents that would be wrong are named.
const NAMED: usize = 5;

impl Editor {
    /// Refuses what would make documents wrong that are not so now.
    pub(super) async fn leaves_users_right(&self, drafts: &[Draft]) -> Result<(), Refused> {
        let is_named = |kind: Kind| !references::named_by(kind).is_empty();
        let changed = drafts.iter().filter(|draft| {
            draft.before.is_some() && draft.after.is_some() && is_named(draft.key.kind)
        });
        let changed: Vec<_> = changed.map(|draft| draft.path.clone()).collect();
        if changed.is_empty() {
            return Ok(());
        }
        let written: Vec<_> = drafts
            .iter()
            .map(|draft| {
                let text = draft.after.as_ref().map(|(_, text)| text.clone());
                (draft.path.clone(), text)
            })
            .collect();
        let reading = self.writer.list(&[""]).await?;
        let reader = self.reader.clone();
        // All texts are looked through: not on the threads that answer others.
        let look = move || broken(&reading.documents, &written, &changed, &reader);
        let found = tokio::task::spawn_blocking(look).await;
        let broken = found.map_err(Refused::invalid)?;
        let Some((of, said)) = broken.first() else {
            return Ok(());
        };
        let others: Vec<_> = broken
            .iter()
            .skip(1)
            .take(NAMED)
            .map(|(of, _)| &**of)
            .collect();
        let more = match broken.len() {
            1 => String::new(),
            count => format!(", and {} more: {}", count - 1, others.join(", ")),
        };
        Err(Refused::Invalid(format!(
            "invalid configuration: with it `{of}` would be wrong: {said}{more}; change these first, or write it all the same with \
             `force=true`, and they keep their last good form"
        )))
    }
}

/// Which of the documents that use those `changed` would be wrong once `written` are as they say, and why.
fn broken(
    documents: &[Held],
    written: &[(Arc<str>, Option<String>)],
    changed: &[Arc<str>],
    reader: &Reader,
) -> Vec<(Arc<str>, String)> {
    let by_path: BTreeMap<_, _> = documents.iter().map(|held| (&held.path, held)).collect();
    let mut names: BTreeMap<Arc<str>, Vec<Arc<str>>> = BTreeMap::new();
    let mut users: BTreeMap<Arc<str>, Vec<Arc<str>>> = BTreeMap::new();
    for held in documents {
        // What refers to a secret may be sealed as that would be.
        let held = &opened(reader.keyring(), held.clone());
        for reference in named_by(held).unwrap_or_default() {
            let of = users.entry(reference.path.clone()).or_default();
            of.push(held.path.clone());
            names
                .entry(held.path.clone())
                .or_default()
                .push(reference.path);
        }
    }
    // Those that name it, and those that name these.
    let reached = reach(changed.iter().cloned(), |path| {
        let of = users.get(path).into_iter().flatten();
        of.cloned().collect()
    });
    let own: BTreeSet<_> = written.iter().map(|(path, _)| path).collect();
    let users: BTreeSet<_> = reached
        .into_iter()
        .filter(|path| !own.contains(path))
        .collect();
    if users.is_empty() {
        return Vec::new();
    }
    // What these need to be read.
    let start = users.iter().chain(own.iter().copied()).cloned();
    let needed = reach(start, |path| names.get(path).cloned().unwrap_or_default());
    let needed = needed.iter().filter_map(|path| by_path.get(path).copied());
    check::made_wrong(needed, written, &users, reader)
}

fn reach(
    start: impl Iterator<Item = Arc<str>>,
    next: impl Fn(&Arc<str>) -> Vec<Arc<str>>,
) -> BTreeSet<Arc<str>> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<_> = start.collect();
    while let Some(path) = open.pop() {
        if !reached.contains(&path) {
            open.extend(next(&path));
            reached.insert(path);
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn held(path: &str, text: &Value) -> Held {
        Held {
            path: path.into(),
            text: text.to_string().into(),
            created: 1,
            modified: 1,
        }
    }

    #[test]
    fn who_would_be_wrong_is_found_through_those_between() {
        let documents = [
            held("upstreams/u", &json!({ "nodes": { "a:80": 1 } })),
            held("services/s", &json!({ "upstream_id": "u" })),
            held("routes/r", &json!({ "uri": "/r", "service_id": "s" })),
            held(
                "routes/wrong",
                &json!({ "uri": "/w", "service_id": "s", "methods": ["NONE"] }),
            ),
            held(
                "routes/other",
                &json!({ "uri": "/o", "upstream": { "nodes": { "a:80": 1 } } }),
            ),
        ];
        let put = |path: &str, text: &Value| vec![(path.into(), Some(text.to_string()))];
        let find = |written: Vec<(Arc<str>, Option<String>)>| {
            let changed: Vec<_> = written.iter().map(|(path, _)| path.clone()).collect();
            let found = broken(&documents, &written, &changed, &Reader::default());
            found.into_iter().map(|(path, _)| path).collect::<Vec<_>>()
        };
        let other_nodes = find(put("upstreams/u", &json!({ "nodes": { "b:80": 1 } })));
        assert!(other_nodes.is_empty(), "{other_nodes:?}");
        // A service without an upstream is good; its routes are not.
        assert_eq!(
            find(put("services/s", &json!({ "desc": "a" }))),
            [Arc::<str>::from("routes/r")]
        );
        // One that changes with it is looked at as it will be.
        let mut both = put("services/s", &json!({ "desc": "a" }));
        both.extend(put(
            "routes/r",
            &json!({ "uri": "/r", "service_id": "s", "upstream_id": "u" }),
        ));
        let both = find(both);
        assert!(both.is_empty(), "{both:?}");
    }
}
