//! Documents that name variables of Chancery's environment in place of secrets: served with what these hold, which is shown nowhere.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::consumers::{consumer, is_told, passes};
use crate::support::admin::Admin;
use crate::support::certificates::Authority;
use crate::support::chancery::Chancery;
use crate::support::eventually;
use crate::support::stage::{Stage, route_to};

/// What is planted. No other text has it.
const PLANTED: &str = "pl4nted";
const STATE: &str = "state-of-references";

/// Chancery with the secrets in a variable, and a state.
async fn started(stage: &mut Stage, secrets: &Value) {
    let state = stage.folder().join(STATE).display().to_string();
    stage.chancery = Chancery::serve_etcd_within(
        &format!("SHOP={secrets}"),
        stage.address,
        &stage.etcd.url(),
        &["--secrets-env", "SHOP,SHOP_*", "--state", &state],
        stage.folder(),
    );
    stage.chancery.ready().await;
}

/// All that Chancery has written to disk.
fn saved(folder: &Path) -> String {
    let files = fs::read_dir(folder.join(STATE)).unwrap();
    let texts = files.map(|file| fs::read(file.unwrap().path()).unwrap());
    texts
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .collect()
}

#[tokio::test]
async fn secrets_are_read_from_the_environment_and_shown_nowhere() {
    let mut stage = Stage::set().await;
    let own = Authority::new().identity(&["a.example.com"]);
    let secrets = json!({
        "key": format!("{PLANTED}-key"),
        "password": format!("{PLANTED}-password"),
        "header": format!("{PLANTED}-header"),
        "cert": own.cert, "private": own.key,
    });
    stage.chancery.process.stop().await;
    started(&mut stage, &secrets).await;
    let admin = Admin::new(&stage.chancery.url());
    let shop = stage.instance("shop").await;
    let route = |uri: &str, plugins: Value| {
        let mut route = route_to(uri, &[&shop]);
        route["plugins"] = plugins;
        route
    };
    let told = json!({ "headers": { "set": { "x-told": "$env://SHOP/header" } } });
    let by_key = route("/key", json!({ "key-auth": {}, "proxy-rewrite": told }));
    let by_name = route("/name", json!({ "basic-auth": {} }));
    let jack = consumer("jack", json!({ "key-auth": { "key": "$env://SHOP/key" } }));
    let password = json!({ "username": "jill", "password": "$ENV://SHOP/password" });
    let jill = consumer("jill", json!({ "basic-auth": password }));
    let ssl = json!({ "snis": ["a.example.com"], "cert": "$env://SHOP/cert", "key": "$env://SHOP/private" });
    for (path, document) in [
        ("/routes/key", &by_key),
        ("/routes/name", &by_name),
        ("/consumers", &jack),
        ("/consumers", &jill),
        ("/ssls/a", &ssl),
    ] {
        let put = admin.put(&format!("{path}?wait=20s"), document).await;
        assert_eq!(put.status, 201, "{path}: {put:?}");
    }
    let envoy = &stage.envoy;
    let key = format!("{PLANTED}-key");
    let seen = passes(envoy, "/key", &[("apikey", &key)]).await;
    assert_eq!(
        seen["headers"]["x-told"],
        format!("{PLANTED}-header"),
        "{seen}"
    );
    let unknown = r#"{"message":"Invalid API key in request"}"#;
    is_told(
        envoy,
        "/key",
        &[("apikey", "$env://SHOP/key")],
        401,
        unknown,
    )
    .await;
    // `jill:pl4nted-password`
    let basic = "Basic amlsbDpwbDRudGVkLXBhc3N3b3Jk";
    passes(envoy, "/name", &[("authorization", basic)]).await;

    // Of variables that are not listed nothing is learnt, and what was written stays.
    for (name, said) in [
        ("PATH", "which documents may not name"),
        ("CHANCERY_CONSUL_TOKEN", "which documents may not name"),
        ("SHOP_NONE", "which is not set where Chancery runs"),
        ("SHOP/none", "which has no such field"),
    ] {
        let other = consumer(
            "jack",
            json!({ "key-auth": { "key": format!("$env://{name}") } }),
        );
        let refused = admin.put("/consumers", &other).await;
        assert_eq!(refused.status, 400, "{refused:?}");
        let error = refused.error();
        assert!(
            error.contains("plugins.key-auth.key") && error.contains(said),
            "{error}"
        );
        stage.etcd.put("consumers/jack", &other).await;
        eventually(async || {
            let problems = stage.chancery.admin("v1/problems").await?.body;
            anyhow::ensure!(problems.contains(said), "{problems}");
            Ok(())
        })
        .await;
        passes(envoy, "/key", &[("apikey", &key)]).await;
    }
    let put = admin.put("/consumers?wait=20s", &jack).await;
    assert_eq!(put.status, 200, "{put:?}");

    // Nowhere is what the references stand for.
    let mut shown = stage.chancery.process.output();
    for path in [
        "v1/snapshots/default",
        "v1/documents",
        "v1/problems?resources=true",
        "v1/history",
        "metrics",
        "apisix/admin/routes/key",
        "apisix/admin/consumers",
        "apisix/admin/ssls",
    ] {
        let answer = stage.chancery.admin(path).await.unwrap();
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        shown += &answer.body;
    }
    shown += &stage.etcd.text("consumers/jack").await;
    for arguments in [&["export"][..], &["snapshot", "default", "-o", "json"]] {
        let output = stage.chancery.ask(arguments).await;
        shown += &String::from_utf8(output.stdout).unwrap();
    }
    assert!(shown.contains("$env://SHOP/key") && shown.contains("[redacted]"));
    stage.chancery.process.stop().await;
    let saved = saved(stage.folder());
    assert!(saved.contains("$env://SHOP/key"));
    let private = own.key.lines().nth(1).unwrap();
    for (place, text) in [("shown", &shown), ("saved", &saved)] {
        for secret in [PLANTED, private] {
            assert!(!text.contains(secret), "{place}: {secret}");
        }
    }

    // After a restart with another value, the same documents are about that.
    let mut others = secrets.clone();
    others["key"] = "another".into();
    started(&mut stage, &others).await;
    passes(&stage.envoy, "/key", &[("apikey", "another")]).await;
    is_told(&stage.envoy, "/key", &[("apikey", &key)], 401, unknown).await;
}

/// The commands of APISIX's documentation, as files.
#[test]
fn documents_of_apisixs_documentation_are_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("consumers/jack.json");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let jack = consumer("jack", json!({ "key-auth": { "key": "$env://HOME" } }));
    fs::write(&file, jack.to_string()).unwrap();
    let file = file.display().to_string();
    for (more, code) in [(&["--secrets-env", "HOME"][..], 0), (&[][..], 1)] {
        let output = Chancery::run(&[&["validate", "-f", &file], more].concat());
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(code == 0 || said.contains("the variable `HOME`"), "{said}");
    }
}
