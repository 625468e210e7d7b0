//! Who may drain, by the command line too, and what is noted of it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use anyhow::{Context, ensure};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use reqwest::Method;
use serde_json::Value;
use tokio::net::TcpListener;

use super::{call, drain, two, wish};
use crate::support::chancery::Chancery;
use crate::support::stage::Stage;
use crate::support::{PATIENTLY, eventually, own_address};

#[tokio::test]
async fn only_who_may_drains() {
    let stage = Stage::set().await;
    let [a, _b] = two(&stage).await;
    let hash = "sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    let settings = stage.folder().join("chancery.yaml");
    let text = format!(
        "api-keys:\n- {{ name: deploy, hash: '{hash}', roles: [drain] }}\n\
         - {{ name: looker, hash: 'sha256:{}', roles: [read] }}\n",
        "0".repeat(64)
    );
    std::fs::write(&settings, text).unwrap();
    let settings = settings.display().to_string();
    let (etcd, consul) = (stage.etcd.url(), stage.consul.url());
    let serve = async |name: &str, more: &[&str]| {
        let folder = stage.folder().join(name);
        std::fs::create_dir(&folder).unwrap();
        let mut other = Chancery::serve_with(own_address(), &etcd, &consul, more, &folder);
        other.ready().await;
        other
    };
    let far = serve("far", &["--drain-networks", "10.0.0.0/8"]).await;
    let (status, answer) = drain(&far, wish(a.address)).await;
    assert_eq!(status, 403, "{answer}");
    assert!(
        answer["message"].as_str().unwrap().contains("127.0.0.1"),
        "{answer}"
    );
    let line = far.logs(0, "audit").await;
    assert_eq!(
        (line.field("result"), line.field("from")),
        ("refused".into(), "127.0.0.1".into())
    );
    assert_eq!(call(&far, Method::GET, "v1/drains", None).await.0, 200);

    let keyed = serve("keyed", &["--config", &settings]).await;
    assert_eq!(drain(&keyed, wish(a.address)).await.0, 401);
    assert_eq!(call(&keyed, Method::GET, "v1/drains", None).await.0, 401);
    let place = a.address.to_string();
    let refused = keyed.ask(&["drain", &place, "--api-key", "guessed"]).await;
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let output = keyed
        .ask(&[
            "drain",
            &place,
            "--api-key",
            "secret",
            "--wait",
            PATIENTLY,
            "-o",
            "json",
        ])
        .await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["drain"]["by"], "deploy", "{answer}");
    let said = keyed.process.output();
    assert!(!said.contains("guessed") && !said.contains(hash), "{said}");
}

#[tokio::test]
async fn drains_are_seen_and_ended_on_the_command_line() {
    let stage = Stage::set().await;
    let [a, _b] = two(&stage).await;
    let place = a.address.to_string();
    let output = stage
        .chancery
        .ask(&[
            "drain",
            &place,
            "--wait",
            PATIENTLY,
            "--reason",
            "release 42",
        ])
        .await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let id = text.trim().rsplit(' ').next().unwrap().to_owned();
    let output = stage.chancery.ask(&["drains"]).await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains(&id) && text.contains("release 42"), "{text}");
    let output = stage.chancery.ask(&["undrain", &id]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    eventually(async || {
        let output = stage.chancery.ask(&["audit"]).await;
        let text = String::from_utf8(output.stdout)?;
        for word in ["registry", "confirmation", "undrain", "consul/echo"] {
            ensure!(text.contains(word), "{text}");
        }
        Ok(())
    })
    .await;
}

/// A collector that keeps what it is sent as it came.
async fn collector(address: Ipv4Addr) -> (SocketAddr, Arc<Mutex<Vec<u8>>>) {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keep = async |State(kept): State<Arc<Mutex<Vec<u8>>>>, body: Bytes| {
        kept.lock().unwrap().extend_from_slice(&body);
        [("content-type", "application/grpc"), ("grpc-status", "0")]
    };
    let app = Router::new().fallback(keep).with_state(kept.clone());
    let listener = TcpListener::bind((address, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (address, kept)
}

#[tokio::test]
async fn the_audit_trail_goes_to_files_and_to_a_collector() {
    let stage = Stage::set().await;
    let (collector, kept) = collector(stage.address).await;
    let (folder, otlp) = (stage.folder().join("logs"), format!("http://{collector}"));
    let settings = ["--log-dir", folder.to_str().unwrap(), "--otlp", &otlp];
    let networks = ["--drain-networks", "10.0.0.0/8"];
    let (etcd, consul) = (stage.etcd.url(), stage.consul.url());
    let own = tempfile::tempdir().unwrap();
    let settings = [&settings[..], &networks].concat();
    let mut other = Chancery::serve_with(own_address(), &etcd, &consul, &settings, own.path());
    other.ready().await;
    let nobody = SocketAddr::from(([10, 9, 9, 9], 80));
    assert_eq!(drain(&other, wish(nobody)).await.0, 403);
    eventually(async || {
        let mut files = std::fs::read_dir(&folder)?;
        let file = files.next().context("no file")??.path();
        let text = std::fs::read_to_string(file)?;
        ensure!(text.contains(r#""target":"audit""#), "{text}");
        let kept = kept.lock().unwrap();
        let sent = String::from_utf8_lossy(&kept);
        ensure!(
            sent.contains("refused") && sent.contains("/v1/drains"),
            "{sent}"
        );
        Ok(())
    })
    .await;
    // What it says is said to the end.
    assert!(other.process.stop().await.success());
    let kept = kept.lock().unwrap();
    assert!(String::from_utf8_lossy(&kept).contains("shutting down"));
}
