//! Keys and passwords: who passes with them, and that nobody else sees them.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;

use super::{consumer, is_told, passes, send, stage_with};
use crate::support::envoy::Protocol;

pub fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))
}

#[tokio::test]
async fn keys_and_passwords_let_consumers_pass_over_delta() {
    keys_and_passwords_let_consumers_pass(Protocol::Delta).await;
}

#[tokio::test]
async fn keys_and_passwords_let_consumers_pass_over_sotw() {
    keys_and_passwords_let_consumers_pass(Protocol::Sotw).await;
}

async fn keys_and_passwords_let_consumers_pass(protocol: Protocol) {
    let hidden = json!({ "header": "X-Key", "query": "k", "hide_credentials": true });
    let stage = stage_with(
        protocol,
        &[
            ("open", json!({})),
            ("key", json!({ "key-auth": {} })),
            ("hidden", json!({ "key-auth": hidden })),
            ("basic", json!({ "basic-auth": {} })),
            (
                "basic-hidden",
                json!({ "basic-auth": { "hide_credentials": true } }),
            ),
            ("both", json!({ "basic-auth": {}, "key-auth": {} })),
        ],
    )
    .await;
    let (etcd, envoy) = (&stage.etcd, &stage.envoy);
    let nobody = r#"{"message":"Missing related consumer"}"#;
    envoy.answers_with("/open", 200).await;
    envoy.answers_with("/both", 401).await;
    is_told(envoy, "/key", &[("apikey", "anne-key")], 401, nobody).await;

    let anne = json!({
        "key-auth": { "key": "anne-key" },
        "basic-auth": { "username": "anne.b", "password": "anne-password" },
    });
    etcd.put("consumers/anne", &consumer("anne", anne)).await;
    let second = json!({ "plugins": { "key-auth": { "key": "second-key" } } });
    etcd.put("consumers/anne/credentials/second", &second).await;
    let seen = passes(envoy, "/key", &[("apikey", "second-key")]).await;
    assert_eq!(seen["headers"]["x-consumer-username"], "anne");
    let seen = passes(envoy, "/key?apikey=anne-key", &[]).await;
    assert_eq!(seen["headers"]["x-consumer-username"], "anne");
    let missing = r#"{"message":"Missing API key in request"}"#;
    is_told(envoy, "/key", &[], 401, missing).await;
    let invalid = r#"{"message":"Invalid API key in request"}"#;
    is_told(envoy, "/key", &[("apikey", "other")], 401, invalid).await;
    // Its own header, and nobody else's.
    is_told(envoy, "/hidden", &[("apikey", "anne-key")], 401, missing).await;
    let seen = passes(envoy, "/hidden?k=anne-key&a=b", &[]).await;
    assert_eq!(seen["path"], "/hidden?a=b");
    let seen = passes(envoy, "/hidden", &[("x-key", "anne-key")]).await;
    assert!(seen["headers"].get("x-key").is_none(), "{seen}");

    let good = basic("anne.b", "anne-password");
    let seen = passes(envoy, "/basic", &[("authorization", &good)]).await;
    assert_eq!(seen["headers"]["x-consumer-username"], "anne");
    assert_eq!(seen["headers"]["authorization"], good);
    let seen = passes(envoy, "/basic-hidden", &[("authorization", &good)]).await;
    assert!(seen["headers"].get("authorization").is_none(), "{seen}");
    let missing = r#"{"message":"Missing authorization in request"}"#;
    is_told(envoy, "/basic", &[], 401, missing).await;
    let invalid = r#"{"message":"Invalid user authorization"}"#;
    for bad in [basic("anne.b", "other"), basic("anne", "anne-password")] {
        is_told(envoy, "/basic", &[("authorization", &bad)], 401, invalid).await;
    }
    let [key, name] = [("apikey", "anne-key"), ("authorization", &*good)];
    passes(envoy, "/both", &[key, name]).await;
    for one in [key, name] {
        assert_eq!(
            send(envoy, "/both", &[one]).await.status,
            401,
            "{one:?} alone"
        );
    }

    // What a client says of itself is taken off everywhere.
    for path in ["/open", "/key?apikey=anne-key"] {
        let forged = [
            ("x-consumer-username", "root"),
            ("x-credential-identifier", "root"),
            ("x-chancery-consumer-group", "root"),
        ];
        let seen = passes(envoy, path, &forged).await;
        assert!(!seen.to_string().contains("root"), "{seen}");
    }
    let forged = [("x-chancery-basic", "anne.b")];
    is_told(envoy, "/basic", &forged, 401, missing).await;
}

#[tokio::test]
async fn nobody_is_shown_a_credential() {
    let stage = stage_with(Protocol::Delta, &[("key", json!({ "key-auth": {} }))]).await;
    let (etcd, envoy, chancery) = (&stage.etcd, &stage.envoy, &stage.chancery);
    let secrets = |of: &str| {
        json!({
            "key-auth": { "key": format!("{of}-s3cret-key") },
            "basic-auth": { "username": of, "password": format!("{of}-s3cret-password") },
            "jwt-auth": { "key": of, "secret": format!("{of}-s3cret-signer") },
        })
    };
    etcd.put("consumers/anne", &consumer("anne", secrets("anne")))
        .await;
    passes(envoy, "/key", &[("apikey", "anne-s3cret-key")]).await;
    // One that is refused, and one that has what another has.
    let mut wrong = consumer("bert", secrets("bert"));
    wrong["plugins"]["key-auth"]["key"] = json!(["bert-s3cret-key"]);
    etcd.put("consumers/bert", &wrong).await;
    etcd.put("consumers/carl", &consumer("carl", secrets("anne")))
        .await;
    chancery.logs(0, "document rejected").await;
    let mut shown = String::new();
    for path in [
        "v1/documents",
        "v1/events?follow=false",
        "v1/nodes",
        "metrics",
    ] {
        shown += &chancery
            .admin(path)
            .await
            .map_or(String::new(), |answer| answer.body);
    }
    for arguments in [
        &["snapshot", "default"][..],
        &["documents"],
        &["problems"],
        &["nodes"],
    ] {
        let said = chancery.ask(arguments).await;
        shown += &String::from_utf8_lossy(&said.stdout);
        shown += &String::from_utf8_lossy(&said.stderr);
    }
    shown += &chancery.process.output();
    assert!(shown.contains("chancery.key_auth"), "{shown}");
    assert!(
        shown.contains("is that of `consumers/anne` as well"),
        "{shown}"
    );
    let hidden = [
        "s3cret".to_owned(),
        STANDARD.encode("anne-s3cret-signer"),
        URL_SAFE_NO_PAD.encode("anne-s3cret-signer"),
    ];
    for secret in hidden {
        assert!(!shown.contains(&secret), "{secret} is shown: {shown}");
    }
}
