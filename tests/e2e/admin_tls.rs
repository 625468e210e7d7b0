//! The admin port over TLS: who is let in, what commands say, and new certificates while it runs.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};
use reqwest::{Client, Method};
use serde_json::json;

use crate::support::admin::Admin;
use crate::support::certificates::{Authority, Files};
use crate::support::chancery::{BINARY, Chancery};
use crate::support::etcd::Etcd;
use crate::support::http::{self, secure_client};
use crate::support::{PATIENCE, eventually, own_address};

/// A Chancery whose admin port has a certificate of `authority`; it demands one of `clients`, where that is given.
struct Desk {
    chancery: Chancery,
    url: String,
    files: Files,
    _etcd: Etcd,
}

impl Desk {
    async fn set(authority: &Authority, clients: Option<&Authority>, folder: &Path) -> Self {
        let address = own_address();
        let etcd = Etcd::start(address, folder).await;
        let identity = authority.identity(&[&address.to_string()]);
        let files = authority.write(&identity, folder, "admin");
        let path = |path: &Path| path.display().to_string();
        let (cert, key) = (path(&files.cert), path(&files.key));
        let mut settings = vec!["--admin-cert", &cert, "--admin-key", &key];
        let client_ca = folder.join("clients.pem");
        let given = path(&client_ca);
        if let Some(clients) = clients {
            fs::write(&client_ca, clients.pem()).unwrap();
            settings.extend(["--admin-client-ca", &given]);
        }
        let chancery = Chancery::serve_etcd_with(address, &etcd.url(), &settings, folder);
        chancery.logs(0, "listening").await;
        Self {
            chancery,
            url: url("https", address),
            files,
            _etcd: etcd,
        }
    }
}

fn url(scheme: &str, address: Ipv4Addr) -> String {
    format!("{scheme}://{address}:9180")
}

/// The exit status of a command, and what it said.
fn ask(arguments: &[&str], admin: &str, more: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(BINARY);
    let command = command.env_clear().args(arguments).args(["--admin", admin]);
    let output = command.args(more).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

/// Flags that trust an authority, and show a certificate of another.
fn flags(trusted: &Authority, shown: Option<&Authority>, folder: &Path) -> Vec<String> {
    let identity = shown.unwrap_or(trusted).identity(&["operator"]);
    let name = format!("client-{}", fastrand::u64(..));
    let files = shown.unwrap_or(trusted).write(&identity, folder, &name);
    let ca = folder.join(format!("{name}-trusted.pem"));
    fs::write(&ca, trusted.pem()).unwrap();
    let mut flags = vec![("--ca", ca)];
    if shown.is_some() {
        flags.extend([("--client-cert", files.cert), ("--client-key", files.key)]);
    }
    let flags = flags.into_iter();
    flags
        .flat_map(|(flag, file)| [flag.to_owned(), file.display().to_string()])
        .collect()
}

async fn get(client: &Client, url: &str, path: &str) -> anyhow::Result<http::Answer> {
    http::send(client, Method::GET, &format!("{url}{path}"), &[]).await
}

#[tokio::test]
async fn new_certificates_are_taken_while_a_stream_goes_on_and_strangers_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new, clients) = (Authority::new(), Authority::new(), Authority::new());
    let desk = Desk::set(&old, Some(&clients), folder.path()).await;
    let operator = clients.identity(&["operator"]);
    let client = secure_client(&old, Some(&operator));
    eventually(async || {
        let answer = get(&client, &desk.url, "/readyz").await?;
        ensure!(answer.status == 200, "{}", answer.body);
        Ok(())
    })
    .await;
    let admin = Admin::with(client.clone(), &desk.url);
    let route = |uri: &str| json!({ "uri": uri, "plugins": { "mocking": {} } });
    let put = admin.put("/routes/a", &route("/a")).await;
    assert_eq!(put.status, 201, "{}", put.body);
    assert_eq!(admin.get("/routes/a").await.body["value"]["uri"], "/a");

    // A wait for what is not written yet; it goes on over everything that follows.
    let revision: i64 = put.header("x-chancery-revision").parse().unwrap();
    let wait = format!(
        "{}/v1/wait/stream?revision={}&timeout=600s&allowNone=true",
        desk.url,
        revision + 50
    );
    let mut waiting = client.get(wait).timeout(PATIENCE).send().await.unwrap();
    if waiting.status() != 200 {
        panic!("{:?}", waiting.text().await);
    }
    let first = waiting.chunk().await.unwrap().unwrap();
    assert!(!String::from_utf8_lossy(&first).contains("\"confirmed\": true"));

    // Half a renewal: the new certificate with the old key. Nothing of it is used.
    let renewed = new.identity(&[desk
        .url
        .trim_start_matches("https://")
        .trim_end_matches(":9180")]);
    fs::write(&desk.files.cert, &renewed.cert).unwrap();
    let said = desk
        .chancery
        .logs(0, "certificates cannot be reloaded")
        .await;
    assert_eq!(said.field("listener"), "admin");
    assert!(said.field("error").contains("admin.pem"), "{said:?}");
    let between = secure_client(&old, Some(&operator));
    assert_eq!(
        get(&between, &desk.url, "/healthz").await.unwrap().status,
        200
    );
    fs::write(&desk.files.key, &renewed.key).unwrap();
    let reloaded = desk.chancery.logs(0, "certificates reloaded").await;
    assert_eq!(reloaded.field("listener"), "admin");
    let after = secure_client(&new, Some(&operator));
    assert_eq!(
        get(&after, &desk.url, "/metrics").await.unwrap().status,
        200
    );
    let outdated = secure_client(&old, Some(&operator));
    get(&outdated, &desk.url, "/healthz").await.unwrap_err();

    // Whoever shows none, or a stranger's, is let nowhere.
    let stranger = Authority::new().identity(&["operator"]);
    for shown in [None, Some(&stranger)] {
        let client = secure_client(&new, shown);
        for path in ["/healthz", "/metrics", "/v1/nodes"] {
            get(&client, &desk.url, path).await.unwrap_err();
        }
    }
    let refused = desk
        .chancery
        .logs(0, "connections to the admin port are refused")
        .await;
    assert!(
        refused.field("reason").starts_with("TLS handshake: "),
        "{refused:?}"
    );

    let admin = Admin::with(after, &desk.url);
    let mut told = String::new();
    let ends = async {
        while let Some(chunk) = waiting.chunk().await.context("the wait was cut off")? {
            told.push_str(&String::from_utf8_lossy(&chunk));
        }
        anyhow::Ok(())
    };
    let writes = async {
        for n in 0..60 {
            let written = admin.put("/routes/a", &route(&format!("/{n}"))).await;
            assert_eq!(written.status, 200, "{}", written.body);
        }
    };
    let (ended, ()) = tokio::join!(ends, writes);
    ended.unwrap();
    let last = told.lines().last().unwrap();
    let last: serde_json::Value = serde_json::from_str(last).unwrap();
    assert_eq!(last["confirmed"], true, "{told}");
}

#[tokio::test]
async fn commands_speak_tls_and_say_what_to_do_where_it_does_not_fit() {
    let folder = tempfile::tempdir().unwrap();
    let (authority, clients) = (Authority::new(), Authority::new());
    let desk = Desk::set(&authority, Some(&clients), folder.path()).await;
    let flags =
        |trusted: &Authority, shown: Option<&Authority>| flags(trusted, shown, folder.path());
    let good = flags(&authority, Some(&clients));
    let good: Vec<_> = good.iter().map(String::as_str).collect();
    eventually(async || {
        let (code, said) = ask(&["health", "--timeout", "10s"], &desk.url, &good);
        ensure!((code, &*said) == (Some(0), "ready\n"), "{code:?} {said}");
        Ok(())
    })
    .await;
    let archive = folder.path().join("bundle.tar.gz").display().to_string();
    for command in [
        &["nodes"][..],
        &["get", "routes"],
        &["collect", "-o", &archive],
    ] {
        let (code, said) = ask(command, &desk.url, &good);
        assert_eq!(code, Some(0), "{command:?}: {said}");
    }
    let other = Authority::new();
    let plain = desk.url.replace("https", "http");
    for (what, admin, given, says) in [
        (
            "another CA",
            &desk.url,
            flags(&other, Some(&clients)),
            "give --ca FILE",
        ),
        ("the system's CAs", &desk.url, Vec::new(), "give --ca FILE"),
        (
            "no certificate",
            &desk.url,
            flags(&authority, None),
            "--client-cert",
        ),
        (
            "a stranger's",
            &desk.url,
            flags(&authority, Some(&other)),
            "--client-cert",
        ),
        (
            "plain HTTP",
            &plain,
            Vec::new(),
            "say https:// rather than http://",
        ),
        (
            "a CA for plain HTTP",
            &plain,
            flags(&authority, None),
            "as https://",
        ),
    ] {
        let given: Vec<_> = given.iter().map(String::as_str).collect();
        for command in [&["health", "--timeout", "10s"][..], &["nodes"]] {
            let (code, said) = ask(command, admin, &given);
            assert!(
                code != Some(0) && said.contains(says),
                "{command:?} with {what}: {said}"
            );
        }
    }

    // The other way round.
    let documents = folder.path().join("documents");
    fs::create_dir(&documents).unwrap();
    let address = own_address();
    let mut unencrypted = Chancery::serve_files(address, &documents, folder.path());
    unencrypted.ready().await;
    for command in [&["health", "--timeout", "10s"][..], &["nodes"]] {
        let (code, said) = ask(command, &url("https", address), &good);
        assert!(
            code != Some(0) && said.contains("say http:// rather than https://"),
            "{command:?}: {said}"
        );
    }
}

#[tokio::test]
async fn any_name_of_the_certificate_will_do_without_keys() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let desk = Desk::set(&authority, None, folder.path()).await;
    let client = secure_client(&authority, None);
    let named = [("host", "chancery.example")];
    let url = format!("{}/v1/nodes", desk.url);
    let answer = http::send(&client, Method::GET, &url, &named)
        .await
        .unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    // A page's call is no more welcome than before.
    let page = [("origin", "https://evil.example")];
    let answer = http::send(&client, Method::GET, &url, &page).await.unwrap();
    assert_eq!(answer.status, 403, "{}", answer.body);
}
