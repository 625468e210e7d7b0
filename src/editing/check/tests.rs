//! Whatever stands in a document: it is written if and only if it would be in force once it lies in the store.

mod draw;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{LazyLock, Mutex};

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::documents::schema;
use crate::editing::references;
use crate::editing::stamp::{self, Times};
use crate::model::document::Change;
use crate::model::{Discovery, Key, Keyring, Kind};
use draw::Draw;

/// What is there before: at least one of what documents can name.
fn store(pair: &(String, String)) -> Vec<(&'static str, Value)> {
    let (cert, key) = pair;
    let upstream = json!({ "nodes": { "10.0.0.1:80": 1 } });
    let key_auth = |key: &str| json!({ "key-auth": { "key": key } });
    vec![
        ("upstreams/u", upstream.clone()),
        (
            "services/s",
            json!({ "upstream": upstream, "hosts": ["a.example.com"] }),
        ),
        ("plugin_configs/p", json!({ "plugins": { "cors": {} } })),
        ("consumer_groups/g", json!({ "plugins": {} })),
        (
            "gateways/default",
            json!({ "listeners": [
                { "name": "http", "address": "::", "port": 9080 },
                { "name": "tcp", "address": "::", "port": 80, "protocol": "tcp" },
                { "name": "tls", "address": "::", "port": 403, "protocol": "tls" },
            ] }),
        ),
        (
            "gateways/edge",
            json!({ "listeners": [{ "name": "http", "address": "::", "port": 8080 }] }),
        ),
        (
            "ssls/c",
            json!({ "type": "client", "cert": cert, "key": key }),
        ),
        (
            "consumers/jack",
            json!({ "username": "jack", "plugins": key_auth("k") }),
        ),
        (
            "consumers/mary",
            json!({ "username": "mary", "group_id": "g" }),
        ),
        (
            "consumers/mary/credentials/one",
            json!({ "plugins": key_auth("l") }),
        ),
    ]
}

static PAIR: LazyLock<(String, String)> = LazyLock::new(|| {
    let key = rcgen::KeyPair::generate().unwrap();
    let names = rcgen::CertificateParams::new(vec!["a.example.com".to_owned()]).unwrap();
    (names.self_signed(&key).unwrap().pem(), key.serialize_pem())
});

static SCHEMAS: LazyLock<BTreeMap<Kind, Value>> = LazyLock::new(|| {
    let of = |kind| (kind, schema::of(kind));
    Kind::ALL.into_iter().map(of).collect()
});

fn keyring() -> Keyring {
    Keyring::new(&["qeddd145sfvddff3".to_owned()]).unwrap()
}

fn reader() -> Reader {
    Reader::new(Discovery::ALL.to_vec(), keyring(), Default::default())
}

fn held(path: &str, value: &Value) -> Held {
    Held {
        path: path.into(),
        text: value.to_string().into(),
        created: 1,
        modified: 1,
    }
}

/// What becomes wrong in the loop as the text comes from the store: with the document, or with another of its row.
fn by_the_loop(store: &[Held], path: &Arc<str>, text: &str) -> Option<String> {
    let mut documents = Documents::read_by(reader());
    documents.list(store.iter().map(document).collect());
    documents.settle();
    let before = problems(&documents);
    documents.apply(Change::Put(new(&(path.clone(), text.to_owned()))));
    documents.settle();
    let is_of = |of: &Arc<str>| {
        let both = [of, path].map(|path| path.starts_with("consumers/"));
        of == path || both == [true, true]
    };
    let mut wrong = problems(&documents).into_iter();
    wrong
        .find(|(of, problem)| is_of(of) && (of == path || before.get(of) != Some(problem)))
        .map(|(of, problem)| format!("{of}: {}", problem.said()))
}

/// What is told to the writer: with what the document names, and those of its row, beside it. Nothing at all where it names
/// what is not there.
fn by_the_writer(
    store: &[Held],
    key: &Key,
    mut fields: Map<String, Value>,
) -> Option<Result<(), String>> {
    if let Err(said) = stamp::stamp(key, &mut fields, None, 9, Times::Ours) {
        return Some(Err(said));
    }
    let find = |path: &Arc<str>| store.iter().find(|held| held.path == *path);
    let value = Value::Object(fields.clone());
    let mut open = references::of(key, &value);
    if open.iter().any(|named| find(&named.path).is_none()) {
        return None;
    }
    open.extend(references::implied(key).filter(|one| find(&one.path).is_some()));
    let mut others = BTreeMap::new();
    while let Some(held) = open.pop().and_then(|named| find(&named.path)) {
        if others.insert(held.path.clone(), held.clone()).is_none() {
            let named: Key = held.path.parse().unwrap();
            let value = serde_json::from_slice::<Value>(&held.text).unwrap();
            open.extend(references::of(&named, &value));
        }
    }
    if let Kind::Consumer | Kind::Credential = key.kind {
        let row = store
            .iter()
            .filter(|held| held.path.starts_with("consumers/"));
        others.extend(row.map(|held| (held.path.clone(), held.clone())));
    }
    let text = keyring().sealed(key.kind, fields);
    let others: Vec<_> = others.into_values().collect();
    let checked = check(&[(key.to_string().into(), text)], &others, &reader());
    Some(checked.map(drop))
}

/// How many documents of a kind were taken, and how many were refused.
static COUNTED: Mutex<BTreeMap<(Kind, bool), u32>> = Mutex::new(BTreeMap::new());

fn compare(kind: Kind, seed: u64) {
    let mut draw = Draw::new(seed, &PAIR);
    let path: Arc<str> = match kind {
        Kind::Consumer => draw.one_of(&["consumers/jack", "consumers/anne"]).into(),
        Kind::Credential => draw
            .one_of(&[
                "consumers/mary/credentials/one",
                "consumers/jack/credentials/a",
            ])
            .into(),
        Kind::PluginMetadata => draw
            .one_of(&["plugin_metadata/cors", "plugin_metadata/file-logger"])
            .into(),
        Kind::Secret => draw
            .one_of(&["secrets/vault/1", "secrets/vault/new"])
            .into(),
        kind => format!("{}/{}", kind.as_str(), draw.one_of(&["u", "s", "new"])).into(),
    };
    let key: Key = path.parse().unwrap();
    let Value::Object(mut fields) = draw.value(kind.as_str(), &SCHEMAS[&kind]) else {
        return;
    };
    // What a writer may not say, though a text in the store may.
    fields.retain(|name, _| !["id", "create_time", "update_time"].contains(&name.as_str()));
    if kind == Kind::Consumer {
        fields.insert("username".to_owned(), key.id.as_str().into());
    }
    let store: Vec<_> = store(&PAIR)
        .iter()
        .map(|(path, value)| held(path, value))
        .collect();
    let text = Value::Object(fields.clone()).to_string();
    let Some(written) = by_the_writer(&store, &key, fields) else {
        return;
    };
    let wrong = by_the_loop(&store, &path, &text);
    *COUNTED
        .lock()
        .unwrap()
        .entry((kind, wrong.is_none()))
        .or_default() += 1;
    match (written, wrong) {
        (Ok(()), None) | (Err(_), Some(_)) => {}
        (written, wrong) => {
            panic!(
                "the writer of {path} is told {written:?}, the loop says {wrong:?}, seed {seed}: {text}"
            )
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]
    #[test]
    fn what_is_written_is_what_the_loop_takes(kind in prop::sample::select(&Kind::ALL[..]), seed: u64) {
        compare(kind, seed);
    }
}

#[test]
fn of_each_kind_some_are_drawn_that_are_good_and_some_that_are_not() {
    for kind in Kind::ALL {
        for seed in 0..200 {
            compare(kind, seed);
        }
    }
    let counted: BTreeSet<_> = COUNTED.lock().unwrap().keys().copied().collect();
    for kind in Kind::ALL {
        assert!(
            counted.contains(&(kind, true)) && counted.contains(&(kind, false)),
            "{kind:?}: {counted:?}"
        );
    }
}
