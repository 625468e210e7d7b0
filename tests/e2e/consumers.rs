//! Who may send requests: consumers come, change and go, and nobody passes for another.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::ensure;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use reqwest::Method;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde_json::{Value, json};

use crate::support::consul::Memory;
use crate::support::envoy::{Envoy, Protocol};
use crate::support::eventually;
use crate::support::http::Answer;
use crate::support::load::Load;
use crate::support::stage::{Stage, route_to};

/// A stage whose `/PATH` is a route with these plugins.
async fn stage_with(protocol: Protocol, routes: &[(&str, Value)]) -> Stage {
    let stage = Stage::set_with(protocol, Memory::Forgets).await;
    // Answers for as long as the test runs.
    let instance = Box::leak(Box::new(stage.instance("shop").await));
    for (name, plugins) in routes {
        let mut route = route_to(&format!("/{name}"), &[instance]);
        route["plugins"] = plugins.clone();
        stage.etcd.put(&format!("routes/{name}"), &route).await;
    }
    stage
}

fn consumer(name: &str, plugins: Value) -> Value {
    json!({ "username": name, "plugins": plugins })
}

async fn send(envoy: &Envoy, path: &str, headers: &[(&str, &str)]) -> Answer {
    let answer = envoy.send(Method::GET, path, headers).await;
    answer.expect("an answer")
}

/// Waits until a request passes, and tells what the instance saw.
async fn passes(envoy: &Envoy, path: &str, headers: &[(&str, &str)]) -> Value {
    eventually(async || {
        let answer = envoy.send(Method::GET, path, headers).await?;
        ensure!(answer.status == 200, "{path}: {answer:?}");
        answer.seen()
    })
    .await
}

async fn is_told(envoy: &Envoy, path: &str, headers: &[(&str, &str)], status: u16, said: &str) {
    let answer = send(envoy, path, headers).await;
    assert_eq!(
        (answer.status, &*answer.body),
        (status, said),
        "{path} {headers:?}"
    );
}

fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs()
}

/// What is signed of a token.
fn unsigned(algorithm: &str, claims: &str) -> String {
    let head = json!({ "alg": algorithm, "typ": "JWT" }).to_string();
    let [head, claims] = [&*head, claims].map(|part| URL_SAFE_NO_PAD.encode(part));
    format!("{head}.{claims}")
}

fn token(secret: &str, claims: &str) -> String {
    let unsigned = unsigned("HS256", claims);
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key, unsigned.as_bytes()));
    format!("{unsigned}.{signature}")
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
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

#[tokio::test]
async fn routes_are_for_some_consumers() {
    let only = |restriction: Value| json!({ "key-auth": {}, "consumer-restriction": restriction });
    let stage = stage_with(
        Protocol::Delta,
        &[
            ("white", only(json!({ "whitelist": ["anne"] }))),
            (
                "black",
                only(json!({ "blacklist": ["anne"], "rejected_code": 404, "rejected_msg": "no" })),
            ),
            (
                "group",
                only(json!({ "type": "consumer_group_id", "whitelist": ["partners"] })),
            ),
            (
                "gets",
                only(json!({ "allowed_by_methods": [{ "user": "bert", "methods": ["POST"] }] })),
            ),
            (
                "nobody",
                json!({ "consumer-restriction": { "blacklist": ["anne"] } }),
            ),
        ],
    )
    .await;
    let (etcd, envoy) = (&stage.etcd, &stage.envoy);
    etcd.put("consumer_groups/partners", &json!({ "plugins": {} }))
        .await;
    let mut anne = consumer("anne", json!({ "key-auth": { "key": "anne-key" } }));
    anne["group_id"] = json!("partners");
    etcd.put("consumers/anne", &anne).await;
    let bert = consumer("bert", json!({ "key-auth": { "key": "bert-key" } }));
    etcd.put("consumers/bert", &bert).await;
    let (anne, bert) = (&[("apikey", "anne-key")][..], &[("apikey", "bert-key")][..]);

    passes(envoy, "/white", anne).await;
    let forbidden = r#"{"message":"The consumer_name is forbidden."}"#;
    eventually(async || {
        let answer = envoy.send(Method::GET, "/white", bert).await?;
        ensure!(
            (answer.status, &*answer.body) == (403, forbidden),
            "{answer:?}"
        );
        Ok(())
    })
    .await;
    passes(envoy, "/black", bert).await;
    is_told(envoy, "/black", anne, 404, r#"{"message":"no"}"#).await;
    passes(envoy, "/gets", anne).await;
    is_told(envoy, "/gets", bert, 403, forbidden).await;
    is_told(envoy, "/nobody", anne, 403, forbidden).await;
    let mut forged = bert.to_vec();
    forged.push(("x-consumer-username", "anne"));
    is_told(envoy, "/white", &forged, 403, forbidden).await;

    passes(envoy, "/group", anne).await;
    let forbidden = r#"{"message":"The consumer_group_id is forbidden."}"#;
    is_told(envoy, "/group", bert, 403, forbidden).await;
    let tables = envoy.configured().await;
    let mut joined = consumer("bert", json!({ "key-auth": { "key": "bert-key" } }));
    joined["group_id"] = json!("partners");
    etcd.put("consumers/bert", &joined).await;
    passes(envoy, "/group", bert).await;
    assert_eq!(
        envoy.configured().await,
        tables,
        "a changed group is no matter of routes"
    );
}

#[tokio::test]
async fn consumers_come_and_go_under_load_over_delta() {
    consumers_come_and_go_under_load(Protocol::Delta).await;
}

#[tokio::test]
async fn consumers_come_and_go_under_load_over_sotw() {
    consumers_come_and_go_under_load(Protocol::Sotw).await;
}

async fn consumers_come_and_go_under_load(protocol: Protocol) {
    let all = json!({ "key-auth": {}, "jwt-auth": { "header": "x-token" } });
    let stage = stage_with(
        protocol,
        &[
            ("open", json!({})),
            ("key", json!({ "key-auth": {} })),
            ("all", all),
        ],
    )
    .await;
    let (etcd, envoy) = (&stage.etcd, &stage.envoy);
    let of = |name: &str, key: &str| {
        let jwt = json!({ "key": name, "secret": format!("{key}-secret") });
        let basic = json!({ "username": name, "password": format!("{key}-password") });
        let key = json!({ "key": key });
        consumer(
            name,
            json!({ "key-auth": key, "jwt-auth": jwt, "basic-auth": basic }),
        )
    };
    etcd.put("consumers/anne", &of("anne", "anne-key")).await;
    passes(envoy, "/key?apikey=anne-key", &[]).await;
    let before = envoy.configured().await;
    let snapshots = stage.chancery.published().len();

    let open = Load::on(&envoy.url("/open"), 200);
    let with_key = Load::on(&envoy.url("/key?apikey=anne-key"), 200);
    for round in 0..10 {
        let [first, second] = [format!("{round}-a"), format!("{round}-b")];
        etcd.put("consumers/bert", &of("bert", &first)).await;
        passes(envoy, &format!("/key?apikey={first}"), &[]).await;
        etcd.put("consumers/bert", &of("bert", &second)).await;
        passes(envoy, &format!("/key?apikey={second}"), &[]).await;
        envoy
            .answers_with(&format!("/key?apikey={first}"), 401)
            .await;
        let token = token(&format!("{second}-secret"), r#"{"key":"bert"}"#);
        passes(
            envoy,
            &format!("/all?apikey={second}"),
            &[("x-token", &token)],
        )
        .await;
        etcd.delete("consumers/bert").await;
        envoy
            .answers_with(&format!("/key?apikey={second}"), 401)
            .await;
    }
    open.stop().await.assert_flawless();
    with_key.stop().await.assert_flawless();
    assert_eq!(
        envoy.configured().await,
        before,
        "listeners, clusters or routes were touched"
    );
    let published = stage.chancery.published();
    assert!(published.len() > snapshots);
    for line in &published[snapshots..] {
        assert!(line.field("extensions").starts_with('~'), "{line:?}");
        assert_eq!(
            line.field("listeners") + &line.field("routes"),
            "",
            "{line:?}"
        );
    }
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
