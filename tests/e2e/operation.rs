//! Chancery as a process: bad settings, a port in use, a source that is not there yet, the end.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::process::Output;

use anyhow::ensure;
use serde_json::json;

use crate::support::chancery::Chancery;
use crate::support::consul::{Consul, Memory};
use crate::support::envoy::{Envoy, Protocol};
use crate::support::etcd::Etcd;
use crate::support::instance::Instance;
use crate::support::stage::{Stage, gateway, route_to, route_to_service};
use crate::support::{eventually, own_address};

/// It ended with 2, and what it said has all of `words`.
fn assert_refused(output: &Output, words: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    for word in words {
        assert!(said.contains(word), "no {word:?} in: {said}");
    }
}

#[test]
fn a_bad_flag_is_refused() {
    let output = Chancery::run(&["serve", "--ectd", "http://127.0.0.1:2379"]);
    assert_refused(&output, &["--ectd", "--etcd"]);
    let output = Chancery::run(&["serve", "--xds", "somewhere"]);
    assert_refused(&output, &["--xds", "somewhere"]);
}

#[test]
fn a_bad_settings_file_is_refused_with_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("chancery.yaml");
    fs::write(&settings, "# settings\nxds: 127.0.0.1:18000\nectd: []\n").unwrap();
    let settings = settings.display().to_string();
    let output = Chancery::run(&["serve", "--config", &settings]);
    assert_refused(&output, &["chancery.yaml", "line 3", "ectd"]);
    let output = Chancery::run(&["serve", "--config", "/nowhere/chancery.yaml"]);
    assert_refused(&output, &["/nowhere/chancery.yaml"]);
}

#[tokio::test]
async fn a_port_in_use_is_named_and_taken_once_it_is_free() {
    let folder = tempfile::tempdir().unwrap();
    let address = own_address();
    let taken = TcpListener::bind((address, 18000)).unwrap();
    let documents = folder.path().join("documents");
    fs::create_dir(&documents).unwrap();
    let mut chancery = Chancery::serve_files(address, &documents, folder.path());
    let line = chancery.logs(0, "cannot listen").await;
    assert_eq!(line.field("address"), format!("{address}:18000"));
    assert!(line.field("error").contains("in use"), "{line:?}");
    drop(taken);
    chancery.ready().await;
    let listener = SocketAddr::from((address, 9080));
    fs::create_dir(documents.join("gateways")).unwrap();
    let default = gateway(listener).to_string();
    fs::write(documents.join("gateways/default.json"), default).unwrap();
    let xds = chancery.xds();
    let envoy = Envoy::start("default", Protocol::Delta, xds, listener, folder.path()).await;
    envoy.answers_with("/", 404).await;
}

#[tokio::test]
async fn an_etcd_that_comes_late_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let address = own_address();
    let listener = SocketAddr::from((address, 9080));
    let consul = Consul::start(address, folder.path(), Memory::Forgets).await;
    let etcd = format!("http://{address}:2379");
    let mut chancery = Chancery::serve(address, &etcd, &consul.url(), folder.path());
    let line = chancery.logs(0, "source does not answer yet").await;
    assert_eq!(line.field("source"), "etcd");
    assert!(line.field("error").contains(&etcd), "{line:?}");
    assert_eq!(chancery.admin("healthz").await.unwrap().status, 200);
    assert_eq!(chancery.admin("readyz").await.unwrap().status, 503);
    let xds = chancery.xds();
    let envoy = Envoy::start("default", Protocol::Delta, xds, listener, folder.path()).await;

    let blue = Instance::echo("blue", address).await;
    let etcd = Etcd::start(address, folder.path()).await;
    etcd.put("gateways/default", &gateway(listener)).await;
    etcd.put("routes/hello", &route_to("/hello", &[&blue]))
        .await;
    chancery.ready().await;
    envoy.answers_by("/hello", "blue").await;
}

#[tokio::test]
async fn it_ends_on_sigterm_while_envoy_keeps_serving() {
    let mut stage = Stage::set().await;
    let blue = stage.instance("blue").await;
    let route = route_to("/hello", &[&blue]);
    stage.etcd.put("routes/hello", &route).await;
    stage.envoy.answers_by("/hello", "blue").await;

    let status = stage.chancery.process.stop().await;
    assert_eq!(status.code(), Some(0));
    for _ in 0..20 {
        assert_eq!(stage.envoy.get("/hello").await.instance().unwrap(), "blue");
    }
}

#[tokio::test]
async fn two_replicas_publish_the_same_versions() {
    let stage = Stage::set().await;
    let [blue, green] = [stage.instance("blue").await, stage.instance("green").await];
    let mut route = route_to("/hello", &[&blue, &green]);
    // Maps, whose order differs from process to process unless someone sees to it.
    route["plugins"] = json!({ "proxy-rewrite": { "headers": {
        "set": { "x-a": "1", "x-b": "2", "x-c": "3", "x-d": "4", "x-e": "5" },
    } } });
    for number in 0..20 {
        route["uri"] = json!(format!("/hello/{number}"));
        let key = format!("routes/hello-{number}");
        stage.etcd.put(&key, &route).await;
    }
    stage.envoy.answers_with("/hello/19", 200).await;

    let folder = tempfile::tempdir().unwrap();
    let (etcd, consul) = (stage.etcd.url(), stage.consul.url());
    let mut replica = Chancery::serve(own_address(), &etcd, &consul, folder.path());
    replica.ready().await;
    let version = |chancery: &Chancery| chancery.published().last().map(|it| it.field("version"));
    eventually(async || {
        let (one, other) = (version(&replica), version(&stage.chancery));
        ensure!(one.is_some() && one == other, "{one:?} and {other:?}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn proxies_connect_however_few_files_may_be_open() {
    const SERVICES: usize = 60;
    let folder = tempfile::tempdir().unwrap();
    let address = own_address();
    let listener = SocketAddr::from((address, 9080));
    let (etcd, consul) = tokio::join!(
        Etcd::start(address, folder.path()),
        Consul::start(address, folder.path(), Memory::Forgets),
    );
    let instance = Instance::echo("echo", address).await;
    etcd.put("gateways/default", &gateway(listener)).await;
    for n in 0..SERVICES {
        let service = format!("echo-{n}");
        consul.register(&service, &service, instance.address).await;
        let route = route_to_service(&format!("/{n}"), &service);
        etcd.put(&format!("routes/{n}"), &route).await;
    }
    let (etcd_url, consul_url) = (etcd.url(), consul.url());
    let mut chancery = Chancery::serve_within(64, address, &etcd_url, &consul_url, folder.path());
    chancery.ready().await;
    let line = chancery.logs(0, "the limit of open files leaves").await;
    assert_eq!(line.field("allowed"), "64");
    let xds = chancery.xds();
    let envoy = Envoy::start("default", Protocol::Delta, xds, listener, folder.path()).await;
    for n in [0, SERVICES - 1] {
        envoy.answers_by(&format!("/{n}"), "echo").await;
    }
    // Instances are followed all the same.
    let other = Instance::echo("other", address).await;
    consul.register("echo-7", "echo-7", other.address).await;
    envoy.answers_by("/7", "other").await;
    assert!(chancery.log_of("connections cannot be accepted").is_empty());
}

#[tokio::test]
async fn settings_are_read_again_at_sighup_and_no_signal_ends_chancery_silently() {
    let folder = tempfile::tempdir().unwrap();
    let documents = folder.path().join("documents");
    fs::create_dir(&documents).unwrap();
    let file = folder.path().join("chancery.yaml");
    // Of the key `secret`.
    let keys = "api-keys:\n- name: reader\n  hash: sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\n  roles: [read]\n";
    fs::write(&file, "").unwrap();
    let path = file.display().to_string();
    let config = ["--config", path.as_str()];
    let address = own_address();
    let mut chancery = Chancery::serve_files_with(address, &documents, &config, folder.path());
    chancery.ready().await;
    let nodes = async || chancery.admin("v1/nodes").await.unwrap().status;
    assert_eq!(nodes().await, 200);

    fs::write(&file, format!("{keys}max-streams: 7\n")).unwrap();
    chancery.process.signal("HUP");
    let line = chancery
        .logs(0, "SIGHUP: the settings were read again")
        .await;
    assert_eq!(line.field("changed"), "api-keys");
    assert_eq!(line.field("needs_restart"), "max-streams");
    assert_eq!(nodes().await, 401);

    fs::write(&file, "api-keys: nonsense\n").unwrap();
    chancery.process.signal("HUP");
    let line = chancery
        .logs(0, "SIGHUP: the settings cannot be used")
        .await;
    assert!(line.field("error").contains("chancery.yaml"), "{line:?}");
    assert_eq!(nodes().await, 401);

    for signal in ["USR1", "USR2", "PIPE"] {
        chancery.process.signal(signal);
    }
    for signal in ["SIGUSR1", "SIGUSR2"] {
        eventually(async || {
            let lines = chancery.log_of("the signal means nothing here");
            ensure!(lines.iter().any(|line| line.field("signal") == signal));
            Ok(())
        })
        .await;
    }
    fs::write(&file, "").unwrap();
    chancery.process.signal("HUP");
    eventually(async || {
        ensure!(nodes().await == 200);
        Ok(())
    })
    .await;
}
