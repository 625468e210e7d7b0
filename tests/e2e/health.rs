//! Health, as a container's check asks for it: a program, no shell, no key, nothing in the environment.

use std::fs;
use std::net::TcpListener;
use std::process::Command;

use anyhow::ensure;

use crate::support::chancery::{BINARY, Chancery};
use crate::support::etcd::Etcd;
use crate::support::{eventually, own_address};

/// The exit status, and what was said.
fn health(url: &str, more: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(BINARY);
    let command = command.env_clear().args(["health", "--admin", url]);
    let output = command.args(more).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

#[tokio::test]
async fn health_is_told_by_the_exit_status_and_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let address = own_address();
    let url = format!("http://{address}:9180");
    let (code, said) = health(&url, &[]);
    assert_eq!(code, Some(1));
    let nobody = format!("chancery health: no Chancery answers at {url}: Connection refused");
    assert!(
        said.starts_with(&nobody) && said.lines().count() == 1,
        "{said}"
    );

    // Keys are for callers of the API.
    let file = folder.path().join("chancery.yaml");
    let hash = "0".repeat(64);
    let keys = format!("api-keys:\n- {{ name: a, hash: 'sha256:{hash}', roles: [read] }}\n");
    fs::write(&file, keys).unwrap();
    let (file, etcd) = (file.display().to_string(), format!("http://{address}:2379"));
    let chancery = Chancery::serve_etcd_with(address, &etcd, &["--config", &file], folder.path());
    eventually(async || {
        let (code, said) = health(&url, &["--alive", "--timeout", "10s"]);
        ensure!((code, &*said) == (Some(0), "alive\n"), "{code:?} {said}");
        Ok(())
    })
    .await;
    chancery.logs(0, "source does not answer yet").await;
    let (code, said) = health(&url, &["--timeout", "10s"]);
    assert_eq!(code, Some(1), "{said}");
    let waits = format!("chancery health: {url} is not ready: etcd has not answered yet: ");
    assert!(
        said.starts_with(&waits) && said.lines().count() == 1,
        "{said}"
    );

    let _etcd = Etcd::start(address, folder.path()).await;
    eventually(async || {
        let (code, said) = health(&url, &["--timeout", "10s"]);
        ensure!((code, &*said) == (Some(0), "ready\n"), "{code:?} {said}");
        Ok(())
    })
    .await;
}

#[test]
fn who_accepts_a_connection_and_says_nothing_is_not_waited_for() {
    let mute = TcpListener::bind((own_address(), 0)).unwrap();
    let url = format!("http://{}", mute.local_addr().unwrap());
    let (code, said) = health(&url, &["--timeout", "100ms"]);
    assert_eq!(code, Some(1));
    let expected = format!("chancery health: no Chancery answers at {url}: nothing within 100ms\n");
    assert_eq!(said, expected);
    let (code, said) = health("127.0.0.1:9180", &[]);
    assert!(
        code == Some(1) && said.contains("allowed: a URL as "),
        "{said}"
    );
}
