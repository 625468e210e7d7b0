//! What documents about consumers may say, and that nothing which is said of them shows a credential.

use std::sync::Arc;

use crate::documents::{Changes, Documents};
use crate::model::document::{Change, Format};
use crate::model::{Document, Problem};

fn document(path: &str, text: &str) -> Document {
    Document {
        path: path.into(),
        source: format!("/chancery/{path}").into(),
        format: Format::Json,
        value: text.as_bytes().to_vec().into(),
        revision: 1,
    }
}

fn put(documents: &mut Documents, path: &str, text: &str) -> Changes {
    documents.apply(Change::Put(document(path, text)));
    documents.settle()
}

fn problem(path: &str, text: &str) -> String {
    let mut documents = Documents::new(Vec::new());
    let changes = put(&mut documents, path, text);
    let said: Vec<String> = changes.problems.iter().map(Problem::said).collect();
    assert!(changes.consumers.is_none(), "{path} {text} is in force");
    said.join("\n")
}

#[test]
fn what_is_refused_is_said_without_the_credential() {
    let refused = [
        (
            r#"{"username":"bob"}"#,
            "username: found \"bob\", allowed: \"anne\" as in the key",
        ),
        (
            r#"{"username":"anne","labels":{"custom_id":"a b"}}"#,
            "labels.custom_id: found \"a b\", allowed: up to 256 visible ASCII characters, no space, as upstreams are told it in a header",
        ),
        (
            r#"{"username":"anne","plugins":{"key-auth":{"key":"s3 cret"}}}"#,
            "plugins.key-auth.key: holds something else, allowed: up to 1024 visible ASCII characters, no space",
        ),
        (
            r#"{"username":"anne","plugins":{"key-auth":{"key":31337}}}"#,
            "plugins.key-auth.key: found no string, allowed: a string",
        ),
        (
            r#"{"username":"anne","plugins":{"key-auth":{"key":["s3cret"]}}}"#,
            "plugins.key-auth.key: found no string, allowed: a string",
        ),
        (
            r#"{"username":"anne","plugins":{"key-auth":{"key":{"s3cret":1}}}}"#,
            "plugins.key-auth.key: found no string, allowed: a string",
        ),
        (
            r#"{"username":"anne","plugins":{"key-auth":"s3cret"}}"#,
            "plugins.key-auth: is no object, allowed: an object",
        ),
        (
            r#"{"username":"anne","plugins":"s3cret"}"#,
            "plugins: is no object, allowed: an object",
        ),
        (
            r#"{"username":"anne","plugins":{"basic-auth":{"username":"a:b","password":"s3cret"}}}"#,
            "plugins.basic-auth.username: found \"a:b\", allowed: up to 1024 visible ASCII characters, no space, no `:`, and no `#` for a start",
        ),
        (
            r#"{"username":"anne","plugins":{"basic-auth":{"username":"a"}}}"#,
            "plugins.basic-auth: `password` is missing",
        ),
        (
            r#"{"username":"anne","plugins":{"jwt-auth":{"key":"a","secret":"s3cret","algorithm":"none"}}}"#,
            "plugins.jwt-auth.algorithm: found a text, allowed: HS256, HS384, HS512, RS256, RS384, RS512, ES256, ES384, ES512, PS256, PS384, PS512, EdDSA",
        ),
        (
            r#"{"username":"anne","plugins":{"jwt-auth":{"key":"a"}}}"#,
            "plugins.jwt-auth: `secret` is missing",
        ),
        (
            r#"{"username":"anne","plugins":{"jwt-auth":{"key":"a","secret":"s3cret!","base64_secret":true}}}"#,
            "plugins.jwt-auth.secret: cannot be read as base64, which `base64_secret` says it is",
        ),
        (
            r#"{"username":"anne","plugins":{"jwt-auth":{"key":"a","public_key":"s3cret","algorithm":"RS256"}}}"#,
            "plugins.jwt-auth.public_key: cannot be read, allowed: a public key as PEM (BEGIN PUBLIC KEY)",
        ),
    ];
    for (text, said) in refused {
        let found = problem("consumers/anne", text);
        assert_eq!(found, said, "of {text}");
        assert!(!found.contains("s3") && !found.contains("31337"), "{found}");
    }
    let found = problem(
        "consumers/anne",
        r#"{"username":"anne","plugins":{"zipkin":{"endpoint":"http://127.0.0.1:9411","sample_ratio":1}}}"#,
    );
    let before = "plugins.zipkin: is not for a consumer or a group: Envoy has done it before it is known who sends a request";
    assert!(found.starts_with(before), "{found}");
    let found = problem("consumer_groups/g", r#"{"plugins":{"gzip":{}}}"#);
    let before = "plugins.gzip: is not for a consumer or a group: Envoy puts the filter that a route has for it into the chain";
    assert!(found.starts_with(before), "{found}");
    for (plugins, reason) in [
        (
            r#"{"multi-auth":{"auth_plugins":[{"key-auth":{}},{"basic-auth":{}}]}}"#,
            "multi-auth: is not for a consumer or a group: it is known by then who sends a request",
        ),
        (
            r#"{"limit-conn":{"conn":1,"burst":0,"default_conn_delay":1,"key":"remote_addr","policy":"redis","redis_host":"r"}}"#,
            "limit-conn: is not for a consumer or a group: it counts in Redis",
        ),
    ] {
        let text = format!(r#"{{"plugins":{plugins}}}"#);
        let found = problem("consumer_groups/g", &text);
        assert!(found.starts_with(&format!("plugins.{reason}")), "{found}");
    }
    let login = r#"{"openid-connect":{"client_id":"a","client_secret":"b","discovery":"https://p","session":{"secret":"0123456789abcdef"}}}"#;
    let found = problem("consumer_groups/g", &format!(r#"{{"plugins":{login}}}"#));
    assert_eq!(
        found,
        "plugins.openid-connect.bearer_only: found where it is known who sends a request, allowed for a consumer or a group: true; people \
         log in at routes"
    );
    let found = problem("consumers/anne/credentials/one", r#"{"plugins":{}}"#);
    assert_eq!(found, "refers to `consumers/anne`, which does not exist");
}

#[test]
fn a_key_on_another_curve_is_refused() {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let text = serde_json::json!({"username": "anne", "plugins": {"jwt-auth": {
        "key": "a", "algorithm": "ES256", "public_key": key.public_key_pem(),
    }}});
    assert_eq!(
        problem("consumers/anne", &text.to_string()),
        "plugins.jwt-auth.public_key: is not a key on the curve P-256, which ES256 needs"
    );
}

#[test]
fn a_credential_that_two_hold_is_that_of_the_first() {
    let mut documents = Documents::new(Vec::new());
    let of = |name: &str| {
        format!(r#"{{"username":"{name}","plugins":{{"key-auth":{{"key":"s3cret"}}}}}}"#)
    };
    let names = |changes: &Changes| -> Vec<Arc<str>> {
        let consumers = changes.consumers.as_ref().expect("other consumers");
        consumers.keys.values().cloned().collect()
    };
    assert_eq!(
        names(&put(&mut documents, "consumers/bob", &of("bob"))),
        [Arc::<str>::from("bob")]
    );
    let changes = put(&mut documents, "consumers/anne", &of("anne"));
    assert_eq!(
        names(&changes),
        [Arc::<str>::from("anne")],
        "the first by path, whoever came first"
    );
    let said: Vec<String> = changes.problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "/chancery/consumers/bob: plugins.key-auth.key: is that of `consumers/anne` as well, allowed: one that no other has"
        ]
    );
    documents.apply(Change::Deleted {
        path: "consumers/anne".into(),
    });
    let changes = documents.settle();
    assert_eq!(names(&changes), [Arc::<str>::from("bob")]);
    assert_eq!(
        changes.mended,
        [Arc::<str>::from("/chancery/consumers/bob")]
    );
}

#[test]
fn a_credential_goes_with_its_consumer_and_a_group_is_waited_for() {
    let mut documents = Documents::new(Vec::new());
    let changes = put(
        &mut documents,
        "consumers/anne",
        r#"{"username":"anne","group_id":"partners"}"#,
    );
    assert_eq!(
        changes.problems[0].said(),
        "group_id: refers to `consumer_groups/partners`, which does not exist"
    );
    let changes = put(
        &mut documents,
        "consumer_groups/partners",
        r#"{"plugins":{}}"#,
    );
    let consumers = changes.consumers.expect("anne");
    let group = consumers.groups["anne"].as_ref().map(|id| id.as_str());
    assert_eq!(group, Some("partners"));
    let changes = put(
        &mut documents,
        "consumers/anne/credentials/one",
        r#"{"plugins":{"key-auth":{"key":"s3cret"}}}"#,
    );
    let consumers = changes.consumers.expect("a key");
    assert_eq!(
        consumers
            .keys
            .values()
            .map(|name| &**name)
            .collect::<Vec<_>>(),
        ["anne/one//group_id=partners/"]
    );
    assert!(
        !format!("{consumers:?}{documents:?}").contains("s3cret\""),
        "shown by Debug"
    );
    assert!(
        !format!("{consumers:?}").contains("s3cret"),
        "shown by Debug"
    );
}
