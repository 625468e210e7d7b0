//! What is made of entries that another Chancery wrote.

use bytes::Bytes;

use crate::model::{Discovery, ServiceKey};

use super::*;

fn entry(key: &str, version: u32, more: &str) -> (Arc<str>, Bytes) {
    let text = format!(
        r#"{{"version":{version},"id":"{key}","service":"consul/50%25","instance":"{key}","address":"10.0.0.1",
        "port":80,"node":"n","mode":"leave","reason":"","by":"","from":"","created":"","ttl":60{more}}}"#
    );
    (key.into(), text.into())
}

fn read<const N: usize>(entries: [(Arc<str>, Bytes); N]) -> Entries {
    Entries::read(&Journal {
        entries: entries.into(),
        ..Journal::default()
    })
}

#[test]
fn what_a_newer_chancery_adds_is_passed_over() {
    let entries = read([entry("a", 1, r#","zone":"b""#), entry("b", 0, "")]);
    let service = Of::Service(ServiceKey::new(Discovery::Consul, "50%"));
    assert_eq!(entries.taken(&service).len(), 2);
    assert!(entries.are_understood().is_ok());
}

#[test]
fn nothing_is_decided_on_what_only_a_newer_chancery_understands() {
    let entries = read([entry("a", 1, ""), entry("b", 2, "")]);
    assert_eq!(entries.drains().count(), 1);
    assert_eq!(entries.unread().count(), 1);
    let Err(DrainError::Unavailable(reason)) = entries.are_understood() else {
        panic!("it is decided");
    };
    assert!(reason.contains("version 2"), "{reason}");
}

#[test]
fn what_nobody_understands_keeps_nobody_from_deciding() {
    let garbage = ("c".into(), "init_dir".into());
    let entries = read([entry("a", 1, ""), garbage]);
    assert_eq!(entries.drains().count(), 1);
    assert_eq!(entries.unread().count(), 1);
    assert!(entries.are_understood().is_ok());
}
