//! Documents whose secrets are encrypted: read as if they were in the clear, and refused without a word of them.

use rcgen::{CertificateParams, KeyPair};
use serde_json::{Map, Value, json};

use super::texts::json as document;
use crate::documents::{Changes, Documents, Reader};
use crate::model::{Id, Key, Keyring};

const OLD: &str = "edd1c9f0985e76a2";
const NEW: &str = "qeddd145sfvddff3";
/// `auth-one`, as APISIX stores it with [`OLD`].
const STORED: &str = "RjeV6km+KxQJN2rfu8Y7aA==";

fn ring(keys: &[&str]) -> Keyring {
    let keys: Vec<_> = keys.iter().map(ToString::to_string).collect();
    Keyring::new(&keys).unwrap()
}

fn settled(keys: &Keyring, path: &str, text: &str) -> Changes {
    let mut documents =
        Documents::read_by(Reader::new(Vec::new(), keys.clone(), Default::default()));
    documents.list(vec![document(path, text)]);
    documents.settle()
}

fn problem(keys: &Keyring, path: &str, text: &str) -> String {
    let changes = settled(keys, path, text);
    let said = changes.problems.first().map(|problem| problem.said());
    said.unwrap_or_default()
}

fn sealed(key: &str, path: &str, value: &Value) -> String {
    let kind = path.parse::<Key>().unwrap().kind;
    ring(&[key]).sealed(kind, value.as_object().unwrap().clone())
}

/// A certificate and its key.
fn pair() -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let names = CertificateParams::new(vec!["a.example.com".to_owned()]).unwrap();
    (names.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

#[test]
fn a_credential_is_what_it_was_before_it_was_encrypted() {
    let text = json!({"username": "jack", "plugins": {"key-auth": {"key": STORED}}}).to_string();
    let keys = |ring: &Keyring| {
        let changes = settled(ring, "consumers/jack", &text);
        assert!(changes.problems.is_empty());
        let consumers = changes.consumers.unwrap();
        let keys = consumers.keys.keys().map(|key| key.reveal().to_owned());
        let warnings: Vec<_> = changes.warnings.iter().map(ToString::to_string).collect();
        (keys.collect::<Vec<_>>(), warnings)
    };
    for ring in [ring(&[OLD]), ring(&[NEW, OLD])] {
        assert_eq!(keys(&ring), (vec!["auth-one".to_owned()], Vec::new()));
    }
    // Nobody can tell whether this is a key in the clear.
    assert_eq!(
        keys(&Keyring::default()),
        (vec![STORED.to_owned()], Vec::new())
    );
    let (as_written, warnings) = keys(&ring(&[NEW]));
    assert_eq!(as_written, [STORED]);
    assert_eq!(
        warnings,
        [
            "/chancery/consumers/jack: plugins.key-auth.key: looks encrypted, and no key of `data-encryption-keyring` \
             opens it: it is taken as it is written"
        ]
    );
}

#[test]
fn private_keys_are_opened_wherever_they_stand() {
    let (cert, key) = pair();
    let tls = json!({"client_cert": cert, "client_key": key});
    let upstream = json!({"nodes": {"a:443": 1}, "scheme": "https", "tls": tls});
    let split = json!({"rules": [{"weighted_upstreams": [{"upstream": upstream}]}]});
    let documents = [
        (
            "ssls/a",
            json!({"sni": "a.example.com", "cert": cert, "key": key, "certs": [cert], "keys": [key]}),
            "key",
        ),
        ("upstreams/u", upstream.clone(), "tls.client_key"),
        (
            "services/s",
            json!({"upstream": upstream}),
            "upstream.tls.client_key",
        ),
        (
            "routes/r",
            json!({"uri": "/", "upstream": upstream}),
            "upstream.tls.client_key",
        ),
        (
            "routes/r",
            json!({"uri": "/", "upstream": {"nodes": {"a:80": 1}}, "plugins": {"traffic-split": split}}),
            "plugins.traffic-split.rules[0].weighted_upstreams[0].upstream.tls.client_key",
        ),
    ];
    for (path, value, field) in documents {
        let text = sealed(OLD, path, &value);
        assert_eq!(problem(&ring(&[NEW, OLD]), path, &text), "", "{path}");
        assert_eq!(problem(&ring(&[NEW]), path, &value.to_string()), "");
        let said = problem(&ring(&[NEW]), path, &text);
        let expected = format!(
            "{field}: is no PEM, and no key of `data-encryption-keyring` opens it, allowed: a private key (RSA, ECDSA) as \
             PEM, or encrypted with a key of that ring"
        );
        assert_eq!(said, expected, "{path}");
        let said = problem(&Keyring::default(), path, &text);
        assert!(
            said.contains("give its keys as `data-encryption-keyring`"),
            "{said}"
        );
    }
}

#[test]
fn what_is_opened_is_checked_and_not_shown() {
    let keys = ring(&[OLD]);
    let (cert, _) = pair();
    let ssl = json!({"sni": "a.example.com", "cert": cert, "key": keys.seal("---hunter2")});
    let said = problem(&keys, "ssls/a", &ssl.to_string());
    assert!(
        said.starts_with("key: cannot be read") && !said.contains("hunter2"),
        "{said}"
    );
    let key = keys.seal("hunter2 with a space");
    let consumer = json!({"username": "jack", "plugins": {"key-auth": {"key": key}}});
    let said = problem(&keys, "consumers/jack", &consumer.to_string());
    assert!(said.starts_with("plugins.key-auth.key: holds something else"));
    assert!(!said.contains("hunter2") && !said.contains(&key), "{said}");
}

#[test]
fn a_route_is_made_again_of_encrypted_texts() {
    let (cert, key) = pair();
    let tls = json!({"client_cert": cert, "client_key": key});
    let upstream = json!({"nodes": {"a:443": 1}, "scheme": "https", "tls": tls});
    let route = json!({"uri": "/", "upstream": upstream});
    let texts = vec![document("routes/r", &sealed(OLD, "routes/r", &route))];
    let id: Id = "r".parse().unwrap();
    let reader = Reader::new(Vec::new(), ring(&[OLD]), Default::default());
    assert!(crate::documents::remade(&reader, texts.clone(), &id).is_some());
    assert!(crate::documents::remade(&Reader::default(), texts, &id).is_none());
}

#[test]
fn a_text_that_is_encrypted_anew_changes_nothing() {
    let keys = ring(&[NEW, OLD]);
    let value = json!({"username": "jack", "plugins": {"key-auth": {"key": "auth-one"}}});
    let mut documents = Documents::read_by(Reader::new(Vec::new(), keys, Default::default()));
    documents.list(vec![document(
        "consumers/jack",
        &sealed(OLD, "consumers/jack", &value),
    )]);
    assert!(documents.settle().consumers.is_some());
    let fields: Map<String, Value> = value.as_object().unwrap().clone();
    for text in [
        sealed(NEW, "consumers/jack", &value),
        Value::Object(fields).to_string(),
    ] {
        documents.list(vec![document("consumers/jack", &text)]);
        assert!(documents.settle().consumers.is_none(), "{text}");
    }
}
