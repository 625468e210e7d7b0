//! Documents that refer to what a secret manager has: they wait for its answer, follow it, and lose nothing by it.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::texts::{json as document, put};
use crate::documents::{Changes, Documents, Reader};
use crate::model::document::Change;
use crate::model::{Document, SecretName, Subject, Verdict};

/// No other text has it.
const PLANTED: &str = "pl4nted-s3cret";

fn manager() -> Document {
    let manager = json!({"uri": "https://vault.example.com", "prefix": "kv", "token": "t0ken"});
    document("secrets/vault/1", &manager.to_string())
}

fn jack(key: &str) -> Document {
    let jack = json!({"username": "jack", "plugins": {"key-auth": {"key": key}}});
    document("consumers/jack", &jack.to_string())
}

const KEY: &str = "$secret://vault/1/shop/key";

fn name(field: &str) -> SecretName {
    SecretName {
        manager: "secrets/vault/1".into(),
        key: "shop".into(),
        field: field.into(),
    }
}

fn value(text: &str) -> [(Subject, Verdict); 1] {
    [(
        Subject::Secret(name("key")),
        Verdict::Value(text.to_owned()),
    )]
}

fn nothing() -> [(Subject, Verdict); 1] {
    [(
        Subject::Secret(name("key")),
        Verdict::Nothing("which is denied".to_owned()),
    )]
}

fn keys(changes: &Changes) -> Option<Vec<String>> {
    let consumers = changes.consumers.as_ref()?;
    let keys = consumers.keys.keys();
    Some(keys.map(|key| key.reveal().to_owned()).collect())
}

fn problems(documents: &Documents) -> Vec<String> {
    documents.problems().map(|one| one.said()).collect()
}

fn waiting(documents: &Documents) -> Vec<String> {
    let waiting = documents.waiting();
    waiting
        .map(|(path, why)| format!("{path}: {}", why.said()))
        .collect()
}

#[test]
fn a_document_waits_for_the_answer_and_follows_it() {
    let mut documents = Documents::new(Vec::new());
    documents.list(vec![jack(KEY), manager()]);
    let changes = documents.settle();
    let asked = changes.secrets.unwrap();
    assert_eq!(
        &*asked.secrets[&name("key")].base,
        "https://vault.example.com/v1/kv"
    );
    assert!(changes.problems.is_empty() && changes.formless.is_empty() && changes.others_wait);
    let said = "consumers/jack: plugins.key-auth.key: refers to `key` of `shop` in `secrets/vault/1`, which has not been answered yet";
    assert_eq!(waiting(&documents), [said]);
    assert_eq!(documents.forms().count(), 1);

    for (answer, key) in [(PLANTED, PLANTED), ("another", "another")] {
        documents.answer(value(answer));
        let changes = documents.settle();
        assert_eq!(keys(&changes).unwrap(), [key]);
        assert!(changes.secrets.is_none() && waiting(&documents).is_empty());
    }
    // The same once more changes nothing.
    documents.answer(value("another"));
    assert!(documents.settle().consumers.is_none());

    // Nobody is asked for what nobody refers to.
    documents.apply(Change::Put(jack("literal")));
    let changes = documents.settle();
    assert!(changes.secrets.as_ref().unwrap().secrets.is_empty());
    assert_eq!(keys(&changes).unwrap(), ["literal"]);
}

#[test]
fn what_is_not_there_any_more_leaves_the_last_good_form() {
    let mut documents = Documents::new(Vec::new());
    documents.list(vec![manager(), jack(KEY)]);
    documents.settle();
    documents.answer(value(PLANTED));
    documents.settle();
    documents.answer(nothing());
    let changes = documents.settle();
    assert!(changes.consumers.is_none() && changes.formless.is_empty());
    let said =
        "plugins.key-auth.key: refers to `key` of `shop` in `secrets/vault/1`, which is denied";
    assert_eq!(problems(&documents), [said]);
    // What is good of it is the same text: a restart has it.
    let (newest, good) = documents
        .texts()
        .find(|(one, _)| &*one.path == "consumers/jack")
        .unwrap();
    assert_eq!(Some(newest), good);
    documents.answer(value("another"));
    assert_eq!(keys(&documents.settle()).unwrap(), ["another"]);
    assert!(problems(&documents).is_empty());

    // A text that waits leaves what was before it, which follows its own answers.
    let other = jack("$secret://vault/1/shop/other");
    documents.apply(put(
        "consumers/jack",
        &String::from_utf8_lossy(&other.value),
    ));
    let changes = documents.settle();
    assert!(changes.consumers.is_none());
    assert_eq!(waiting(&documents).len(), 1);
    let names: BTreeSet<_> = changes.secrets.unwrap().secrets.keys().cloned().collect();
    assert_eq!(names, [name("key"), name("other")].into());
    documents.answer(value("rotated"));
    assert_eq!(keys(&documents.settle()).unwrap(), ["rotated"]);
    assert_eq!(waiting(&documents).len(), 1);
}

#[test]
fn a_manager_that_is_not_written_is_told_and_not_waited_for() {
    let mut documents = Documents::new(Vec::new());
    documents.list(vec![jack(KEY)]);
    let changes = documents.settle();
    assert!(changes.secrets.is_none());
    assert_eq!(
        problems(&documents),
        ["refers to `secrets/vault/1`, which does not exist: write it, or name another"]
    );
    assert!(waiting(&documents).is_empty());
    documents.apply(put(
        "secrets/vault/1",
        r#"{"uri": "http://vault", "prefix": "kv"}"#,
    ));
    documents.settle();
    assert!(
        problems(&documents)
            .contains(&"refers to `secrets/vault/1`, which is wrong itself".to_owned())
    );
    documents.apply(Change::Put(manager()));
    assert!(documents.settle().secrets.is_some());
    assert!(problems(&documents).is_empty() && waiting(&documents).len() == 1);
    documents.answer(value(PLANTED));
    assert_eq!(keys(&documents.settle()).unwrap(), [PLANTED]);
    // Its last answer stays in force without it.
    let path: Arc<str> = "secrets/vault/1".into();
    documents.apply(Change::Deleted { path });
    let changes = documents.settle();
    assert!(changes.consumers.is_none() && changes.secrets.unwrap().secrets.is_empty());
    assert_eq!(problems(&documents).len(), 1);
}

#[test]
fn what_is_wrong_beside_a_reference_is_told_at_once() {
    let mut documents = Documents::new(Vec::new());
    let other = json!({"username": "jack", "group": "g", "plugins": {"key-auth": {"key": KEY}}});
    documents.list(vec![
        manager(),
        document("consumers/jack", &other.to_string()),
    ]);
    documents.settle();
    assert!(
        problems(&documents)[0].starts_with("group: "),
        "{:?}",
        problems(&documents)
    );
}

#[test]
fn who_only_checks_looks_at_the_rest() {
    let reader = Reader::default();
    let ssl = json!({"sni": "a.example.com", "cert": KEY, "key": KEY});
    for (of, field) in [
        (jack(KEY), "plugins.key-auth.key"),
        (document("ssls/a", &ssl.to_string()), "cert"),
    ] {
        let warnings = reader.check(&of).unwrap();
        assert_eq!(warnings[0].field, field, "{warnings:?}");
        assert!(warnings[0].message.contains("has not been answered yet"));
        let mut documents = Documents::read_by(reader.trusting());
        documents.list(vec![manager(), of]);
        documents.settle();
        assert!(problems(&documents).is_empty());
        let told: usize = documents.statuses(0).map(|one| one.warnings.len()).sum();
        assert_eq!(told, 1);
    }
    let wrong = json!({"sni": "a.example.com", "cert": KEY, "key": KEY, "a": 1}).to_string();
    let said = reader.check(&document("ssls/a", &wrong)).map(drop);
    assert!(said.is_err_and(|problem| problem.said().contains("`a`")));
}

#[test]
fn what_is_wrong_with_an_answer_is_told_without_it() {
    let mut documents = Documents::new(Vec::new());
    let of = |method: Value| {
        let plugins = json!({"proxy-rewrite": {"method": method}});
        let route = json!({"uri": "/", "upstream": {"nodes": {"a:80": 1}}, "plugins": plugins});
        document("routes/a", &route.to_string())
    };
    documents.list(vec![manager(), of(KEY.into())]);
    documents.settle();
    documents.answer(value(PLANTED));
    documents.settle();
    let said = problems(&documents).concat();
    assert!(
        said.starts_with("plugins.proxy-rewrite.method: is wrong with what a reference"),
        "{said}"
    );
    assert!(!said.contains("pl4nted"), "{said}");
}
