//! Tokens, good and forged.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde_json::json;

use super::{consumer, is_told, passes, send, stage_with, token, unsigned};
use crate::support::envoy::Protocol;

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs()
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

#[tokio::test]
async fn a_token_is_good_for_its_own_consumer_only() {
    let hidden =
        json!({ "header": "x-token", "query": "t", "cookie": "t", "hide_credentials": true });
    let stage = stage_with(
        Protocol::Delta,
        &[
            ("jwt", json!({ "jwt-auth": {} })),
            ("sub", json!({ "jwt-auth": { "key_claim_name": "sub" } })),
            ("hidden", json!({ "jwt-auth": hidden })),
        ],
    )
    .await;
    let (etcd, envoy) = (&stage.etcd, &stage.envoy);
    let hs = |key: &str, secret: &str| json!({ "jwt-auth": { "key": key, "secret": secret } });
    let anne = consumer("anne", hs("key-of-anne", "secret-of-anne"));
    etcd.put("consumers/anne", &anne).await;
    let bert = consumer("bert", hs("key-of-bert", "secret-of-bert"));
    etcd.put("consumers/bert", &bert).await;

    let good = token("secret-of-anne", r#"{"key":"key-of-anne"}"#);
    let seen = passes(envoy, "/jwt", &[("authorization", &bearer(&good))]).await;
    assert_eq!(seen["headers"]["x-consumer-username"], "anne");
    let inside = seen["headers"].as_object().unwrap().keys();
    let inside: Vec<_> = inside
        .filter(|name| name.starts_with("x-chancery"))
        .collect();
    assert!(inside.is_empty(), "upstreams are shown {inside:?}");
    for (path, name, value) in [
        ("/jwt".to_owned(), "authorization", good.clone()),
        (format!("/jwt?a=b&jwt={good}"), "x-a", "b".to_owned()),
        ("/jwt".to_owned(), "cookie", format!("a=b; jwt={good}")),
    ] {
        passes(envoy, &path, &[(name, &value)]).await;
    }
    let timed = format!(
        r#"{{"x":{{"key":"other"}},"key":"key-of-bert","exp":{}}}"#,
        now() + 60
    );
    let timed = token("secret-of-bert", &timed);
    let seen = passes(envoy, "/jwt", &[("authorization", &bearer(&timed))]).await;
    assert_eq!(seen["headers"]["x-consumer-username"], "bert");
    let sub = token("secret-of-anne", r#"{"sub":"key-of-anne"}"#);
    passes(envoy, "/sub", &[("authorization", &bearer(&sub))]).await;

    let seen = passes(envoy, &format!("/hidden?a=b&t={good}&c=d"), &[]).await;
    assert_eq!(seen["path"], "/hidden?a=b&c=d");
    let seen = passes(
        envoy,
        "/hidden",
        &[("cookie", &format!("a=b; t={good}; c=d"))],
    )
    .await;
    assert_eq!(seen["headers"]["cookie"], "a=b; c=d");
    let seen = passes(envoy, "/hidden", &[("x-token", &good)]).await;
    assert!(!seen.to_string().contains(&good), "{seen}");

    let missing = r#"{"message":"Missing JWT token in request"}"#;
    is_told(envoy, "/jwt", &[], 401, missing).await;
    let expired = format!(r#"{{"key":"key-of-anne","exp":{}}}"#, now() - 30);
    let expired = token("secret-of-anne", &expired);
    let said = r#"{"message":"failed to verify jwt: it is expired"}"#;
    is_told(
        envoy,
        "/jwt",
        &[("authorization", &bearer(&expired))],
        401,
        said,
    )
    .await;

    // Signed by anne: as bert, as both, as somebody else, as nobody. And by nobody.
    let none = unsigned("none", r#"{"key":"key-of-anne"}"#);
    for forged in [
        token("secret-of-anne", r#"{"key":"key-of-bert"}"#),
        token(
            "secret-of-anne",
            r#"{"key":"key-of-anne","key":"key-of-bert"}"#,
        ),
        token(
            "secret-of-anne",
            r#"{"\u006bey":"key-of-bert","x":"\"key\":\"key-of-anne\""}"#,
        ),
        token(
            "secret-of-anne",
            r#"{"x":"}","y":{"key":"key-of-anne"},"key":"key-of-bert"}"#,
        ),
        token("secret-of-anne", r#"{"key":"key-of-anne key-of-bert"}"#),
        token("secret-of-anne", r#"{"key":"root"}"#),
        token("secret-of-anne", r#"{"key":1}"#),
        token("secret-of-anne", "{}"),
        format!("{none}."),
        format!("{none}.AAAA"),
        "a.b.c".to_owned(),
        "secret-of-anne".to_owned(),
    ] {
        let forged = [
            ("authorization", &*bearer(&forged)),
            ("x-chancery-unverified", "key-of-bert"),
            ("x-chancery-claim-key", "key-of-bert"),
        ]
        .map(|(name, value)| (name, value.to_owned()));
        let forged = forged
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        let answer = send(envoy, "/jwt", &forged).await;
        assert_eq!(answer.status, 401, "{forged:?}: {answer:?}");
    }
    // The header's token counts, and not another one beside it.
    let other = token("secret-of-anne", r#"{"key":"key-of-bert"}"#);
    let seen = passes(
        envoy,
        &format!("/jwt?jwt={other}"),
        &[("authorization", &good)],
    )
    .await;
    assert_eq!(seen["headers"]["x-consumer-username"], "anne");

    // A key pair: the public key is no shared secret.
    let pair = rcgen::KeyPair::generate().unwrap();
    let public = pair.public_key_pem();
    let jwt = json!({ "jwt-auth": { "key": "carl", "algorithm": "ES256", "public_key": public } });
    etcd.put("consumers/carl", &consumer("carl", jwt)).await;
    let unsigned = unsigned("ES256", r#"{"key":"carl"}"#);
    let random = SystemRandom::new();
    let kind = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let signer = EcdsaKeyPair::from_pkcs8(kind, pair.serialized_der(), &random).unwrap();
    let signature = signer.sign(&random, unsigned.as_bytes()).unwrap();
    let signed = format!("{unsigned}.{}", URL_SAFE_NO_PAD.encode(signature));
    let seen = passes(envoy, "/jwt", &[("authorization", &bearer(&signed))]).await;
    assert_eq!(seen["headers"]["x-consumer-username"], "carl");
    let shared = token(&public, r#"{"key":"carl"}"#);
    let answer = send(envoy, "/jwt", &[("authorization", &bearer(&shared))]).await;
    assert_eq!(answer.status, 401, "{answer:?}");
}
