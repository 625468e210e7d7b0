use std::path::PathBuf;

use super::{Client, Query};
use crate::model::{Discovery, ServiceKey};
use crate::registry::consul::{Settings, WAIT};

fn settings() -> Settings {
    Settings {
        addresses: vec!["http://127.0.0.1:8500/".to_owned()],
        token: None,
        token_file: None,
        ca: None,
        cert: None,
        key: None,
        wait: WAIT,
        connections: crate::registry::consul::CONNECTIONS,
    }
}

#[track_caller]
fn assert_refused(settings: Settings, words: &[&str]) {
    let error = Client::new(&settings).unwrap_err().to_string();
    for word in words {
        assert!(error.contains(word), "`{word}` is not in `{error}`");
    }
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn an_address_says_what_is_allowed() {
    for address in [
        "",
        "127.0.0.1:8500",
        "consul:8500",
        "unix:///run/consul",
        "http://",
    ] {
        let settings = Settings {
            addresses: vec![address.to_owned()],
            ..settings()
        };
        assert_refused(settings, &["address", "http://127.0.0.1:8500"]);
    }
}

#[test]
fn secrets_are_refused_without_being_repeated() {
    let password = Settings {
        addresses: vec!["http://me:hunter2@127.0.0.1:8500".to_owned()],
        ..settings()
    };
    assert_refused(password, &["address", "token"]);
    let broken = Settings {
        token: Some("hunter2\n".to_owned()),
        ..settings()
    };
    assert_refused(broken, &["token", "line break"]);
}

#[test]
fn a_file_that_is_no_use_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "nothing").unwrap();
    let gone = PathBuf::from("/nowhere/ca.pem");

    let with_ca = |ca: &PathBuf| Settings {
        ca: Some(ca.clone()),
        ..settings()
    };
    assert_refused(
        with_ca(&gone),
        &["CA file", "/nowhere/ca.pem", "No such file"],
    );
    assert_refused(with_ca(&empty), &["CA file", "empty.pem", "no certificate"]);

    let half = Settings {
        cert: Some(empty.clone()),
        ..settings()
    };
    assert_refused(half, &["client certificate", "missing"]);
    let useless = Settings {
        cert: Some(empty.clone()),
        key: Some(empty),
        ..settings()
    };
    assert_refused(useless, &["client certificate", "empty.pem"]);
}

#[test]
fn an_address_below_a_path_is_kept() {
    let below = Settings {
        addresses: vec!["https://gate.example/consul/".to_owned()],
        ..settings()
    };
    let client = Client::new(&below).unwrap();
    let echo = ServiceKey::new(Discovery::Consul, "echo");
    let url = Query::Service(&echo).url(&client.agents[0]);
    assert_eq!(
        url.as_str(),
        "https://gate.example/consul/v1/health/service/echo"
    );
}
