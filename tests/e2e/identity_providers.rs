//! Documents of `openid-connect` that leave to the identity provider who it is and which keys verify its tokens: Chancery asks, and
//! nothing passes unverified meanwhile. The provider is a real OpenBao.

use anyhow::ensure;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};

use crate::consumers::{passes, send};
use crate::support::admin::Admin;
use crate::support::chancery::Chancery;
use crate::support::envoy::Envoy;
use crate::support::eventually;
use crate::support::instance::Instance;
use crate::support::issuer::Issuer;
use crate::support::load::Load;
use crate::support::openbao::OpenBao;
use crate::support::stage::{Stage, route_to};

/// The address of the discovery document.
fn discovery(bao: &OpenBao) -> String {
    format!(
        "{}/v1/identity/oidc/.well-known/openid-configuration",
        bao.url()
    )
}

/// A plugin that leaves all to the provider, with these fields beside.
fn asking(bao: &OpenBao, fields: Value) -> Value {
    let mut plugin = json!({
        "client_id": "me", "client_secret": "pl4nted", "discovery": discovery(bao), "bearer_only": true, "use_jwks": true,
    });
    let own = plugin.as_object_mut().unwrap();
    own.extend(fields.as_object().unwrap().clone());
    json!({ "openid-connect": plugin })
}

/// What a client says who has a token.
async fn bearer(bao: &OpenBao, role: &str) -> String {
    format!("Bearer {}", bao.token(role).await)
}

/// Waits until a request has a status.
async fn becomes(envoy: &Envoy, path: &str, bearer: &str, status: u16) {
    eventually(async || {
        let answer = envoy
            .send(Method::GET, path, &[("authorization", bearer)])
            .await?;
        ensure!(answer.status == status, "{path}: {answer:?}");
        Ok(())
    })
    .await;
}

/// A stage with a provider that has the keys `rsa` and `curve`, for roles of these names.
async fn set() -> (Stage, OpenBao) {
    let stage = Stage::set().await;
    let bao = OpenBao::start(stage.address, stage.folder()).await;
    bao.issue("rsa", "RS256", "me").await;
    bao.issue("curve", "ES384", "you").await;
    (stage, bao)
}

/// Tells the instance behind, which answers as long as it is held.
async fn verifies(stage: &Stage, envoy: &Envoy, bao: &OpenBao) -> Instance {
    let shop = stage.instance("shop").await;
    let admin = Admin::new(&stage.chancery.url());
    let audience = json!({ "audience": { "required": true, "match_with_client_id": true } });
    let other = json!({ "issuer": { "valid_issuers": ["http://another"] } });
    for (path, plugins) in [
        ("/open", asking(bao, json!({}))),
        ("/mine", asking(bao, json!({ "claim_validator": audience }))),
        ("/another", asking(bao, json!({ "claim_validator": other }))),
        (
            "/rsa",
            asking(bao, json!({ "token_signing_alg_values_expected": "RS256" })),
        ),
    ] {
        let mut route = route_to(path, &[&shop]);
        route["plugins"] = plugins;
        let put = admin.put(&format!("/routes{path}?wait=60s"), &route).await;
        assert_eq!(put.status, 201, "{put:?}");
    }
    let (rsa, curve) = (bearer(bao, "rsa").await, bearer(bao, "curve").await);
    let seen = passes(envoy, "/open", &[("authorization", &rsa)]).await;
    assert_eq!(seen["headers"]["x-access-token"], rsa[7..], "{seen}");
    passes(envoy, "/open", &[("authorization", &curve)]).await;
    // Signed by a key of the provider's, with the name of the other.
    let (head, rest) = rsa[7..].split_once('.').unwrap();
    let mixed = format!("Bearer {}.{rest}", curve[7..].split_once('.').unwrap().0);
    for (path, bearer, status) in [
        ("/mine", &*rsa, 200),
        ("/mine", &curve, 403),
        ("/another", &rsa, 401),
        ("/rsa", &rsa, 200),
        ("/rsa", &curve, 401),
        ("/open", &mixed, 401),
        (
            "/open",
            &format!("Bearer {head}.{}", rest.replacen('.', ".A", 1)),
            401,
        ),
        ("/open", "Bearer a.b.c", 401),
    ] {
        becomes(envoy, path, bearer, status).await;
    }
    let answer = send(envoy, "/open", &[]).await;
    assert_eq!(answer.status, 401, "{answer:?}");
    shop
}

#[tokio::test]
async fn the_keys_of_a_provider_verify_tokens_and_a_rotation_touches_no_listener() {
    let (stage, bao) = set().await;
    let envoy = &stage.envoy;
    let _shop = verifies(&stage, envoy, &bao).await;
    let rsa = bearer(&bao, "rsa").await;
    let listeners = envoy.stat("listener_manager.lds.update_success").await;
    let published = stage.chancery.published().len();
    let shows = stage.chancery.admin("v1/snapshots/default").await.unwrap();
    assert!(!shows.body.contains("pl4nted"));

    // Another key signs from now on, and a third one is told of ahead.
    bao.rotate("rsa").await;
    let next = bearer(&bao, "rsa").await;
    becomes(envoy, "/open", &next, 200).await;
    becomes(envoy, "/open", &rsa, 200).await;
    bao.rotate("rsa").await;
    let last = bearer(&bao, "rsa").await;
    becomes(envoy, "/open", &last, 200).await;
    for line in &stage.chancery.published()[published..] {
        assert!(
            line.field("listeners").is_empty() && !line.field("routes").is_empty(),
            "{line:?}"
        );
    }
    // A key that is gone verifies no longer, while the other does.
    bao.withdraw("rsa").await;
    becomes(envoy, "/open", &last, 401).await;
    becomes(envoy, "/open", &bearer(&bao, "curve").await, 200).await;
    assert_eq!(
        envoy.stat("listener_manager.lds.update_success").await,
        listeners
    );
}

#[tokio::test]
async fn an_older_envoy_verifies_by_the_keys_of_a_provider_alike() {
    let (mut stage, bao) = set().await;
    stage.envoy.process.stop().await;
    let (xds, listener) = (stage.chancery.xds(), stage.envoy.listener());
    let old = Envoy::start_release("1.36", xds, listener, stage.folder()).await;
    verifies(&stage, &old, &bao).await;
}

/// How the providers fare, as `/v1/status` tells.
async fn fares(stage: &Stage, of: impl Fn(&str) -> bool) {
    eventually(async || {
        let answer = stage.chancery.admin("v1/status").await?.body;
        let status: Value = serde_json::from_str(&answer)?;
        let sources = status["sources"].as_array().unwrap();
        let openid = sources.iter().find(|one| one["name"] == "openid");
        let error = openid.map(|one| one["error"].as_str().unwrap_or_default());
        ensure!(error.is_some_and(&of), "{answer}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn nothing_is_open_before_a_provider_has_answered_and_nothing_is_lost_while_it_is_away() {
    let (mut stage, bao) = set().await;
    let admin = Admin::new(&stage.chancery.url());
    let shop = stage.instance("shop").await;
    bao.process.pause();
    let mut route = route_to("/open", &[&shop]);
    route["plugins"] = asking(&bao, json!({}));
    let put = admin.put("/routes/open?wait=2s", &route).await;
    assert_eq!(put.status, 202, "{put:?}");
    let said = stage.chancery.admin("v1/problems").await.unwrap().body;
    assert!(
        said.contains("refers to the provider of") && said.contains("waiting"),
        "{said}"
    );
    assert_eq!(send(&stage.envoy, "/open", &[]).await.status, 404);
    fares(&stage, |error| {
        error.starts_with("`http://") && error.contains("`: does not answer: ")
    })
    .await;
    bao.process.resume();
    let rsa = bearer(&bao, "rsa").await;
    becomes(&stage.envoy, "/open", &rsa, 200).await;
    fares(&stage, str::is_empty).await;

    // A start without a saved state waits for it, as proxies have what waits.
    let load = Load::with(&stage.envoy.url("/open"), 20, &[("authorization", &rsa)]);
    let published = stage.chancery.published().len();
    bao.process.pause();
    stage.chancery.process.stop().await;
    stage.chancery = Chancery::serve_etcd(stage.address, &stage.etcd.url(), stage.folder());
    stage
        .chancery
        .logs(
            0,
            "documents wait for an answer: nothing is published before it comes",
        )
        .await;
    let answer = stage.chancery.admin("readyz").await.unwrap();
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert_eq!(stage.chancery.published().len(), published);
    bao.process.resume();
    stage.chancery.ready().await;

    // One with a state has what the provider said.
    stage.keep_state().await;
    bao.process.pause();
    stage.keep_state().await;
    becomes(&stage.envoy, "/open", &rsa, 200).await;
    assert_eq!(send(&stage.envoy, "/open", &[]).await.status, 401);
    let said = stage.chancery.admin("v1/problems").await.unwrap().body;
    assert!(!said.contains("routes/open"), "{said}");
    load.stop().await.assert_flawless();
    bao.process.resume();

    // A provider that is not where the document says.
    route["plugins"]["openid-connect"]["discovery"] = format!("{}/v1/nothing", bao.url()).into();
    stage.etcd.put("routes/open", &route).await;
    eventually(async || {
        let said = stage.chancery.admin("v1/problems").await?.body;
        ensure!(
            said.contains("is not there (403): see `discovery`")
                || said.contains("is not there (404): see `discovery`"),
            "{said}"
        );
        Ok(())
    })
    .await;
    becomes(&stage.envoy, "/open", &rsa, 200).await;
}

/// What a client of this name and secret shows.
fn basic(client: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{client}:{secret}")))
}

async fn is_asked(stage: &Stage, envoy: &Envoy) {
    let issuer = Issuer::start(stage.address, &basic("me%3A", "pl4nted%20one")).await;
    let shop = stage.instance("shop").await;
    let admin = Admin::new(&stage.chancery.url());
    let plugin = |secret: &str| {
        json!({ "openid-connect": {
            "client_id": "me:", "client_secret": secret, "discovery": "http://127.0.0.1:9/", "bearer_only": true,
            "introspection_endpoint": format!("http://{}/introspect", issuer.address), "required_scopes": ["write"],
            "claim_validator": { "audience": { "required": true } },
        } })
    };
    let mut route = route_to("/asked", &[&shop]);
    route["plugins"] = plugin("pl4nted one");
    let put = admin.put("/routes/asked?wait=60s", &route).await;
    assert_eq!(put.status, 201, "{put:?}");
    let good = [("authorization", "Bearer good+1/~")];
    let seen = passes(envoy, "/asked", &good).await;
    assert_eq!(seen["headers"]["x-access-token"], "good+1/~", "{seen}");
    let told = seen["headers"]["x-userinfo"].as_str().unwrap();
    let told: Value = serde_json::from_slice(&STANDARD.decode(told).unwrap()).unwrap();
    assert_eq!(told["sub"], "ann");
    assert_eq!(
        seen["headers"]["authorization"], "Bearer good+1/~",
        "{seen}"
    );
    for (token, status) in [
        ("narrow", 403),
        ("foreign", 200),
        ("text", 401),
        ("other", 401),
        ("failing", 401),
        ("nonsense", 401),
        ("a&token=good%2B1%2F~", 401),
    ] {
        let bearer = format!("Bearer {token}");
        let answer = send(envoy, "/asked", &[("authorization", &bearer)]).await;
        assert_eq!(answer.status, status, "{token}: {answer:?}");
    }
    assert_eq!(send(envoy, "/asked", &[]).await.status, 401);

    // Another secret is a secret, and no route or cluster.
    issuer.wants(&basic("me%3A", "pl4nted-2"));
    assert_eq!(send(envoy, "/asked", &good).await.status, 401);
    let published = stage.chancery.published().len();
    route["plugins"] = plugin("pl4nted-2");
    stage.etcd.put("routes/asked", &route).await;
    passes(envoy, "/asked", &good).await;
    // Each cohort has one.
    for change in &stage.chancery.published()[published..] {
        assert_eq!(change.field("secrets"), "~1", "{change:?}");
        for other in ["clusters", "routes", "listeners"] {
            assert!(change.field(other).is_empty(), "{change:?}");
        }
    }

    let mut shown = stage.chancery.process.output() + &envoy.dump().await.unwrap();
    for path in [
        "v1/snapshots/default",
        "v1/problems?resources=true",
        "metrics",
    ] {
        shown += &stage.chancery.admin(path).await.unwrap().body;
    }
    let secrets = [basic("me%3A", "pl4nted%20one"), basic("me%3A", "pl4nted-2")];
    for secret in secrets.iter().map(|basic| &basic[6..]).chain(["pl4nted"]) {
        assert!(!shown.contains(secret), "shown: {secret}");
    }
    issuer.stop().await;
    assert_eq!(send(envoy, "/asked", &good).await.status, 401);
}

#[tokio::test]
async fn a_provider_is_asked_about_tokens_and_its_secret_is_shown_nowhere() {
    let stage = Stage::set().await;
    is_asked(&stage, &stage.envoy).await;
}

#[tokio::test]
async fn an_older_envoy_asks_a_provider_about_tokens_alike() {
    let mut stage = Stage::set().await;
    stage.envoy.process.stop().await;
    let (xds, listener) = (stage.chancery.xds(), stage.envoy.listener());
    let old = Envoy::start_release("1.36", xds, listener, stage.folder()).await;
    is_asked(&stage, &old).await;
}
