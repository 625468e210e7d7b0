//! A store as the commands of APISIX's documentation write it: `chancery validate` says of each document of `documentation/` what is
//! written there. Fields and values are those of the pages, ids and names are not.
//!
//! An entry is a document by its key, and `refused` where it has to be refused: words of the reason. A document that begins to be
//! accepted fails until that line goes.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::{Map, Value, json};

use crate::support::certificates::Authority;
use crate::support::chancery::BINARY;
use crate::support::etcd::Etcd;
use crate::support::own_address;

/// A key to verify with, which is nobody's secret.
const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAszBOWfk6aWxZe0qHQLUZ
rFvSWTo8QTTIgquFbazwmA+/QsifvqA9m3fkETPVqEOclm6ELYvKb9ylOYwIRyYY
KmL03mndsTfiGsADa2nJ/tvrAH80gvuJqQWwClWxh/QK6fwoso4ctvGdd+Ggw5KY
6U6YFKjWc8dCF0RtJzE4tBUIuf3JU3mdnuquWBhMTrnq/iLJ+xg4ob2BT+p6+bv9
jR4jfyDJomztu+W+GD7iVhhigAQpvn1txhAzW9pryCFGV/608ntxJuDMPJVm5+Eg
/d97qXlPuuo3QKB9Hq+Ieko5wahCFu/4qwkb5RRCuT9wttvfxHnVa8j0GIwte29T
MQIDAQAB
-----END PUBLIC KEY-----
";

/// What a document must be told, if anything.
type Expected = BTreeMap<String, Option<String>>;

#[tokio::test]
async fn documents_of_the_documentation_are_served_or_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let mut etcd = Etcd::start(own_address(), folder.path()).await;
    let authority = Authority::new();
    let names = ["shop.example", "*.shop.example"];
    let [first, second] = [authority.identity(&names), authority.identity(&names)];
    let words = BTreeMap::from([
        ("@ca", authority.pem().to_owned()),
        ("@cert", first.cert.clone()),
        ("@key", first.key.clone()),
        ("@cert2", second.cert),
        ("@key2", second.key),
        ("@public", PUBLIC.to_owned()),
    ]);
    let mut expected = Expected::new();
    for (key, document, refused) in entries() {
        etcd.put_at(&format!("/apisix/{key}"), &meant(document, &words))
            .await;
        let before = expected.insert(key.clone(), refused);
        assert!(before.is_none(), "{key} is there twice");
    }
    let variables = [
        ("CERT", first.cert.as_str()),
        ("KEY", &first.key),
        ("JACK_AUTH_KEY", "jack-of-the-environment"),
        ("JACK", r#"{"auth-key": "jack-as-json"}"#),
    ];
    let wrong = wrong(validated(&etcd.url(), &variables), &expected);
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        expected.len(),
        wrong.join("\n")
    );
    assert!(expected.len() >= 300, "{} documents", expected.len());
    etcd.stop().await;
}

/// All entries: keys, documents, and words of the reason.
fn entries() -> Vec<(String, Value, Option<String>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/apisix/documentation");
    let mut all = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let file = file.unwrap().path();
        let text = std::fs::read_to_string(&file).unwrap();
        let entries: Vec<Map<String, Value>> = serde_saphyr::from_str(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        for mut entry in entries {
            let refused = entry.remove("refused");
            let refused = refused.map(|words| words.as_str().unwrap().to_owned());
            assert_eq!(entry.len(), 1, "one document an entry: {entry:?}");
            let (key, document) = entry.into_iter().next().unwrap();
            all.push((key, document, refused));
        }
    }
    all
}

/// A document with what its words stand for.
fn meant(document: Value, words: &BTreeMap<&str, String>) -> Value {
    let meant = |value| meant(value, words);
    match document {
        Value::String(text) => json!(words.get(&*text).unwrap_or(&text)),
        Value::Array(items) => items.into_iter().map(meant).collect(),
        Value::Object(fields) => {
            let fields = fields.into_iter();
            fields.map(|(name, value)| (name, meant(value))).collect()
        }
        other => other,
    }
}

/// What `chancery validate` says of the store.
fn validated(etcd: &str, variables: &[(&str, &str)]) -> Vec<Value> {
    let named: Vec<_> = variables.iter().map(|(name, _)| *name).collect();
    let output = Command::new(BINARY)
        .args(["validate", "-o", "json", "--etcd", etcd])
        .args([
            "--etcd-prefix",
            "/apisix",
            "--secrets-env",
            &named.join(","),
        ])
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    serde_json::from_str(&text).expect(&text)
}

/// Where the verdicts are others than expected.
fn wrong(verdicts: Vec<Value>, expected: &Expected) -> Vec<String> {
    let text = |verdict: &Value, field: &str| verdict[field].as_str().unwrap_or("").to_owned();
    let mut verdicts: BTreeMap<_, _> = verdicts
        .iter()
        .map(|verdict| {
            let refused = text(verdict, "state") == "rejected";
            let reason = text(verdict, "reason");
            (text(verdict, "document"), Some(reason).filter(|_| refused))
        })
        .collect();
    let mut wrong = Vec::new();
    for (key, words) in expected {
        match (verdicts.remove(key), words) {
            (None, _) => wrong.push(format!("{key}: not judged")),
            (Some(None), None) => {}
            (Some(None), Some(_)) => wrong.push(format!("{key}: is accepted now")),
            (Some(Some(reason)), None) => wrong.push(format!("{key}: {reason}")),
            (Some(Some(reason)), Some(words)) if !reason.contains(words.as_str()) => {
                wrong.push(format!("{key}: not {words:?}: {reason}"));
            }
            (Some(Some(_)), Some(_)) => {}
        }
    }
    wrong.extend(verdicts.into_keys().map(|key| format!("{key}: unexpected")));
    wrong
}
