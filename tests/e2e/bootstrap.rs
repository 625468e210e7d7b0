//! The bootstrap that Chancery prints, and the Envoys that it is for.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::support::certificates::{Authority, Files};
use crate::support::chancery::Chancery;
use crate::support::envoy::Envoy;
use crate::support::own_address;
use crate::support::stage::gateway;
use crate::support::tools::tool;

/// What is printed, as a file.
fn printed(arguments: &[&str], file: &Path) {
    let output = Chancery::run(&[&["bootstrap"][..], arguments].concat());
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    fs::write(file, output.stdout).unwrap();
}

/// The newest Envoy, and every other one that `scripts/tools` has brought.
fn envoys() -> Vec<PathBuf> {
    let brought = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools");
    let folders = fs::read_dir(brought).into_iter().flatten();
    let folders = folders.filter_map(|entry| Some(entry.ok()?.path()));
    let of_release = |folder: &PathBuf| {
        let name = folder.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with("envoy-"))
    };
    let others = folders
        .filter(of_release)
        .map(|folder| folder.join("envoy"));
    let others = others.filter(|file| file.is_file());
    std::iter::once(tool("envoy")).chain(others).collect()
}

#[test]
fn every_envoy_accepts_what_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let tls = certificates(&Authority::new(), folder.path());
    let tls: Vec<_> = tls.iter().map(String::as_str).collect();
    let named = [&tls[..], &["--server-name", "xds.example.com"]].concat();
    let all = [
        "--xds",
        "chancery-1:18000,10.0.0.5:18000,[::1]:18000",
        "--node",
        "1",
        "--gateway",
        "edge",
        "--envoy-admin",
        "127.0.0.1:0",
        "--max-heap",
        "512MiB",
        "--max-connections",
        "1000",
    ];
    let variants: &[&[&str]] = &[&[], &tls, &named, &all];
    for envoy in envoys() {
        for variant in variants {
            for form in [
                &[][..],
                &["--sotw"],
                &["-o", "json"],
                &["--sotw", "-o", "json"],
            ] {
                let arguments = [*variant, form].concat();
                let is_json = form.contains(&"json");
                let file = folder.path().join(if is_json {
                    "bootstrap.json"
                } else {
                    "bootstrap.yaml"
                });
                printed(&arguments, &file);
                let mut validate = Command::new(&envoy);
                validate.args([
                    "--mode",
                    "validate",
                    "--disable-hot-restart",
                    "-l",
                    "error",
                    "-c",
                ]);
                let output = validate.arg(&file).output().unwrap();
                assert!(
                    output.status.success(),
                    "{} {arguments:?}: {output:?}",
                    envoy.display()
                );
            }
        }
    }
}

#[tokio::test]
async fn an_envoy_that_is_started_with_what_is_printed_serves_a_route() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let own = authority.identity(&["chancery"]);
    let own = authority.write(&own, folder.path(), "chancery");
    let [cert, key, ca] = [&own.cert, &own.key, &own.ca].map(|file| file.display().to_string());
    let tls = [
        "--xds-cert",
        &cert,
        "--xds-key",
        &key,
        "--xds-client-ca",
        &ca,
    ];
    serves_a_route(
        &tls,
        &certificates(&authority, folder.path()),
        folder.path(),
    )
    .await;
    serves_a_route(&[], &["--sotw".to_owned()], folder.path()).await;
}

/// Starts a Chancery with these settings, and an Envoy with what is printed for it.
async fn serves_a_route(settings: &[&str], arguments: &[String], folder: &Path) {
    let address = own_address();
    let listener = SocketAddr::from((address, 9080));
    let plugins = json!({ "mocking": { "response_example": "here" } });
    let route = json!({ "uri": "/hello", "gateways": ["edge"], "plugins": plugins });
    let documents = folder.join(address.to_string());
    for (path, document) in [
        ("gateways/edge.json", gateway(listener)),
        ("routes/hello.json", route),
    ] {
        let file = documents.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, document.to_string()).unwrap();
    }
    let mut chancery = Chancery::serve_files_with(address, &documents, settings, folder);
    chancery.ready().await;
    let admin = SocketAddr::from((own_address(), 9901));
    let (xds, at) = (chancery.xds().to_string(), admin.to_string());
    let given = [
        "--xds",
        &xds,
        "--node",
        "printed",
        "--gateway",
        "edge",
        "--envoy-admin",
        &at,
    ];
    let more = arguments.iter().map(String::as_str);
    let file = folder.join(format!("{address}.yaml"));
    printed(&given.into_iter().chain(more).collect::<Vec<_>>(), &file);
    let envoy = Envoy::start_on(&file, "printed", admin, listener, folder).await;
    assert_eq!(envoy.answers_with("/hello", 200).await.body, "here");
    let nodes = chancery.admin("v1/nodes").await.unwrap().body;
    let nodes: Value = serde_json::from_str(&nodes).unwrap();
    assert_eq!(
        (&nodes["nodes"][0]["id"], &nodes["nodes"][0]["gateway"]),
        (&json!("printed"), &json!("edge"))
    );
}

/// The flags for an Envoy that shows a certificate of this authority.
fn certificates(authority: &Authority, folder: &Path) -> Vec<String> {
    let identity = authority.identity(&["spiffe://example.com/edge"]);
    let Files { cert, key, ca } = authority.write(&identity, folder, "edge");
    let files = [("--cert", cert), ("--key", key), ("--ca", ca)];
    let flags = files.map(|(flag, file)| [flag.to_owned(), file.display().to_string()]);
    flags.concat()
}
