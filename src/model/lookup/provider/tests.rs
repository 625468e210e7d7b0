use serde_json::json;

use super::*;
use crate::model::Kind;
use crate::model::lookup::{Lookup, Subject, Verdict};

const ADDRESS: &str = "https://login.example.com/.well-known/openid-configuration";

/// What is asked for a configuration with these fields beside the usual ones.
fn asked(fields: Value) -> Option<Result<(bool, bool, bool), String>> {
    let mut plugin = json!({"bearer_only": true, "discovery": ADDRESS});
    let own = plugin.as_object_mut().unwrap();
    own.extend(fields.as_object().unwrap().clone());
    let provider = Provider::asked_by(own)?;
    Some(provider.map(|one| (one.keys, one.verify, one.login)))
}

#[test]
fn a_provider_is_asked_for_what_a_document_does_not_say() {
    let issuers = json!({"issuer": {"valid_issuers": ["a"]}});
    let none = json!({"issuer": {"valid_issuers": []}});
    for (fields, found) in [
        (json!({}), None),
        (json!({"use_jwks": true}), Some((true, false, false))),
        (
            json!({"use_jwks": true, "ssl_verify": true}),
            Some((true, true, false)),
        ),
        (
            json!({"use_jwks": true, "claim_validator": issuers}),
            Some((true, false, false)),
        ),
        (
            json!({"use_jwks": true, "public_key": "k"}),
            Some((false, false, false)),
        ),
        (
            json!({"public_key": "k", "claim_validator": none}),
            Some((false, false, false)),
        ),
        (json!({"public_key": "k", "claim_validator": issuers}), None),
        (json!({"bearer_only": false}), Some((false, false, true))),
        (json!({"bearer_only": null}), Some((false, false, true))),
        (
            json!({"use_jwks": true, "bearer_only": false}),
            Some((true, false, true)),
        ),
        (json!({"use_jwks": true, "discovery": 5}), None),
    ] {
        let told = asked(fields.clone()).map(Result::unwrap);
        assert_eq!(told, found, "{fields}");
    }
}

#[test]
fn an_address_is_one_of_http() {
    for (address, said) in [
        ("login.example.com", "allowed: http or https and a host"),
        ("file:///etc/passwd", "which is neither http nor https"),
        ("http://a:b@c/", "holds a user"),
        ("http://a/#b", "which has a `#` in it"),
        ("$env://ADDRESS", "found a reference"),
        ("$secret://vault/1/a/b", "found a reference"),
        ("{\"issuer\": \"me\"}", "allowed: http or https and a host"),
    ] {
        let told = asked(json!({"use_jwks": true, "discovery": address})).unwrap();
        assert!(told.clone().unwrap_err().contains(said), "{told:?}");
    }
}

/// The document's `discovery` once it is read, and what it waits for or is wrong.
fn resolved(of: &Lookup, discovery: &str) -> (String, String) {
    let plugin = json!({"bearer_only": true, "use_jwks": true, "discovery": discovery});
    let mut route = json!({"plugins": {"openid-connect": plugin}});
    let all = of.resolve_in(Kind::Route, route.as_object_mut().unwrap());
    let said = all.wrong.clone().or_else(|| all.waits());
    let found = &route["plugins"]["openid-connect"]["discovery"];
    let said = said.map(|remark| remark.said()).unwrap_or_default();
    (found.as_str().unwrap().to_owned(), said)
}

#[test]
fn what_a_provider_says_is_in_force_and_is_no_secret() {
    let of = Lookup::default();
    let subject = || {
        Subject::Provider(Provider {
            address: ADDRESS.into(),
            verify: false,
            keys: true,
            login: false,
        })
    };
    let (found, said) = resolved(&of, ADDRESS);
    assert_eq!(found, ADDRESS);
    assert_eq!(
        said,
        format!(
            "plugins.openid-connect.discovery: refers to the provider of `{ADDRESS}`, which has not been answered yet"
        )
    );
    // What it says is no reference, whatever it looks like.
    for text in ["{\"issuer\":\"$env://HOME\",\"keys\":[]}", "another"] {
        assert!(
            of.answers()
                .take(subject(), Verdict::Value(text.to_owned()))
        );
        assert_eq!(resolved(&of, ADDRESS), (text.to_owned(), String::new()));
    }
    assert!(!of.is_in("another") && of.is_empty() && of.answers().known().is_empty());
    let said = of.answers().providers();
    assert_eq!(said.values().collect::<Vec<_>>(), ["another"]);
    of.answers()
        .take(subject(), Verdict::Nothing("which is gone".to_owned()));
    let (_, said) = resolved(&of, ADDRESS);
    assert!(said.ends_with("`, which is gone"), "{said}");
    let (_, said) = resolved(&of, "ftp://a");
    assert!(
        said.starts_with("plugins.openid-connect.discovery: found"),
        "{said}"
    );
    of.answers().keep(&Default::default());
    assert!(of.answers().providers().is_empty());
}
