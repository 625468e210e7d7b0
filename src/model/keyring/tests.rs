//! What APISIX has encrypted, made with OpenSSL as its library has it:
//! `openssl enc -aes-128-cbc -K HEX -iv HEX -a -A`, and `-aes-256-cbc` with half of the key as the vector.

use serde_json::{Value, json};

use super::*;
use crate::model::Kind;

/// The keys of APISIX's own default ring, and one of 32 bytes.
const FIRST: &str = "qeddd145sfvddff3";
const SECOND: &str = "edd1c9f0985e76a2";
const LONG: &str = "0123456789abcdef0123456789abcdef";
const UMLAUT: &str = "Schlüssel-9abcd";

/// By key and text.
const SEALED: &[(&str, &str, &str)] = &[
    (FIRST, "auth-one", "4y+JvURBE6ZwRbbgaryrhg=="),
    (FIRST, "", "CEGh183MAO3X8/ZV2jzHeA=="),
    (
        FIRST,
        "0123456789abcdef",
        "qpxu8KrwHqjW92zgZHFDOLQA3RNdV40A6RLotmKQPVw=",
    ),
    (SECOND, "auth-one", "RjeV6km+KxQJN2rfu8Y7aA=="),
    (SECOND, "sécret", "F8zNQz85dcUpaAsbtpPQoQ=="),
    (LONG, "auth-one", "jMinfe2nNUgjwW02ZBFULg=="),
    (
        LONG,
        "0123456789abcdef",
        "fb2IJy+yWTdpKjuBAEdBdVzCRgU8FQbFdK3yxA9c3n4=",
    ),
    (LONG, "sécret", "4GpI0G5g/fn2dIw4tYFXig=="),
    (UMLAUT, "auth-one", "aOyAZ4WGD/M/HqNbigCQVQ=="),
];

fn ring(keys: &[&str]) -> Keyring {
    let keys: Vec<_> = keys.iter().map(ToString::to_string).collect();
    Keyring::new(&keys).unwrap()
}

fn opened(keys: &Keyring, kind: Kind, document: &Value) -> (Value, Opened) {
    let mut fields = document.as_object().unwrap().clone();
    let opened = keys.open_in(kind, &mut fields);
    (fields.into(), opened)
}

fn sealed(keys: &Keyring, kind: Kind, document: &Value) -> Value {
    let text = keys.sealed(kind, document.as_object().unwrap().clone());
    serde_json::from_str(&text).unwrap()
}

#[test]
fn what_apisix_encrypts_is_opened_by_any_key_and_sealed_by_the_first_as_it_does() {
    for (key, text, stored) in SEALED {
        let own = ring(&[key]);
        assert_eq!(own.seal(text), *stored, "{key} {text}");
        assert_eq!(own.open(stored).as_deref(), Some(*text), "{key}");
        let all = ring(&[FIRST, SECOND, LONG, UMLAUT]);
        assert_eq!(all.open(stored).as_deref(), Some(*text), "{key}");
        assert_eq!(all.seal(text), ring(&[FIRST]).seal(text));
    }
}

#[test]
fn what_no_key_opens_is_not_opened() {
    let none = Keyring::default();
    assert!(none.is_empty() && none.open("RjeV6km+KxQJN2rfu8Y7aA==").is_none());
    assert_eq!(none.seal("auth-one"), "auth-one");
    let other = ring(&[FIRST]);
    for text in [
        "RjeV6km+KxQJN2rfu8Y7aA==",
        "auth-one",
        "",
        "RjeV6km+KxQJN2rfu8Y7aA",
        "RjeV6km+KxQJN2rfu8Y7",
        "\u{1F511}",
    ] {
        assert_eq!(other.open(text), None, "{text}");
    }
    // Bytes that are no text: JSON has no way to write them.
    assert_eq!(ring(&[SECOND]).open("ttOQTvAONVirAsdG3vKzyQ=="), None);
}

#[test]
fn keys_of_other_lengths_are_refused_and_none_is_shown() {
    let keys = [FIRST, "hunter2", LONG].map(ToOwned::to_owned);
    let said = Keyring::new(&keys).unwrap_err();
    assert_eq!(said, "key 2 of 3 has 7 bytes, allowed: 16 or 32");
    assert_eq!(format!("{:?}", ring(&[FIRST, LONG])), "Keyring(2)");
}

#[test]
fn secrets_are_sealed_wherever_apisix_encrypts_them_and_nothing_else_is() {
    let keys = ring(&[FIRST, SECOND]);
    let pem = "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n";
    let upstream =
        json!({"nodes": {"10.0.0.1:80": 1}, "tls": {"client_cert": "-----C", "client_key": pem}});
    let auth = json!({"plugins": {
        "key-auth": {"key": "S"}, "basic-auth": {"username": "jack", "password": "S"},
        "jwt-auth": {"key": "jack", "secret": "S", "private_key": "S"},
    }});
    let plugins = json!({
        "csrf": {"key": "S", "name": "n"}, "key-auth": {"header": "k", "key": "n"},
        "openid-connect": {"client_id": "n", "client_secret": "S"},
        "limit-count": {"key": "remote_addr"},
        "traffic-split": {"rules": [{}, {"weighted_upstreams": [{"weight": 1}, {"upstream": upstream}]}]},
    });
    let documents = [
        (
            Kind::Ssl,
            json!({"cert": "-----C", "key": pem, "certs": ["-----C"], "keys": [pem], "sni": "a"}),
            2,
        ),
        (Kind::Upstream, upstream.clone(), 1),
        (Kind::Consumer, auth.clone(), 4),
        (Kind::Credential, auth, 4),
        (
            Kind::Route,
            json!({"uri": "/", "upstream": upstream, "plugins": plugins}),
            4,
        ),
        (Kind::Service, json!({"upstream": upstream}), 1),
        (Kind::StreamRoute, json!({"upstream": upstream}), 1),
        (Kind::PluginConfig, json!({"plugins": plugins}), 3),
        (Kind::GlobalRule, json!({"plugins": plugins}), 3),
        (Kind::Gateway, json!({"tracing": {"upstream_id": "1"}}), 0),
    ];
    for (kind, document, count) in documents {
        let stored = sealed(&keys, kind, &document);
        let text = stored.to_string();
        assert!(
            !text.contains("PRIVATE KEY") && !text.contains("\"S\""),
            "{text}"
        );
        assert_eq!(differing(&stored, &document), count, "{text}");
        assert!(
            count == 0 || keys.concerns(kind, text.as_bytes()),
            "{kind:?}"
        );
        let (clear, told) = opened(&keys, kind, &stored);
        assert_eq!(clear, document);
        assert_eq!(told.any, count > 0);
        // The one that was written by another key of the ring.
        let other = sealed(&ring(&[SECOND]), kind, &document);
        assert_eq!(opened(&keys, kind, &other).0, document);
        // What is in the clear stays as it is.
        let (clear, told) = opened(&keys, kind, &document);
        assert_eq!((clear, told), (document.clone(), Opened::default()));
        let none = Keyring::default();
        assert_eq!(sealed(&none, kind, &document), document);
        assert_eq!(
            opened(&none, kind, &stored),
            (stored.clone(), Opened::default())
        );
        assert!(!none.concerns(kind, text.as_bytes()));
    }
}

/// How many texts differ.
fn differing(one: &Value, other: &Value) -> usize {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let both = one.iter().map(|(name, value)| (value, &other[name]));
            both.map(|(one, other)| differing(one, other)).sum()
        }
        (Value::Array(one), Value::Array(other)) => {
            let both = one.iter().zip(other);
            both.map(|(one, other)| differing(one, other)).sum()
        }
        _ => usize::from(one != other),
    }
}

#[test]
fn what_is_not_opened_is_told_by_its_field() {
    let keys = ring(&[FIRST]);
    let foreign = ring(&[SECOND]).seal("-----BEGIN PRIVATE KEY-----");
    let ssl = json!({"key": foreign, "keys": ["-----BEGIN", "$env://KEY", "plain"]});
    let (same, told) = opened(&keys, Kind::Ssl, &ssl);
    assert_eq!(same, ssl);
    assert_eq!(told.shut, ["key", "keys[2]"]);
    assert!(told.doubtful.is_empty() && !told.any);
    // Nothing that is none is sealed as a private key: it would only be told later.
    assert_eq!(sealed(&keys, Kind::Ssl, &ssl)["key"], foreign);
    let consumer =
        json!({"plugins": {"key-auth": {"key": foreign}, "basic-auth": {"password": "plain"}}});
    let (same, told) = opened(&keys, Kind::Consumer, &consumer);
    assert_eq!(same, consumer);
    assert_eq!(told.doubtful, ["plugins.key-auth.key"]);
    assert!(told.shut.is_empty());
}

#[test]
fn anything_in_the_place_of_a_secret_is_passed_over() {
    let keys = ring(&[FIRST]);
    for (kind, document) in [
        (
            Kind::Ssl,
            json!({"key": 1, "keys": {"a": "-----BEGIN"}, "upstream": 1}),
        ),
        (Kind::Ssl, json!({"key": null, "keys": [null, 1, {}]})),
        (Kind::Upstream, json!({"tls": [1]})),
        (Kind::Upstream, json!({"tls": {"client_key": {}}})),
        (
            Kind::Route,
            json!({"plugins": {"csrf": "S", "traffic-split": {"rules": [1, {"weighted_upstreams": 1}]}}}),
        ),
        (Kind::Consumer, json!({"plugins": [{"key-auth": 1}]})),
    ] {
        assert_eq!(
            opened(&keys, kind, &document),
            (document.clone(), Opened::default())
        );
        assert_eq!(sealed(&keys, kind, &document), document);
    }
}
