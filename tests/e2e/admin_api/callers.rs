//! Who may write, what a reader is shown, and what is so while etcd is away or documents are in files.

use std::fs;
use std::path::PathBuf;

use anyhow::ensure;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Desk, nodes, route};
use crate::support::admin::Admin;
use crate::support::chancery::Chancery;
use crate::support::{eventually, http, own_address};

/// A settings file with a key for each of these roles, called as the role is.
pub fn keys(roles: &[&str]) -> String {
    let line = |role: &&str| {
        let digest = ring::digest::digest(&ring::digest::SHA256, role.as_bytes());
        let hex: String = digest
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!("- {{ name: {role}, hash: 'sha256:{hex}', roles: [{role}] }}\n")
    };
    format!("api-keys:\n{}", roles.iter().map(line).collect::<String>())
}

/// A Chancery on documents that are files, with settings of a file.
struct Served {
    chancery: Chancery,
    settings: PathBuf,
    client: reqwest::Client,
    _folder: TempDir,
}

impl Served {
    async fn by(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = folder.path().join("chancery.yaml");
        let documents = folder.path().join("documents");
        fs::create_dir(&documents).unwrap();
        fs::write(&settings, text).unwrap();
        let config = settings.display().to_string();
        let arguments = ["--config", config.as_str()];
        let mut chancery =
            Chancery::serve_files_with(own_address(), &documents, &arguments, folder.path());
        chancery.ready().await;
        Self {
            chancery,
            settings,
            client: http::client(),
            _folder: folder,
        }
    }

    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> http::Answer {
        let url = format!("{}{path}", self.chancery.url());
        let sent = http::send(&self.client, reqwest::Method::GET, &url, headers);
        sent.await.unwrap()
    }
}

#[tokio::test]
async fn who_calls_too_often_is_told_when_to_come_again_and_others_go_on() {
    let settings = format!("{}max-call-rate: 1\n", keys(&["read", "admin"]));
    let served = Served::by(&settings).await;
    let read = [("x-api-key", "read")];
    let says =
        "the API key `read` makes more calls than it may: allowed are 1 a second and 10 at once";
    for path in ["/v1/nodes", "/apisix/admin/routes"] {
        eventually(async || {
            let answer = served.get(path, &read).await;
            ensure!(answer.status == 429, "{}", answer.body);
            assert!(answer.body.contains(says), "{}", answer.body);
            assert_eq!(answer.headers["retry-after"], "1");
            Ok(())
        })
        .await;
    }
    // Also where gRPC is spoken.
    let command = ["nodes", "--api-key", "read"];
    eventually(async || {
        let output = served.chancery.ask(&command).await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(said.contains(says), "{said}");
        Ok(())
    })
    .await;
    // Nobody else is kept from calling, and a second later this one is not either.
    assert_eq!(
        served
            .get("/v1/nodes", &[("x-api-key", "admin")])
            .await
            .status,
        200
    );
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(served.get(path, &read).await.status, 200, "{path}");
    }
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert_eq!(served.get("/v1/nodes", &read).await.status, 200);
}

#[tokio::test]
async fn metrics_are_open_until_they_need_a_key_and_theirs_opens_nothing_else() {
    let keys = keys(&["metrics", "read"]);
    let served = Served::by(&keys).await;
    let bearer = ("authorization", "Bearer metrics");
    for headers in [&[][..], &[bearer], &[("x-api-key", "unknown")]] {
        assert_eq!(
            served.get("/metrics", headers).await.status,
            200,
            "{headers:?}"
        );
    }
    fs::write(&served.settings, format!("{keys}metrics-need-key: true\n")).unwrap();
    served.chancery.process.signal("HUP");
    served
        .chancery
        .logs(0, "SIGHUP: the settings were read again")
        .await;
    for (headers, status) in [
        (&[][..], 401),
        (&[bearer], 200),
        (&[("x-api-key", "metrics")], 200),
        (&[("x-api-key", "read")], 200),
        (&[("authorization", "Bearer guessed")], 401),
    ] {
        let answer = served.get("/metrics", headers).await;
        assert_eq!(answer.status, status, "{headers:?}: {}", answer.body);
    }
    for path in ["/v1/nodes", "/v1/documents", "/apisix/admin/routes"] {
        let answer = served.get(path, &[("x-api-key", "metrics")]).await;
        assert_eq!(answer.status, 403, "{path}: {}", answer.body);
        assert!(
            answer.body.contains("has not the role `read`"),
            "{}",
            answer.body
        );
        assert_eq!(served.get(path, &[bearer]).await.status, 401);
    }
    for path in ["/healthz", "/readyz"] {
        assert_eq!(served.get(path, &[]).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn a_key_is_taken_wherever_apisix_takes_it_and_opens_what_its_role_says() {
    let desk = Desk::set().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("chancery.yaml");
    fs::write(&file, keys(&["admin", "read", "drain"])).unwrap();
    let etcd = desk.etcd.url();
    let config = file.display().to_string();
    let settings = ["--config", config.as_str()];
    let mut keyed = Chancery::serve_etcd_with(own_address(), &etcd, &settings, folder.path());
    keyed.ready().await;
    let admin = Admin::new(&keyed.url());
    let secret = "planted-7f3a";
    let document = json!({ "username": "jack", "plugins": { "key-auth": { "key": secret } } });
    let put = async |path: &str, headers: &[(&str, &str)]| {
        admin
            .send("PUT", path, headers, document.to_string())
            .await
            .unwrap()
    };
    for (path, headers, description) in [
        ("/consumers", vec![], "missing apikey"),
        ("/consumers?api_key=guessed", vec![], "wrong apikey"),
        ("/consumers", vec![("x-api-key", "guessed")], "wrong apikey"),
    ] {
        let refused = put(path, &headers).await;
        assert_eq!(refused.status, 401, "{refused:?}");
        assert_eq!(
            refused.body,
            json!({ "error_msg": "failed to check token", "description": description })
        );
    }
    for role in ["read", "drain"] {
        let refused = put("/consumers", &[("x-api-key", role)]).await;
        assert_eq!(refused.status, 403, "{refused:?}");
        let said = refused.body["description"].as_str().unwrap();
        assert!(said.contains("has not the role `admin`"), "{refused:?}");
    }
    assert_eq!(put("/consumers?api_key=admin", &[]).await.status, 201);
    assert_eq!(
        put("/consumers", &[("cookie", "a=b; x_api_key=admin")])
            .await
            .status,
        200
    );
    assert_eq!(
        put("/consumers/", &[("x-api-key", "admin")]).await.status,
        200
    );
    let get = async |key: &str| {
        let key = [("x-api-key", key)];
        let one = admin.send("GET", "/consumers/jack", &key, "").await;
        let all = admin.send("GET", "/consumers", &key, "").await;
        format!("{} {}", one.unwrap().body, all.unwrap().body)
    };
    assert_eq!(get("admin").await.matches(secret).count(), 2);
    let shown = get("read").await;
    assert!(!shown.contains(secret) && shown.contains("jack"), "{shown}");
    // What a reader was shown is never written back.
    let read = admin.send("GET", "/consumers/jack", &[("x-api-key", "read")], "");
    let mut value = read.await.unwrap().body["value"].clone();
    for time in ["create_time", "update_time"] {
        value.as_object_mut().unwrap().remove(time);
    }
    let back = admin.send(
        "PUT",
        "/consumers",
        &[("x-api-key", "admin")],
        value.to_string(),
    );
    let back = back.await.unwrap();
    assert!(
        back.status == 400 && back.error().contains("in the place of a secret"),
        "{back:?}"
    );
    let alive = admin.send("HEAD", "", &[], "").await.unwrap();
    assert_eq!(alive.status, 200);
    // No key and no secret is in any line, that of the query neither.
    let said = keyed.process.output();
    for planted in [secret, "guessed", "api_key"] {
        assert!(!said.contains(planted), "{planted} is in {said}");
    }
}

#[tokio::test]
async fn while_etcd_is_away_calls_say_so_and_nothing_is_half_written() {
    let mut desk = Desk::set().await;
    assert_eq!(desk.admin.put("/routes/1", &route("/a")).await.status, 201);
    desk.etcd.process.kill();
    for (method, path) in [
        ("PUT", "/routes/1"),
        ("GET", "/routes"),
        ("GET", "/routes/1"),
        ("DELETE", "/routes/1"),
    ] {
        let refused = desk.admin.call(method, path, &route("/b")).await;
        assert_eq!(refused.status, 503, "{method}: {refused:?}");
        assert_eq!(refused.header("retry-after"), "1");
        assert!(refused.error().contains("etcd"), "{refused:?}");
    }
    desk.etcd.start_again().await;
    eventually(async || {
        let read = desk.admin.get("/routes/1").await;
        anyhow::ensure!(read.status == 200, "{read:?}");
        assert_eq!(read.body["value"]["uri"], "/a");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn documents_in_files_are_shown_and_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let documents = folder.path().join("documents");
    fs::create_dir_all(documents.join("routes")).unwrap();
    let text = format!("uri: /a\nupstream: {}\n", nodes());
    fs::write(documents.join("routes/a.yaml"), text).unwrap();
    let mut chancery = Chancery::serve_files(own_address(), &documents, folder.path());
    chancery.ready().await;
    let admin = Admin::new(&chancery.url());
    let read = admin.get("/routes/a").await;
    assert_eq!(
        (
            read.status,
            &read.body["value"]["uri"],
            &read.body["value"]["id"]
        ),
        (200, &json!("/a"), &json!("a"))
    );
    assert_eq!(admin.get("/routes").await.body["total"], 1);
    assert_eq!(admin.get("/routes/b").await.status, 404);
    for (method, path, body) in [
        ("PUT", "/routes/b", route("/b")),
        ("POST", "/routes", route("/b")),
        ("DELETE", "/routes/a", Value::Null),
    ] {
        let refused = admin.call(method, path, &body).await;
        assert_eq!(refused.status, 501, "{refused:?}");
        assert!(refused.error().contains("--files"), "{refused:?}");
    }
}
