//! Whether the schemas agree with what reads the documents: what is accepted must be valid. The documents of the cases are
//! tried, and each of them with one value in it changed.

use std::collections::{BTreeMap, BTreeSet};

use chancery::documents::{Documents, schema};
use chancery::model::Discovery;
use chancery::model::Document;
use chancery::model::Kind;
use chancery::model::document::Format;
use jsonschema::Validator;
use serde_json::{Value, json};

use super::case::Case;

/// The documents that are accepted and not valid by their schema, and why.
pub fn wrong(cases: &[Case]) -> BTreeSet<String> {
    let validators: BTreeMap<Kind, Validator> = Kind::ALL
        .into_iter()
        .map(|kind| {
            let schema = schema::of(kind);
            (kind, jsonschema::validator_for(&schema).expect("a schema"))
        })
        .collect();
    let mut wrong = BTreeSet::new();
    for (document, kind, value) in cases.iter().flat_map(Case::values) {
        let validator = &validators[&kind];
        let mut judge = |value: &Value, accepted: bool| {
            let faults: Vec<_> = validator.iter_errors(value).collect();
            if faults.is_empty() || !(accepted || is_accepted(&document, value)) {
                return;
            }
            for fault in faults {
                let place = fault.instance_path().to_string();
                wrong.insert(format!("{} {place}: {fault}", document.path));
            }
        };
        judge(&value, true);
        for place in places(&value, "") {
            for other in others() {
                let mut changed = value.clone();
                *changed.pointer_mut(&place).expect("a place") = other;
                judge(&changed, false);
            }
        }
    }
    wrong
}

/// What takes the place of a value.
fn others() -> [Value; 16] {
    [
        json!(null),
        json!(true),
        json!(0),
        json!(1),
        json!(-1),
        json!(1.5),
        json!(700),
        json!(5_000_000_000_u64),
        json!(""),
        json!("1"),
        json!("/a"),
        json!("*"),
        json!([]),
        json!(["a"]),
        json!({}),
        json!({ "a": "b" }),
    ]
}

/// The pointers to everything within a value.
fn places(value: &Value, at: &str) -> Vec<String> {
    let below: Vec<(String, &Value)> = match value {
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(index, item)| (format!("{at}/{index}"), item))
            .collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, field)| {
                let name = name.replace('~', "~0").replace('/', "~1");
                (format!("{at}/{name}"), field)
            })
            .collect(),
        _ => Vec::new(),
    };
    let inner = below.into_iter().flat_map(|(at, value)| {
        let inner = places(value, &at);
        std::iter::once(at).chain(inner)
    });
    inner.collect()
}

/// Whether the document is accepted with this value; by itself, so that what it refers to is not there.
fn is_accepted(document: &Document, value: &Value) -> bool {
    let mut documents = Documents::new(vec![Discovery::Consul, Discovery::File]);
    documents.list(vec![Document {
        format: Format::Json,
        value: value.to_string().into(),
        ..document.clone()
    }]);
    documents.settle();
    documents.statuses(0).all(|status| status.problem.is_none())
}
