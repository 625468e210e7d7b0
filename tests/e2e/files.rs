//! Documents and instances from files: an edit is in force at once, and a half-written file never is.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use crate::support::chancery::Chancery;
use crate::support::envoy::{Envoy, Protocol};
use crate::support::instance::Instance;
use crate::support::own_address;
use crate::support::stage::{gateway, route_to};

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
