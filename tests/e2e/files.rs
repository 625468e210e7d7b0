//! Documents and instances from files: an edit is in force at once, and a half-written file never is.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::ensure;

use crate::support::chancery::Chancery;
use crate::support::envoy::{Envoy, Protocol};
use crate::support::instance::Instance;
use crate::support::load::Load;
use crate::support::stage::{gateway, route_to};
use crate::support::{eventually, own_address};

fn write(folder: &Path, file: &str, text: &str) {
    let path = folder.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn instances(of: &[&Instance]) -> String {
    let line = |instance: &&Instance| {
        let at = instance.address;
        format!("  - {{ address: {}, port: {} }}\n", at.ip(), at.port())
    };
    let lines: String = of.iter().map(line).collect();
    format!("instances:\n{lines}")
}

#[tokio::test]
async fn an_edited_file_is_in_force_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let address = own_address();
    let listener = SocketAddr::from((address, 9080));
    let documents = folder.path().join("documents");
    let blue = Instance::echo("blue", address).await;
    let green = Instance::echo("green", address).await;
    let default = gateway(listener).to_string();
    write(&documents, "gateways/default.json", &default);
    let echo = "uri: /echo\nupstream:\n  service_name: echo\n  discovery_type: file\n";
    write(&documents, "routes/echo.yaml", echo);
    write(&documents, "instances/echo.yaml", &instances(&[&blue]));
    let mut chancery = Chancery::serve_files(address, &documents, folder.path());
    chancery.ready().await;
    let xds = chancery.xds();
    let envoy = Envoy::start("default", Protocol::Delta, xds, listener, folder.path()).await;
    envoy.answers_by("/echo", "blue").await;

    write(
        &documents,
        "instances/echo.yaml",
        &instances(&[&blue, &green]),
    );
    envoy.answers_by_all("/echo", &["blue", "green"]).await;

    let hello = route_to("/hello", &[&green]).to_string();
    write(&documents, "routes/hello.json", &hello);
    envoy.answers_by("/hello", "green").await;
    write(&documents, "routes/hello.json", &hello[..hello.len() / 2]);
    let line = chancery.logs(0, "document rejected").await;
    assert!(line.field("document").ends_with("routes/hello.json"));
    envoy.answers_by("/hello", "green").await;
    fs::remove_file(documents.join("routes/hello.json")).unwrap();
    envoy.answers_with("/hello", 404).await;
    envoy.answers_by_all("/echo", &["blue", "green"]).await;
}

#[tokio::test]
async fn an_emptied_folder_is_told_and_given_up_by_an_operator() {
    let folder = tempfile::tempdir().unwrap();
    let address = own_address();
    let listener = SocketAddr::from((address, 9080));
    let documents = folder.path().join("documents");
    let blue = Instance::echo("blue", address).await;
    let default = gateway(listener).to_string();
    write(&documents, "gateways/default.json", &default);
    let hello = route_to("/hello", &[&blue]).to_string();
    write(&documents, "routes/hello.json", &hello);
    let mut chancery = Chancery::serve_files(address, &documents, folder.path());
    chancery.ready().await;
    let xds = chancery.xds();
    let envoy = Envoy::start("default", Protocol::Delta, xds, listener, folder.path()).await;
    envoy.answers_by("/hello", "blue").await;
    let load = Load::on(&envoy.url("/hello"), 100);
    for name in ["gateways", "routes"] {
        fs::remove_dir_all(documents.join(name)).unwrap();
    }
    eventually(async || {
        let problems = chancery.ask(&["problems"]).await;
        let shown = String::from_utf8(problems.stdout)?;
        ensure!(shown.contains("emptied"), "{shown}");
        ensure!(shown.contains(&documents.display().to_string()), "{shown}");
        ensure!(problems.status.code() == Some(1), "{:?}", problems.status);
        Ok(())
    })
    .await;
    let shown = chancery.ask(&["accept", "--dry-run"]).await;
    let text = String::from_utf8(shown.stdout).unwrap();
    assert!(text.contains("had files and has none"), "{text}");
    load.stop().await.assert_flawless();
    let accepted = chancery.ask(&["files", "accept-empty"]).await;
    assert!(accepted.status.success(), "{accepted:?}");
    // What is meant is in force: nothing is left but the gateway that is there without a document.
    eventually(async || {
        let (snapshot, problems) = (
            chancery.admin("v1/documents").await?.body,
            chancery.ask(&["problems"]).await,
        );
        ensure!(!snapshot.contains("hello"), "{snapshot}");
        ensure!(problems.status.success(), "{problems:?}");
        Ok(())
    })
    .await;
    let line = chancery.logs(0, "audit").await;
    assert_eq!(line.field("action"), "accept");
    assert!(line.field("what").contains("1 emptied folders"), "{line:?}");
}
