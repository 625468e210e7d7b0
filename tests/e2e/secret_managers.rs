//! Documents that refer to what a secret manager has: served with its answers, which are shown nowhere, and nothing is lost while
//! it is away. The manager is a real OpenBao.

use std::fs;
use std::time::Duration;

use anyhow::ensure;
use serde_json::{Value, json};

use crate::consumers::{consumer, is_told, passes};
use crate::support::admin::Admin;
use crate::support::certificates::Authority;
use crate::support::chancery::Chancery;
use crate::support::eventually;
use crate::support::instance::Instance;
use crate::support::load::Load;
use crate::support::openbao::OpenBao;
use crate::support::secure::Secure;
use crate::support::stage::{Stage, route_to};
use crate::tls::shows;

/// What is planted. No other text has it.
const PLANTED: &str = "pl4nted";
/// What the managers are shown.
const TOKEN: &str = "t0ken-in-a-variable";
const WRITTEN: &str = "t0ken-in-a-document";
const UNKNOWN: &str = r#"{"message":"Invalid API key in request"}"#;

/// A Chancery that has [`TOKEN`] in a variable, and keeps its state.
async fn started(stage: &mut Stage) {
    let state = stage.folder().join("state").display().to_string();
    stage.chancery = Chancery::serve_etcd_within(
        &format!("VAULT_TOKEN={TOKEN}"),
        stage.address,
        &stage.etcd.url(),
        &["--secrets-env", "VAULT_TOKEN", "--state", &state],
        stage.folder(),
    );
}

/// Jack's key is in the manager, and `/key` is for who shows it.
async fn set() -> (Stage, OpenBao, Admin, Instance) {
    let mut stage = Stage::set().await;
    let bao = OpenBao::start(stage.address, stage.folder()).await;
    bao.allow(TOKEN).await;
    bao.write("kv/shop/jack", &json!({ "key": format!("{PLANTED}-jack") }))
        .await;
    stage.chancery.process.stop().await;
    started(&mut stage).await;
    stage.chancery.ready().await;
    let admin = Admin::new(&stage.chancery.url());
    let manager = json!({ "uri": bao.url(), "prefix": "kv/shop", "token": "$env://VAULT_TOKEN" });
    let shop = stage.instance("shop").await;
    let mut by_key = route_to("/key", &[&shop]);
    by_key["plugins"] = json!({ "key-auth": {} });
    let jack = consumer(
        "jack",
        json!({ "key-auth": { "key": "$secret://vault/1/jack/key" } }),
    );
    for (path, document) in [
        ("/secrets/vault/1", &manager),
        ("/consumers", &jack),
        ("/routes/key", &by_key),
    ] {
        let put = admin.put(&format!("{path}?wait=60s"), document).await;
        assert_eq!(put.status, 201, "{path}: {put:?}");
    }
    let key = format!("{PLANTED}-jack");
    passes(&stage.envoy, "/key", &[("apikey", &key)]).await;
    (stage, bao, admin, shop)
}

/// Requests of jack's, which must all be answered.
fn load(stage: &Stage) -> Load {
    Load::on(&stage.envoy.url(&format!("/key?apikey={PLANTED}-jack")), 50)
}

/// What is wrong with a document, once it is of a kind.
async fn problem(stage: &Stage, document: &str, kind: &str) -> String {
    eventually(async || {
        let answer = stage.chancery.admin("v1/problems").await?;
        let answer: Value = serde_json::from_str(&answer.body)?;
        let problems = answer["problems"].as_array().cloned().unwrap_or_default();
        let found = problems
            .iter()
            .find(|one| one["document"] == document && one["kind"] == kind);
        ensure!(found.is_some(), "{document} is not {kind}: {answer}");
        Ok(found.unwrap()["reason"].as_str().unwrap().to_owned())
    })
    .await
}

/// Waits until nothing is wrong.
async fn no_problem(stage: &Stage) {
    eventually(async || {
        let answer = stage.chancery.admin("v1/problems").await?.body;
        ensure!(!answer.contains("document"), "{answer}");
        Ok(())
    })
    .await;
}

/// How the managers fare, as `/v1/status` tells.
async fn fares(stage: &Stage, of: impl Fn(&str) -> bool) {
    eventually(async || {
        let answer = stage.chancery.admin("v1/status").await?.body;
        let status: Value = serde_json::from_str(&answer)?;
        let sources = status["sources"].as_array().unwrap();
        let vault = sources.iter().find(|one| one["name"] == "vault");
        let error = vault.map(|one| one["error"].as_str().unwrap_or_default());
        ensure!(error.is_some_and(&of), "{answer}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn secrets_come_from_a_manager_and_are_shown_nowhere() {
    let (mut stage, bao, admin, _shop) = set().await;
    let authority = Authority::new();
    let own = authority.identity(&["a.example.com"]);
    // The engine there is of version 2.
    let fields =
        json!({ "cert": own.cert, "private": own.key, "header": format!("{PLANTED}-header") });
    bao.write("secret/data/deep/tls", &json!({ "data": fields }))
        .await;
    bao.allow(WRITTEN).await;
    let address = stage.address;
    let http = json!({ "name": "http", "address": address, "port": 9080 });
    let https = json!({ "name": "https", "address": address, "port": 9443, "protocol": "https" });
    let gateway = json!({ "listeners": [http, https] });
    let versioned = json!({ "uri": bao.url(), "prefix": "secret/data", "token": WRITTEN });
    let of = |field: &str| format!("$secret://vault/versioned/deep/tls/{field}");
    let ssl = json!({ "snis": ["a.example.com"], "cert": of("cert"), "key": of("private") });
    let shop = stage.instance("other").await;
    let mut told = route_to("/told", &[&shop]);
    told["plugins"] =
        json!({ "proxy-rewrite": { "headers": { "set": { "x-told": of("header") } } } });
    for (path, document, status) in [
        ("/gateways/default", &gateway, 200),
        ("/secrets/vault/versioned", &versioned, 201),
        ("/ssls/a", &ssl, 201),
        ("/routes/told", &told, 201),
    ] {
        let put = admin.put(&format!("{path}?wait=60s"), document).await;
        assert_eq!(put.status, status, "{path}: {put:?}");
    }
    let client = Secure::trusting(&authority, None);
    shows(&stage, &client, "a.example.com", &own).await;
    let seen = passes(&stage.envoy, "/told", &[]).await;
    assert_eq!(
        seen["headers"]["x-told"],
        format!("{PLANTED}-header"),
        "{seen}"
    );
    let reference = [("apikey", "$secret://vault/1/jack/key")];
    is_told(&stage.envoy, "/key", &reference, 401, UNKNOWN).await;

    // What is used is not deleted, and nobody refers to what is not there.
    let refused = admin.delete("/secrets/vault/1").await;
    assert_eq!(
        refused.error(),
        "can not delete this secret, consumer [jack] is still using it now"
    );
    let jill = consumer(
        "jill",
        json!({ "key-auth": { "key": "$secret://vault/2/jill/key" } }),
    );
    let refused = admin.put("/consumers", &jill).await;
    assert!(
        refused.error().contains("secret id [vault/2]"),
        "{refused:?}"
    );
    let refused = admin.put("/secrets/aws/1", &versioned).await;
    assert_eq!(refused.status, 400, "{refused:?}");
    assert!(
        refused
            .error()
            .contains("the secret manager `aws`, allowed: `vault`"),
        "{refused:?}"
    );
    let listed = admin.get("/secrets").await;
    assert_eq!(listed.body["total"], 2, "{listed:?}");
    assert_eq!(
        listed.body["list"][0]["value"]["id"], "vault/1",
        "{listed:?}"
    );

    // Another value is one small change.
    let published = stage.chancery.published().len();
    bao.write(
        "kv/shop/jack",
        &json!({ "key": format!("{PLANTED}-rotated") }),
    )
    .await;
    let key = format!("{PLANTED}-rotated");
    passes(&stage.envoy, "/key", &[("apikey", &key)]).await;
    let former = format!("{PLANTED}-jack");
    is_told(&stage.envoy, "/key", &[("apikey", &former)], 401, UNKNOWN).await;
    let changes = stage.chancery.published();
    assert_eq!(changes.len(), published + 1, "{:?}", changes.len());
    assert_eq!(changes[published].field("extensions"), "~1");

    let mut shown = stage.chancery.process.output();
    for path in [
        "v1/snapshots/default",
        "v1/documents",
        "v1/problems?resources=true",
        "v1/history",
        "v1/status",
        "readyz",
        "metrics",
        "apisix/admin/routes/told",
        "apisix/admin/consumers",
        "apisix/admin/ssls",
        "apisix/admin/secrets?masked=true",
        "apisix/admin/secrets/vault/versioned?masked=true",
    ] {
        let answer = stage.chancery.admin(path).await.unwrap();
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        shown += &answer.body;
    }
    for arguments in [&["snapshot", "default", "-o", "json"][..], &["problems"]] {
        let output = stage.chancery.ask(arguments).await;
        shown += &String::from_utf8(output.stdout).unwrap();
    }
    let private = own.key.lines().nth(1).unwrap();
    for secret in [PLANTED, private, TOKEN, WRITTEN] {
        assert!(!shown.contains(secret), "shown: {secret}");
    }
    assert!(shown.contains("[redacted]") && shown.contains("source_up{source=\"vault\"} 1"));
    stage.chancery.process.stop().await;
    let state = fs::read_dir(stage.folder().join("state")).unwrap();
    let state = state.map(|file| fs::read(file.unwrap().path()).unwrap());
    let saved: String = state
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .collect();
    assert!(saved.contains("$secret://vault/1/jack/key"));
    for secret in [PLANTED, private, TOKEN] {
        assert!(!saved.contains(secret), "saved: {secret}");
    }
}

#[tokio::test]
async fn a_manager_that_is_away_denies_or_forgets_takes_nothing_away() {
    let (stage, bao, admin, _shop) = set().await;
    let load = load(&stage);
    bao.write("kv/shop/jill", &json!({ "key": format!("{PLANTED}-jill") }))
        .await;
    bao.process.pause();
    // What nobody has answered yet waits, and is not confirmed; all else goes on.
    let jill = consumer(
        "jill",
        json!({ "key-auth": { "key": "$secret://vault/1/jill/key" } }),
    );
    let put = admin.put("/consumers?wait=2s", &jill).await;
    assert_eq!(put.status, 202, "{put:?}");
    let reason = problem(&stage, "consumers/jill", "waiting").await;
    assert_eq!(
        reason,
        "plugins.key-auth.key: refers to `key` of `jill` in `secrets/vault/1`, which has not been answered yet"
    );
    let other = stage.instance("other").await;
    let put = admin
        .put("/routes/other?wait=60s", &route_to("/other", &[&other]))
        .await;
    assert_eq!(put.status, 201, "{put:?}");
    stage.envoy.answers_by("/other", "other").await;
    fares(&stage, |error| {
        error.starts_with("`secrets/vault/1`: does not answer: ")
    })
    .await;
    bao.process.resume();
    let key = format!("{PLANTED}-jill");
    passes(&stage.envoy, "/key", &[("apikey", &key)]).await;
    no_problem(&stage).await;
    fares(&stage, str::is_empty).await;

    // A manager that does not let Chancery in any more.
    bao.revoke(TOKEN).await;
    let reason = problem(&stage, "consumers/jack", "rejected").await;
    assert!(
        reason.contains("which the manager denies (403): give `token`"),
        "{reason}"
    );
    passes(&stage.envoy, "/key", &[("apikey", &key)]).await;
    bao.allow(TOKEN).await;
    no_problem(&stage).await;

    // What is gone for ever stays as well, until somebody writes the document otherwise.
    bao.delete("kv/shop/jack").await;
    let reason = problem(&stage, "consumers/jack", "rejected").await;
    assert!(
        reason.contains("which the manager does not have (404)"),
        "{reason}"
    );
    bao.write("kv/shop/jack", &json!({ "other": "a" })).await;
    eventually(async || {
        let reason = problem(&stage, "consumers/jack", "rejected").await;
        ensure!(reason.contains("which has no such field"), "{reason}");
        Ok(())
    })
    .await;
    load.stop().await.assert_flawless();
}

#[tokio::test]
async fn a_start_without_the_manager_takes_nothing_from_proxies() {
    let (mut stage, bao, _, _shop) = set().await;
    let published = stage.chancery.published().len();
    let load = load(&stage);
    bao.process.pause();
    stage.chancery.process.stop().await;
    started(&mut stage).await;
    stage.chancery.logs(0, "documents wait for an answer: nothing is published before it comes, or is not asked for any more").await;
    // Longer than saved documents are waited for.
    tokio::time::sleep(Duration::from_secs(4)).await;
    let answer = stage.chancery.admin("readyz").await.unwrap();
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert_eq!(stage.chancery.published().len(), published);
    let key = format!("{PLANTED}-jack");
    passes(&stage.envoy, "/key", &[("apikey", &key)]).await;
    bao.process.resume();
    stage.chancery.ready().await;
    no_problem(&stage).await;
    passes(&stage.envoy, "/key", &[("apikey", &key)]).await;
    load.stop().await.assert_flawless();
}

#[test]
fn documents_of_apisixs_documentation_are_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, document: &Value| {
        let file = folder.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, document.to_string()).unwrap();
        file.display().to_string()
    };
    let manager =
        json!({ "uri": "https://vault.example.com:8200", "prefix": "kv/apisix", "token": "root" });
    let one = write("secrets/vault/1.json", &manager);
    let jack = consumer(
        "jack",
        json!({ "key-auth": { "key": "$secret://vault/1/jack/auth-key" } }),
    );
    write("consumers/jack.json", &jack);
    let all = folder.path().display().to_string();
    let validate = |file: &str| {
        let output = Chancery::run(&["validate", "-f", file]);
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code(), said)
    };
    assert_eq!(validate(&one).0, Some(0));
    // Nobody is asked there: that is said.
    let (code, said) = validate(&all);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("consumers/jack  warned") && said.contains("has not been answered yet"),
        "{said}"
    );
    assert!(said.contains("secrets/vault/1  accepted"), "{said}");
    let aws = write("secrets/aws/1.json", &manager);
    let (code, said) = validate(&aws);
    assert!(
        code == Some(1) && said.contains("found the secret manager `aws`"),
        "{said}"
    );
}
