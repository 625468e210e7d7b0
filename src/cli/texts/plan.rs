//! What has to be written so that the store holds what files say, in which order, and in how many pieces. Pure.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Map, Value, json};
use similar::{ChangeTag, TextDiff};

use super::{SET, Stored, Texts, set_of};
use crate::api::pb;
use crate::model::{Key, Kind};

/// How many documents are written at once: etcd takes 128 operations, what they name included.
const PIECE: usize = 60;
/// How many bytes are.
const BYTES: usize = 1024 * 1024;

/// Those that others name before those that name them.
const ORDER: [Kind; 14] = [
    Kind::Secret,
    Kind::PluginMetadata,
    Kind::Proto,
    Kind::Ssl,
    Kind::Upstream,
    Kind::Service,
    Kind::PluginConfig,
    Kind::ConsumerGroup,
    Kind::Consumer,
    Kind::Credential,
    Kind::GlobalRule,
    Kind::Gateway,
    Kind::Route,
    Kind::StreamRoute,
];

/// One document that is not as it should be.
#[derive(Debug, Clone)]
pub struct Step {
    pub path: String,
    /// As it is; nothing where there is none.
    pub before: Option<Stored>,
    /// As it should be; nothing where it should be gone.
    pub after: Option<Map<String, Value>>,
}

/// What has to be written, in order: what is made and changed first, what is deleted last.
#[derive(Debug, Default)]
pub struct Plan {
    pub steps: Vec<Step>,
    pub unchanged: usize,
}

impl Plan {
    /// Compares. With `prune`, documents of the set that are in no file are deleted; without it, none is.
    pub fn new(
        mut wanted: Texts,
        stored: &BTreeMap<String, Stored>,
        set: Option<&str>,
        prune: bool,
    ) -> Self {
        let mut plan = Self::default();
        for fields in wanted.values_mut() {
            if let Some(set) = set {
                mark(fields, set);
            }
        }
        for (path, fields) in &wanted {
            let before = stored.get(path);
            if before.is_some_and(|before| before.fields == *fields) {
                plan.unchanged += 1;
                continue;
            }
            plan.steps.push(Step {
                path: path.clone(),
                before: before.cloned(),
                after: Some(fields.clone()),
            });
        }
        if prune && set.is_some() {
            let gone = stored.iter().filter(|(path, document)| {
                !wanted.contains_key(*path) && set_of(&document.fields) == set
            });
            plan.steps.extend(gone.map(|(path, document)| Step {
                path: path.clone(),
                before: Some(document.clone()),
                after: None,
            }));
        }
        plan.steps.sort_by_cached_key(|step| {
            let rank = rank(&step.path);
            let (deleted, place) = match step.after {
                Some(_) => (false, rank),
                None => (true, ORDER.len() - rank),
            };
            (deleted, place, step.path.clone())
        });
        plan
    }

    /// What is sent at once, in order.
    pub fn pieces(&self) -> Vec<Vec<pb::Write>> {
        let mut pieces: Vec<Vec<pb::Write>> = Vec::new();
        let mut bytes = 0;
        for step in &self.steps {
            let write = step.write();
            bytes += write.text.len();
            match pieces.last_mut() {
                Some(piece) if piece.len() < PIECE && bytes <= BYTES => piece.push(write),
                _ => {
                    bytes = write.text.len();
                    pieces.push(vec![write]);
                }
            }
        }
        pieces
    }

    /// The plan for programs.
    pub fn as_json(&self) -> Value {
        let steps = self.steps.iter().map(|step| {
            json!({
                "document": step.path,
                "change": step.name(),
                "before": step.before.as_ref().map(|before| &before.fields),
                "after": step.after,
            })
        });
        json!({ "changes": steps.collect::<Vec<_>>(), "unchanged": self.unchanged })
    }

    /// How many are made, changed, deleted and left as they are.
    pub fn summary(&self) -> String {
        let count = |name| self.steps.iter().filter(|step| step.name() == name).count();
        format!(
            "{} to create, {} to change, {} to delete, {} as they should be",
            count("create"),
            count("change"),
            count("delete"),
            self.unchanged
        )
    }
}

impl Step {
    pub fn name(&self) -> &'static str {
        name(self.before.is_some(), self.after.is_some())
    }

    fn write(&self) -> pb::Write {
        let text = self
            .after
            .as_ref()
            .map(|fields| Value::Object(fields.clone()).to_string());
        pb::Write {
            document: self.path.clone(),
            text: text.unwrap_or_default(),
            expected: Some(self.before.as_ref().map_or(0, |before| before.modified)),
        }
    }

    /// The lines that come and go.
    pub fn lines(&self) -> String {
        let before = self.before.as_ref().map(|before| &before.fields);
        lines(&self.path, before, self.after.as_ref())
    }
}

/// What a change of a document is, given whether it is there before and after.
fn name(before: bool, after: bool) -> &'static str {
    match (before, after) {
        (false, _) => "create",
        (true, true) => "change",
        (true, false) => "delete",
    }
}

/// The lines that come and go with the change of a document.
pub fn lines(
    path: &str,
    before: Option<&Map<String, Value>>,
    after: Option<&Map<String, Value>>,
) -> String {
    let change = name(before.is_some(), after.is_some());
    let text = |fields: Option<&Map<String, Value>>| {
        let yaml = fields.map(serde_saphyr::to_string);
        yaml.and_then(Result::ok).unwrap_or_default()
    };
    let (before, after) = (text(before), text(after));
    let diff = TextDiff::from_lines(&before, &after);
    let mut lines = format!("{change} {path}\n");
    for (at, group) in diff.grouped_ops(2).iter().enumerate() {
        if at > 0 {
            lines.push_str("    …\n");
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Equal => ' ',
                ChangeTag::Insert => '+',
                ChangeTag::Delete => '-',
            };
            let _ = writeln!(lines, "  {sign} {}", change.value().trim_end());
        }
    }
    lines
}

fn rank(path: &str) -> usize {
    let kind = path.parse::<Key>().map(|key| key.kind);
    let place = kind
        .ok()
        .and_then(|kind| ORDER.iter().position(|one| *one == kind));
    place.unwrap_or(ORDER.len())
}

fn mark(fields: &mut Map<String, Value>, set: &str) {
    let labels = fields
        .entry("labels")
        .or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(labels) = labels {
        labels.insert(SET.to_owned(), set.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    fn stored(documents: &[(&str, Value)]) -> BTreeMap<String, Stored> {
        let one = |(path, value): &(&str, Value)| {
            let stored = Stored {
                fields: fields(value),
                modified: 7,
            };
            ((*path).to_owned(), stored)
        };
        documents.iter().map(one).collect()
    }

    fn texts(documents: &[(&str, Value)]) -> Texts {
        let one = |(path, value): &(&str, Value)| ((*path).to_owned(), fields(value));
        documents.iter().map(one).collect()
    }

    #[test]
    fn what_is_named_is_made_first_and_deleted_last_and_others_are_left_alone() {
        let of_set = json!({"labels": {SET: "shop"}});
        let before = stored(&[
            ("upstreams/old", of_set.clone()),
            ("routes/old", of_set.clone()),
            ("routes/other", json!({"uri": "/other"})),
            (
                "routes/same",
                json!({"uri": "/same", "labels": {SET: "shop"}}),
            ),
        ]);
        let wanted = texts(&[
            ("routes/new", json!({"uri": "/new", "upstream_id": "u"})),
            ("routes/same", json!({"uri": "/same"})),
            ("upstreams/u", json!({"nodes": {}})),
        ]);
        let plan = Plan::new(wanted.clone(), &before, Some("shop"), true);
        let steps: Vec<_> = plan
            .steps
            .iter()
            .map(|step| format!("{} {}", step.name(), step.path))
            .collect();
        assert_eq!(
            steps,
            [
                "create upstreams/u",
                "create routes/new",
                "delete routes/old",
                "delete upstreams/old"
            ]
        );
        assert_eq!(
            plan.summary(),
            "2 to create, 0 to change, 2 to delete, 1 as they should be"
        );
        let kept = Plan::new(wanted, &before, Some("shop"), false);
        assert!(kept.steps.iter().all(|step| step.name() != "delete"));
        let write = &plan.pieces()[0][3];
        assert_eq!((write.text.as_str(), write.expected), ("", Some(7)));
    }

    #[test]
    fn what_is_too_much_for_one_transaction_is_cut() {
        let many: Vec<_> = (0..150)
            .map(|n| (format!("routes/{n}"), json!({"uri": "/"})))
            .collect();
        let wanted = many
            .iter()
            .map(|(path, value)| (path.clone(), fields(value)));
        let plan = Plan::new(wanted.collect(), &BTreeMap::new(), None, false);
        let sizes: Vec<_> = plan.pieces().iter().map(Vec::len).collect();
        assert_eq!(sizes, [60, 60, 30]);
    }

    #[test]
    fn a_change_is_shown_by_its_lines() {
        let before = stored(&[("routes/a", json!({"uri": "/a", "priority": 1}))]);
        let wanted = texts(&[("routes/a", json!({"uri": "/b", "priority": 1}))]);
        let plan = Plan::new(wanted, &before, None, false);
        let shown = plan.steps[0].lines();
        assert_eq!(
            shown,
            "change routes/a\n    priority: 1\n  - uri: /a\n  + uri: /b\n"
        );
    }
}
