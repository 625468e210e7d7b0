//! A store whose secrets are encrypted as APISIX does it: served, written, compared and checked as if it were in the clear.

use std::fs;
use std::path::Path;

use anyhow::ensure;
use chancery::model::Keyring;
use serde_json::{Value, json};

use super::callers::keys;
use super::history::post;
use super::{Desk, nodes};
use crate::consumers::{consumer, is_told, passes};
use crate::support::admin::Admin;
use crate::support::certificates::Authority;
use crate::support::chancery::Chancery;
use crate::support::stage::{Stage, route_to};
use crate::support::{eventually, own_address};

/// The keys of APISIX's own ring: the first seals, and the second sealed what is older.
const NEW: &str = "qeddd145sfvddff3";
const OLD: &str = "edd1c9f0985e76a2";
/// `auth-one`, as APISIX stores it with [`OLD`]: `openssl enc -aes-128-cbc -K HEX -iv HEX -a -A`.
const STORED: &str = "RjeV6km+KxQJN2rfu8Y7aA==";
/// What is planted. No other text has it.
const PLANTED: &str = "pl4nted";

fn ring(key: &str) -> Keyring {
    Keyring::new(&[key.to_owned()]).unwrap()
}

/// A settings file with the keyring, and with these lines too.
fn settings(folder: &Path, lines: &str) -> String {
    let file = folder.join("chancery.yaml");
    let ring = format!("data-encryption-keyring: [{NEW}, {OLD}]\n{lines}");
    fs::write(&file, ring).unwrap();
    file.display().to_string()
}

impl Desk {
    /// With a keyring.
    async fn encrypted() -> Self {
        let mut desk = Self::set().await;
        desk.chancery.process.stop().await;
        let config = settings(desk._folder.path(), "");
        desk.chancery = Chancery::serve_etcd_with(
            own_address(),
            &desk.etcd.url(),
            &["--config", &config],
            desk._folder.path(),
        );
        desk.chancery.ready().await;
        desk.admin = Admin::new(&desk.chancery.url());
        desk
    }

    /// A document as it lies in the store.
    async fn stored(&self, path: &str) -> Value {
        serde_json::from_str(&self.etcd.text(path).await).unwrap()
    }

    async fn told(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = self.chancery.ask(arguments).await;
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).unwrap())
    }
}

#[tokio::test]
async fn what_apisix_encrypted_is_served() {
    let mut stage = Stage::set().await;
    stage.chancery.process.stop().await;
    let config = settings(stage.folder(), "");
    stage.chancery = Chancery::serve_with(
        stage.address,
        &stage.etcd.url(),
        &stage.consul.url(),
        &["--config", &config],
        stage.folder(),
    );
    stage.chancery.ready().await;
    let shop = stage.instance("shop").await;
    let mut route = route_to("/orders", &[&shop]);
    route["plugins"] = json!({ "key-auth": {} });
    stage.etcd.put("routes/orders", &route).await;
    let jack = |key: &str| consumer("jack", json!({ "key-auth": { "key": key } }));
    stage.etcd.put("consumers/jack", &jack(STORED)).await;
    let envoy = &stage.envoy;
    passes(envoy, "/orders", &[("apikey", "auth-one")]).await;
    let unknown = r#"{"message":"Invalid API key in request"}"#;
    for other in [STORED, "auth-two"] {
        is_told(envoy, "/orders", &[("apikey", other)], 401, unknown).await;
    }
    // Written by Chancery, it is served as well.
    let admin = Admin::new(&stage.chancery.url());
    let written = admin.put("/consumers?wait=20s", &jack("auth-two")).await;
    assert_eq!(written.status, 200, "{written:?}");
    passes(envoy, "/orders", &[("apikey", "auth-two")]).await;
    is_told(envoy, "/orders", &[("apikey", "auth-one")], 401, unknown).await;
}

#[tokio::test]
async fn secrets_are_encrypted_where_they_are_stored_and_nowhere_else() {
    let desk = Desk::encrypted().await;
    let (admin, ring) = (&desk.admin, ring(NEW));
    let jack = consumer("jack", json!({ "key-auth": { "key": PLANTED } }));
    let created = admin.put("/consumers", &jack).await;
    assert_eq!(created.status, 201, "{created:?}");
    assert_eq!(created.body["value"]["plugins"], jack["plugins"]);
    let sealed = json!({ "key-auth": { "key": ring.seal(PLANTED) } });
    assert_eq!(desk.stored("consumers/jack").await["plugins"], sealed);
    // Whoever sends what lies there means what it says.
    let again = consumer("jack", sealed.clone());
    let again = admin.put("/consumers", &again).await;
    assert_eq!(again.body["value"]["plugins"], jack["plugins"]);
    assert_eq!(desk.stored("consumers/jack").await["plugins"], sealed);
    let read = admin.get("/consumers/jack").await;
    assert_eq!(read.body["value"]["plugins"], jack["plugins"]);
    let all = admin.get("/consumers").await;
    assert_eq!(all.body["list"][0]["value"]["plugins"], jack["plugins"]);

    // What is patched is encrypted once.
    let csrf =
        json!({ "uri": "/a", "upstream": nodes(), "plugins": { "csrf": { "key": PLANTED } } });
    let posted = admin.call("POST", "/routes", &csrf).await;
    assert_eq!(posted.body["value"]["plugins"], csrf["plugins"]);
    let id = posted.body["value"]["id"].as_str().unwrap();
    let path = format!("/routes/{id}");
    let key = async || desk.stored(&path[1..]).await["plugins"]["csrf"]["key"].clone();
    assert_eq!(key().await, ring.seal(PLANTED));
    let described = admin.call("PATCH", &path, &json!({ "desc": "d" })).await;
    assert_eq!(described.body["value"]["plugins"], csrf["plugins"]);
    assert_eq!(key().await, ring.seal(PLANTED));
    let part = format!("{path}/plugins/csrf/key");
    let patched = admin.call("PATCH", &part, &json!("other")).await;
    assert_eq!(patched.body["value"]["plugins"]["csrf"]["key"], "other");
    assert_eq!(key().await, ring.seal("other"));
    let path = format!("{part}?dry_run=true");
    let dry = admin.call("PATCH", &path, &json!("third")).await.body;
    assert_eq!(
        (
            &dry["before"]["plugins"]["csrf"]["key"],
            &dry["after"]["plugins"]["csrf"]["key"]
        ),
        (&json!("other"), &json!("third"))
    );

    // Private keys are answered to who sends them, and shown to nobody afterwards.
    let own = Authority::new().identity(&["a.example.com"]);
    let ssl = json!({ "snis": ["a.example.com"], "cert": own.cert, "key": own.key });
    let put = admin.put("/ssls/a", &ssl).await;
    assert_eq!(
        (put.status, &put.body["value"]["key"]),
        (201, &ssl["key"]),
        "{put:?}"
    );
    let key = async || desk.stored("ssls/a").await["key"].clone();
    assert_eq!(key().await, ring.seal(&own.key));
    let patch = json!({ "snis": ["b.example.com"] });
    let patched = admin.call("PATCH", "/ssls/a", &patch).await;
    assert_eq!(patched.status, 200);
    // Who has not sent it is not shown it.
    assert!(patched.body["value"].get("key").is_none(), "{patched:?}");
    assert_eq!(key().await, ring.seal(&own.key));
    let mut older = ssl.clone();
    older["key"] = json!(self::ring(OLD).seal(&own.key));
    assert_eq!(admin.put("/ssls/a", &older).await.status, 200);
    assert_eq!(key().await, ring.seal(&own.key));
    let read = admin.get("/ssls/a").await;
    assert!(read.body["value"].get("key").is_none(), "{read:?}");
    let one = admin.get("/ssls").await.body["list"][0]["value"].clone();
    assert!(one.get("key").is_none(), "{one}");

    // Two consumers with one key are told apart from one, encrypted or not.
    let twice = consumer("jill", json!({ "key-auth": { "key": PLANTED } }));
    let refused = admin.put("/consumers", &twice).await;
    assert!(
        refused.error().starts_with("duplicate key of plugin"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn files_are_compared_with_what_is_encrypted() {
    let desk = Desk::encrypted().await;
    let folder = tempfile::tempdir().unwrap();
    let own = Authority::new().identity(&["a.example.com"]);
    let all = json!({
        "consumers": [consumer("jack", json!({ "key-auth": { "key": "auth-one" } }))],
        "ssls": [{ "id": "a", "snis": ["a.example.com"], "cert": own.cert, "key": own.key }],
    });
    let file = folder.path().join("all.json");
    fs::write(&file, all.to_string()).unwrap();
    let file = file.display().to_string();
    // One of them is there as APISIX wrote it, with the older key.
    let jack = consumer("jack", json!({ "key-auth": { "key": STORED } }));
    let revision = desk.etcd.write("consumers/jack", &jack).await;
    let (code, said) = desk.told(&["diff", "-f", &file]).await;
    assert!(
        code == Some(2) && said.contains("1 to create") && said.contains("1 as they should be"),
        "{said}"
    );
    let (code, said) = desk.told(&["apply", "-f", &file, "--yes"]).await;
    assert_eq!(code, Some(0), "{said}");
    let sealed = ring(NEW).seal(&own.key);
    assert_eq!(desk.stored("ssls/a").await["key"], sealed);
    assert_eq!(desk.stored("consumers/jack").await, jack);
    for command in ["diff", "apply"] {
        let (code, said) = desk.told(&[command, "-f", &file]).await;
        assert!(
            code == Some(0) && said.contains("2 as they should be"),
            "{said}"
        );
    }
    // What is written out is in the clear, and changes nothing.
    let (_, exported) = desk.told(&["export", "-o", "json"]).await;
    assert!(exported.contains("auth-one") && exported.contains("BEGIN"));
    assert!(!exported.contains(STORED) && !exported.contains(&sealed));
    let out = folder.path().join("out.json");
    fs::write(&out, exported).unwrap();
    let (code, said) = desk
        .told(&["apply", "-f", &out.display().to_string()])
        .await;
    assert!(
        code == Some(0) && said.contains("2 as they should be"),
        "{said}"
    );
    let read = desk.admin.get("/consumers/jack").await;
    assert_eq!(read.body["modifiedIndex"], revision);
    // Validated without the server, with the same keys.
    let keyring = format!("{NEW},{OLD}");
    let url = desk.etcd.url();
    let etcd = ["validate", "--etcd", &url, "--etcd-prefix", "/chancery"];
    for (more, code) in [
        (&["--data-encryption-keyring", &keyring][..], 0),
        (&["--data-encryption-keyring", OLD][..], 1),
        (&[][..], 1),
    ] {
        let output = Chancery::run(&[&etcd[..], more].concat());
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8(said).unwrap();
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(!said.contains(&sealed) && !said.contains(STORED), "{said}");
    }
}

#[tokio::test]
async fn what_was_encrypted_comes_back_after_etcd_has_forgotten_it() {
    let desk = Desk::encrypted().await;
    let of = |key: &str| consumer("jack", json!({ "key-auth": { "key": key } }));
    desk.admin.put("/consumers", &of(PLANTED)).await;
    let other = desk.admin.put("/consumers", &of("other")).await;
    desk.etcd.compact().await;
    let back = json!({ "change": other.header("x-chancery-revision") });
    let (status, done) = post(&desk.chancery, "rollback", &back).await;
    assert_eq!(status, 200, "{done}");
    let read = desk.admin.get("/consumers/jack").await;
    assert_eq!(read.body["value"]["plugins"], of(PLANTED)["plugins"]);
    let sealed = of(&ring(NEW).seal(PLANTED));
    let stored = desk.stored("consumers/jack").await;
    assert_eq!(stored["plugins"], sealed["plugins"]);
}

#[tokio::test]
async fn no_secret_and_nothing_encrypted_is_in_any_output() {
    let desk = Desk::encrypted().await;
    let own = Authority::new().identity(&["a.example.com"]);
    let foreign = ring("0123456789abcdef0123456789abcdef");
    let text = |key: &str| consumer("jack", json!({ "key-auth": { "key": key } }));
    let ssl = |key: &str| json!({ "snis": ["a.example.com"], "cert": own.cert, "key": key });
    let mut route = super::route("/a");
    route["plugins"] = json!({ "csrf": { "key": PLANTED } });
    let made = desk.admin.put("/consumers", &text(PLANTED)).await;
    let first = made.header("x-chancery-revision").to_owned();
    let other = text(&format!("{PLANTED}-2"));
    assert_eq!(desk.admin.put("/consumers", &other).await.status, 200);
    assert_eq!(desk.admin.put("/routes/a", &route).await.status, 201);
    assert_eq!(desk.admin.put("/ssls/a", &ssl(&own.key)).await.status, 201);
    // What no key of the ring opens, what is wrong once it is opened, and what is refused.
    let spaced = ring(NEW).seal(&format!("{PLANTED} with spaces"));
    let wrong = |name: &str, key: &str| {
        let mut wrong = text(key);
        wrong["username"] = json!(name);
        wrong
    };
    let shut = foreign.seal(&own.key);
    desk.etcd.put("ssls/shut", &ssl(&shut)).await;
    desk.etcd
        .put("consumers/spaced", &wrong("spaced", &spaced))
        .await;
    let doubtful = foreign.seal(PLANTED);
    desk.etcd
        .put("consumers/doubtful", &wrong("doubtful", &doubtful))
        .await;
    let refused = desk.admin.put("/ssls/b", &ssl(&shut)).await;
    assert!(
        refused.status == 400 && refused.error().contains("data-encryption-keyring"),
        "{refused:?}"
    );
    let spaces = desk
        .admin
        .put("/consumers", &wrong("spaces", &spaced))
        .await;
    assert_eq!(spaces.status, 400, "{spaces:?}");
    let mut outputs = vec![
        ("refused".to_owned(), refused.body.to_string()),
        ("spaces".to_owned(), spaces.body.to_string()),
    ];
    eventually(async || {
        let documents = desk.chancery.admin("v1/documents").await?.body;
        for path in ["ssls/shut", "consumers/spaced", "consumers/doubtful"] {
            ensure!(documents.contains(path), "{documents}");
        }
        // These are told with the next publication.
        let problems = desk.chancery.admin("v1/problems").await?.body;
        ensure!(
            problems.contains("no key of `data-encryption-keyring` opens it"),
            "{problems}"
        );
        Ok(())
    })
    .await;
    for path in [
        "v1/documents",
        "v1/problems",
        "v1/snapshots/default",
        "v1/audit",
        "v1/history?forms=true",
        &format!("v1/diff?from={first}"),
        "v1/nodes",
        "metrics",
    ] {
        let answer = desk.chancery.admin(path).await.unwrap();
        outputs.push((path.to_owned(), answer.body));
    }
    // In the store itself nothing is in the clear; what is encrypted is.
    for text in desk.etcd.texts("").await {
        assert!(
            !text.contains(PLANTED) && !text.contains("PRIVATE"),
            "{text}"
        );
    }
    // A reader is shown neither.
    let folder = tempfile::tempdir().unwrap();
    let config = settings(folder.path(), &keys(&["read"]));
    let url = desk.etcd.url();
    let settings = ["--config", config.as_str()];
    let mut keyed = Chancery::serve_etcd_with(own_address(), &url, &settings, folder.path());
    keyed.ready().await;
    let reader = [("x-api-key", "read")];
    let of_reader = Admin::new(&keyed.url());
    for path in ["/consumers", "/consumers/jack", "/routes", "/ssls"] {
        let shown = of_reader.send("GET", path, &reader, "").await.unwrap();
        assert_eq!(shown.status, 200, "{shown:?}");
        outputs.push((path.to_owned(), shown.body.to_string()));
    }
    let texts = reqwest::Client::new()
        .get(format!("{}/v1/texts", keyed.url()))
        .header("x-api-key", "read");
    let texts = texts.send().await.unwrap().text().await.unwrap();
    assert!(texts.contains("consumers/jack"), "{texts}");
    outputs.push(("v1/texts".to_owned(), texts));
    outputs.push(("log".to_owned(), desk.chancery.process.output()));
    outputs.push(("log of the other".to_owned(), keyed.process.output()));
    let sealed = [PLANTED, &own.key].map(|text| ring(NEW).seal(text));
    let line = own.key.lines().nth(1).unwrap();
    let planted = [
        PLANTED, line, &sealed[0], &sealed[1], &shut, &spaced, &doubtful, NEW, OLD,
    ];
    for (name, output) in outputs {
        for (at, planted) in planted.iter().enumerate() {
            assert!(!output.contains(planted), "{at} is in {name}: {output}");
        }
    }
}
