//! The archive that tells of a running Chancery: what is in it, and what is never in it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::ensure;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flate2::read::GzDecoder;
use serde_json::{Value, json};

use super::{Desk, nodes};
use crate::secrets::{self, PLANTED, hash};
use crate::support::certificates::Authority;
use crate::support::chancery::Chancery;
use crate::support::etcd::Etcd;
use crate::support::{eventually, own_address};

/// The files of an archive, by their names within its folder.
fn unpacked(archive: &Path) -> BTreeMap<String, String> {
    let mut archive = tar::Archive::new(GzDecoder::new(File::open(archive).unwrap()));
    let files = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().display().to_string();
        let (folder, name) = path.split_once('/').unwrap();
        assert!(folder.starts_with("chancery-2"), "{path}");
        let (name, mut text) = (name.to_owned(), String::new());
        entry.read_to_string(&mut text).unwrap();
        (name, text)
    });
    files.collect()
}

/// Who may write is shown secrets by the API; none of them is in the archive.
#[tokio::test]
async fn an_archive_tells_of_everything_and_holds_no_secret() {
    let desk = Desk::set().await;
    let pair = Authority::new().identity(&["shop.example.com"]);
    let secrets = [
        "pl4nted-by-key",
        "pl4nted-as-password",
        "pl4nted-for-tokens-0123456789abcdef",
        "pl4nted-in-a-header",
    ];
    let [key, password, token, header] = secrets;
    let consumer = |name: &str, plugins: Value| json!({ "username": name, "plugins": plugins });
    let headers = json!({ "proxy-rewrite": { "headers": { "set": { "x-partner": header } } } });
    for (path, document) in [
        (
            "/consumers",
            consumer("jack", json!({ "key-auth": { "key": key } })),
        ),
        (
            "/consumers",
            consumer(
                "joe",
                json!({ "basic-auth": { "username": "joe", "password": password } }),
            ),
        ),
        (
            "/consumers",
            consumer(
                "jill",
                json!({ "jwt-auth": { "key": "jill", "secret": token } }),
            ),
        ),
        (
            "/ssls/shop",
            json!({ "snis": ["shop.example.com"], "cert": pair.cert, "key": pair.key }),
        ),
        (
            "/routes/cart",
            json!({ "uri": "/cart", "upstream": nodes(), "plugins": headers }),
        ),
    ] {
        let written = desk.admin.put(path, &document).await;
        assert_eq!(written.status, 201, "{written:?}");
    }
    eventually(async || {
        let snapshot = desk.chancery.admin("v1/snapshots/default").await?.body;
        for part in ["/cart", "shop", header] {
            ensure!(snapshot.contains(part), "no {part} in {snapshot}");
        }
        Ok(())
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("trouble.tar.gz");
    let path = archive.display().to_string();
    let output = desk.chancery.ask(&["collect", "-o", &path]).await;
    assert!(output.status.success(), "{output:?}");
    let mode = fs::metadata(&archive).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "nobody else may read it");

    let files = unpacked(&archive);
    let names: Vec<_> = files.keys().map(String::as_str).collect();
    let expected = [
        "README.txt",
        "audit.json",
        "documents.json",
        "documents/consumers/jack.json",
        "documents/consumers/jill.json",
        "documents/consumers/joe.json",
        "documents/routes/cart.json",
        "documents/ssls/shop.json",
        "drains.json",
        "expected.json",
        "history.json",
        "log.txt",
        "metrics.txt",
        "nodes.json",
        "problems.json",
        "ready.json",
        "services.json",
        "settings.txt",
        "snapshots.json",
        "snapshots/default.json",
        "version.json",
    ];
    assert_eq!(names, expected);
    for (name, part) in [
        ("README.txt", "snapshots/      what proxies are sent"),
        ("documents.json", "routes/cart"),
        ("documents/routes/cart.json", "x-partner"),
        ("documents/consumers/jill.json", "(a secret: not shown)"),
        ("documents/ssls/shop.json", "BEGIN CERTIFICATE"),
        ("expected.json", "\"expected\":0"),
        ("history.json", "consumers/jill"),
        ("log.txt", "snapshot published"),
        ("metrics.txt", "chancery_documents"),
        ("ready.json", "\"ready\":true"),
        ("settings.txt", "log-format: json  (flag)"),
        ("snapshots/default.json", "[redacted]"),
        (
            "version.json",
            concat!("Chancery/", env!("CARGO_PKG_VERSION")),
        ),
    ] {
        assert!(
            files[name].contains(part),
            "no {part} in {name}: {}",
            files[name]
        );
    }
    let inside = pair.key.lines().nth(1).unwrap();
    for (name, text) in &files {
        for secret in secrets.iter().chain([&inside, &"PRIVATE KEY"]) {
            assert!(!text.contains(secret), "{secret} in {name}: {text}");
            // Texts in bytes are shown so; the last letters depend on what follows.
            let encoded = BASE64_STANDARD.encode(secret);
            let encoded = &encoded[..encoded.len() - 4];
            assert!(!text.contains(encoded), "{secret} in {name}: {text}");
        }
    }

    let again = desk.chancery.ask(&["collect", "-o", &path]).await;
    let said = String::from_utf8(again.stderr).unwrap();
    assert_eq!(again.status.code(), Some(1), "{said}");
    assert!(said.contains("trouble.tar.gz is there already"), "{said}");
    assert_eq!(unpacked(&archive), files);
}

/// Settings of every source, documents that are wrong and right, and callers without a key: the archive tells of all of
/// them, and of no secret in them.
#[tokio::test]
async fn settings_and_log_are_told_without_their_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let address = own_address();
    let etcd = Etcd::start(address, folder.path()).await;
    let (admin, reader) = (format!("{PLANTED}-admin"), format!("{PLANTED}-read"));
    let key = |key: &str, role: &str| {
        format!(
            "{{ name: {role}, hash: 'sha256:{}', roles: [{role}] }}",
            hash(key)
        )
    };
    // Nobody is there under the last address: it is said in the log.
    let settings = format!(
        "api-keys: [{}, {}]\ndata-encryption-keyring: [{PLANTED}-01234567]\n\
         consul: ['http://{address}:8500']\nhistory-keep: 2d\n",
        key(&admin, "admin"),
        key(&reader, "read"),
    );
    let file = folder.path().join("chancery.yaml");
    fs::write(&file, settings).unwrap();
    let path = file.display().to_string();
    let otlp = format!("http://user:{PLANTED}@{address}:4317/{PLANTED}");
    let flags = ["--config", &path, "--otlp-traces", &otlp];
    let token = format!("CHANCERY_CONSUL_TOKEN={PLANTED}");
    for (name, document) in secrets::documents() {
        etcd.put(name, &document).await;
    }
    etcd.put_text(
        "routes/half",
        &format!("{{\"plugins\": {{\"key-auth\": {{\"key\": \"{PLANTED}\""),
    )
    .await;
    let chancery = Chancery::serve_etcd_within(&token, address, &etcd.url(), &flags, folder.path());
    chancery.logs(0, "document rejected").await;
    for path in [
        format!("apisix/admin/routes?api_key={PLANTED}"),
        format!("v1/nodes?key={PLANTED}"),
    ] {
        assert_eq!(chancery.admin(&path).await.unwrap().status, 401);
    }
    let archive = folder.path().join("trouble.tar.gz");
    let path = archive.display().to_string();
    let whole = async |key: &str| {
        let _ = fs::remove_file(&archive);
        let output = chancery
            .ask(&["collect", "-o", &path, "--api-key", key])
            .await;
        (output.status.code(), unpacked(&archive), output)
    };
    let (code, files, output) = whole(&admin).await;
    assert_eq!(code, Some(0), "{output:?}");
    let settings = &files["settings.txt"];
    for line in [
        format!("etcd: {}  (flag)", etcd.url()),
        format!("consul: http://{address}:8500  (file)"),
        "consul-token: (a secret: not shown)  (variable)".to_owned(),
        "data-encryption-keyring: (a secret: not shown)  (file)".to_owned(),
        "history-keep: 2d  (file)".to_owned(),
        r#"api-keys: [{"name":"admin","roles":["admin"]},{"name":"read","roles":["read"]}]  (file)"#.to_owned(),
        format!("otlp-traces: http://{address}:4317/…  (flag)"),
    ] {
        assert!(settings.lines().any(|it| it == line), "no {line}: {settings}");
    }
    let log = &files["log.txt"];
    for part in ["listening", "consumers/wrong9", "routes/half"] {
        assert!(log.contains(part), "no {part}: {log}");
    }
    for (name, text) in &files {
        secrets::holds_none(name, text);
        for key in [&admin, &reader] {
            assert!(!text.contains(&hash(key)), "a hash of a key in {name}");
        }
    }

    // What is read again is told; and it is told to nobody else.
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{text}log-level: debug\n")).unwrap();
    chancery.process.signal("HUP");
    chancery
        .logs(0, "SIGHUP: the settings were read again")
        .await;
    let (_, files, _) = whole(&admin).await;
    let settings = &files["settings.txt"];
    assert!(settings.contains("log-level: debug  (file)"), "{settings}");
    for (name, text) in &files {
        secrets::holds_none(name, text);
    }
    let (code, files, output) = whole(&reader).await;
    assert_eq!(code, Some(1), "{output:?}");
    assert!(!files.contains_key("settings.txt") && !files.contains_key("log.txt"));
    let readme = &files["README.txt"];
    assert!(
        readme.contains("log.txt") && readme.contains("403"),
        "{readme}"
    );
}

#[tokio::test]
async fn what_could_not_be_had_is_named_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let documents = folder.path().join("documents");
    fs::create_dir(&documents).unwrap();
    let file = folder.path().join("chancery.yaml");
    let path = file.display().to_string();
    let archive = folder.path().join("part.tar.gz");
    let part = archive.display().to_string();
    let arguments = ["collect", "-o", &part];

    // Nobody is there: nothing is written.
    let nobody = Chancery::run(&[
        "collect",
        "-o",
        &part,
        "--admin",
        &format!("http://{}:9180", own_address()),
    ]);
    let said = String::from_utf8(nobody.stderr).unwrap();
    assert!(
        nobody.status.code() == Some(1) && said.contains("no Chancery answers"),
        "{said}"
    );
    assert!(!archive.exists());

    // Documents that are files are no trouble.
    let mut chancery = Chancery::serve_files(own_address(), &documents, folder.path());
    chancery.ready().await;
    let whole = chancery.ask(&arguments).await;
    assert!(whole.status.success(), "{whole:?}");
    let files = unpacked(&archive);
    let readme = &files["README.txt"];
    let none = readme.split("This server has none of:").nth(1).unwrap();
    assert!(
        none.contains("documents are in files (--files)"),
        "{readme}"
    );
    assert!(!readme.contains("Could not be had"), "{readme}");
    fs::remove_file(&archive).unwrap();

    // A key that is missing is.
    let hash = "0".repeat(64);
    fs::write(
        &file,
        format!("api-keys:\n- {{ name: a, hash: 'sha256:{hash}', roles: [read] }}\n"),
    )
    .unwrap();
    let mut chancery = Chancery::serve_files_with(
        own_address(),
        &documents,
        &["--config", &path],
        folder.path(),
    );
    chancery.ready().await;
    let output = chancery.ask(&arguments).await;
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let without = "chancery collect: without nodes.json: status 401: an API key is needed";
    assert!(said.contains(without), "{said}");
    let files = unpacked(&archive);
    let readme = &files["README.txt"];
    for part in [
        "In it:\n",
        "ready.json",
        "Could not be had:\n",
        "nodes.json",
        "status 401: an API key",
        "snapshots/",
    ] {
        assert!(readme.contains(part), "no {part}: {readme}");
    }
    assert!(files.contains_key("metrics.txt") && !files.contains_key("nodes.json"));
}
