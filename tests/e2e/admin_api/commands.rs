//! Files, and the commands that make the store hold what they say.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use super::{Desk, nodes, route};
use crate::support::PATIENTLY;
use crate::support::stage::Stage;

fn put(folder: &Path, path: &str, document: &Value) {
    let file = folder.join(path);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, document.to_string()).unwrap();
}

fn told(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

#[tokio::test]
async fn the_store_comes_to_hold_what_files_say_and_says_so_once() {
    let desk = Desk::set().await;
    let folder = tempfile::tempdir().unwrap();
    let documents = folder.path().join("documents");
    put(
        &documents,
        "routes/a.json",
        &json!({ "uri": "/a", "upstream_id": "u" }),
    );
    put(&documents, "upstreams/u.json", &nodes());
    let secret = json!({ "plugins": { "key-auth": { "key": "k" } } });
    put(&documents, "consumers/jack/credentials/c.json", &secret);
    put(
        &documents,
        "more.json",
        &json!({ "consumers": [{ "username": "jack" }], "services": [{ "id": "s", "upstream_id": "u" }] }),
    );
    let path = documents.display().to_string();
    let ask = async |arguments: &[&str]| {
        let output = desk.chancery.ask(arguments).await;
        (output.status.code(), told(&output))
    };
    let (code, said) = ask(&["diff", "-f", &path]).await;
    assert!(
        code == Some(2) && said.contains("5 to create"),
        "{code:?} {said}"
    );
    let (code, said) = ask(&["apply", "-f", &path]).await;
    assert!(
        code == Some(1) && said.contains("add --yes"),
        "{code:?} {said}"
    );
    let (code, said) = ask(&["apply", "-f", &path, "--dry-run"]).await;
    assert_eq!(code, Some(2), "{said}");
    assert_eq!(desk.admin.get("/routes").await.body["total"], 0);
    let (code, said) = ask(&["apply", "-f", &path, "--yes"]).await;
    assert!(
        code == Some(0) && said.contains("5 documents are written by revision"),
        "{said}"
    );
    for arguments in [["diff", "-f", &path], ["apply", "-f", &path]] {
        let (code, said) = ask(&arguments).await;
        assert!(
            code == Some(0) && said.contains("5 as they should be"),
            "{said}"
        );
    }
    // What is written out changes nothing when it is written back.
    let out = folder.path().join("out");
    for arguments in [vec!["export"], vec!["export", "-o", "json"]] {
        let output = desk.chancery.ask(&arguments).await;
        let file = folder.path().join("all.yaml");
        fs::write(&file, output.stdout).unwrap();
        let (code, said) = ask(&["apply", "-f", &file.display().to_string()]).await;
        assert!(
            code == Some(0) && said.contains("5 as they should be"),
            "{said}"
        );
    }
    let shown = out.display().to_string();
    assert_eq!(ask(&["export", "-d", &shown]).await.0, Some(0));
    assert!(out.join("consumers/jack/credentials/c.yaml").is_file());
    let (code, said) = ask(&["diff", "-f", &shown]).await;
    assert_eq!(code, Some(0), "{said}");
    // A change is shown by its lines.
    put(
        &documents,
        "routes/a.json",
        &json!({ "uri": "/b", "upstream_id": "u" }),
    );
    let (code, said) = ask(&["diff", "-f", &path]).await;
    assert!(
        code == Some(2) && said.contains("- uri: /a\n  + uri: /b"),
        "{said}"
    );
    let (code, said) = ask(&["apply", "-f", &path, "--yes", "--expect-revision", "1"]).await;
    assert!(
        code == Some(1) && said.contains("since revision 1"),
        "{said}"
    );
    // All or none.
    put(&documents, "routes/bad.json", &json!({ "uri": 7 }));
    let (code, said) = ask(&["apply", "-f", &path, "--yes"]).await;
    assert!(code == Some(1) && said.contains("routes/bad"), "{said}");
    assert_eq!(desk.admin.get("/routes/a").await.body["value"]["uri"], "/a");
    let (_, shown) = ask(&["get", "routes/a"]).await;
    assert!(
        shown.contains("uri: /a") && shown.contains("id: a"),
        "{shown}"
    );
    let (code, said) = ask(&["delete", "upstreams/u"]).await;
    assert!(
        code == Some(1) && said.contains("is still using it now"),
        "{said}"
    );
    assert_eq!(ask(&["delete", "routes/a"]).await.0, Some(0));
}

#[tokio::test]
async fn only_what_is_of_the_set_is_deleted_and_much_is_written_in_pieces() {
    let desk = Desk::set().await;
    desk.admin.put("/routes/other", &route("/other")).await;
    let folder = tempfile::tempdir().unwrap();
    let many = |count: usize| {
        let routes = (0..count)
            .map(|n| json!({ "id": format!("r{n}"), "uri": format!("/{n}"), "upstream_id": "u" }));
        let mut upstream = nodes();
        upstream["id"] = "u".into();
        json!({ "routes": routes.collect::<Vec<_>>(), "upstreams": [upstream] })
    };
    let file = folder.path().join("shop.json");
    let path = file.display().to_string();
    let arguments = ["apply", "-f", &path, "--prune", "--set", "shop", "--yes"];
    fs::write(&file, many(150).to_string()).unwrap();
    let output = desk.chancery.ask(&arguments).await;
    assert!(
        output.status.success() && told(&output).contains("piece 3 of 3"),
        "{}",
        told(&output)
    );
    fs::write(&file, many(10).to_string()).unwrap();
    let output = desk.chancery.ask(&arguments).await;
    assert!(told(&output).contains("140 to delete"), "{}", told(&output));
    assert_eq!(desk.admin.get("/routes").await.body["total"], 11);
    assert_eq!(desk.admin.get("/routes/other").await.status, 200);
}

#[tokio::test]
async fn what_is_applied_and_waited_for_is_there() {
    let stage = Stage::set().await;
    let folder = tempfile::tempdir().unwrap();
    stage.envoy.answers_with("/", 404).await;
    let plugins = json!({ "mocking": { "response_example": "here" } });
    put(
        folder.path(),
        "routes/a.json",
        &json!({ "uri": "/a", "plugins": plugins }),
    );
    let path = folder.path().display().to_string();
    let applied = stage
        .chancery
        .ask(&["apply", "-f", &path, "--yes", "--wait", PATIENTLY])
        .await;
    assert!(applied.status.success(), "{}", told(&applied));
    assert!(
        told(&applied).contains("1 of 1 Envoys have revision"),
        "{}",
        told(&applied)
    );
    assert_eq!(stage.envoy.get("/a").await.body, "here");
}
