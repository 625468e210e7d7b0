//! Drains as documents, and whom they take out.

use bytes::Bytes;

use super::*;
use crate::model::Discovery;
use crate::model::document::Format;

fn service(name: &str) -> ServiceKey {
    ServiceKey::new(Discovery::Consul, name)
}

fn text(id: &str, service: &str, instance: &str) -> String {
    format!(
        r#"{{"id":"{id}","service":"{service}","instance":"{instance}","address":"10.0.0.1","port":80,
        "node":"n","mode":"leave","reason":"","by":"","from":"127.0.0.1","created":"2026-01-01T00:00:00Z","ttl":60}}"#
    )
}

fn of_services<const N: usize>(services: [ServiceKey; N]) -> Touched {
    Touched {
        services: services.into(),
        ..Touched::default()
    }
}

fn document(id: &str, text: &str) -> Document {
    Document {
        path: format!("drains/{id}").into(),
        source: format!("/chancery/drains/{id}").into(),
        format: Format::Json,
        value: Bytes::copy_from_slice(text.as_bytes()),
        revision: 1,
    }
}

fn put(drains: &mut Drains, id: &str, text: &str) -> Touched {
    drains.apply(Change::Put(document(id, text)))
}

fn takes(drains: &Drains, of: &ServiceKey, id: &str) -> bool {
    let instance = Instance::new(id, [10, 0, 0, 1].into(), 80);
    drains.taken(of).contains_key(&identity(&instance))
}

#[test]
fn a_drain_takes_out_its_instance_however_its_service_is_asked_for() {
    let mut drains = Drains::default();
    let touched = put(&mut drains, "1", &text("1", "consul/echo", "n/a"));
    assert_eq!(touched, of_services([service("echo")]));
    let near = ServiceKey {
        near: Some("_agent".into()),
        ..service("echo")
    };
    for of in [service("echo"), near] {
        assert!(takes(&drains, &of, "n/a"));
        assert!(!takes(&drains, &of, "n/a-2"), "a new id is a new instance");
    }
    assert!(!takes(&drains, &service("other"), "n/a"));
    let path = "drains/1".into();
    let touched = drains.apply(Change::Deleted { path });
    assert_eq!(touched, of_services([service("echo")]));
    assert!(!takes(&drains, &service("echo"), "n/a"));
}

#[test]
fn a_listing_ends_what_is_not_in_it() {
    let mut drains = Drains::default();
    put(&mut drains, "1", &text("1", "consul/echo", "n/a"));
    let other = document("2", &text("2", "consul/other", "n/b"));
    let touched = drains.list(vec![other]);
    assert_eq!(touched, of_services([service("echo"), service("other")]));
    assert!(!takes(&drains, &service("echo"), "n/a"));
    assert!(takes(&drains, &service("other"), "n/b"));
}

#[test]
fn a_text_that_is_no_drain_hurts_only_itself() {
    let mut drains = Drains::default();
    put(&mut drains, "1", &text("1", "consul/echo", "n/a"));
    for bad in [
        "{}".to_owned(),
        text("1", "eureka/echo", "n/a"),
        text("1", "consul/echo", "n/a").replace("leave", "linger"),
        text("1", "consul/echo", "n/a").replace("\"ttl\"", "\"tll\""),
        text("1", "consul/echo", "n/b").replacen('{', "{\"version\":2,", 1),
    ] {
        assert_eq!(put(&mut drains, "1", &bad), Touched::default());
        assert_eq!(drains.faults().count(), 1, "{bad}");
        assert!(
            takes(&drains, &service("echo"), "n/a"),
            "its last good form stays"
        );
    }
    put(&mut drains, "1", &text("1", "consul/echo", "n/b"));
    assert_eq!(drains.faults().count(), 0);
    assert!(!takes(&drains, &service("echo"), "n/a"));
}

/// Names that Consul takes, and that mean something where they are written down.
const NAMES: [&str; 12] = [
    "echo",
    "a/b",
    "/",
    "50%",
    "a?b",
    "%3F",
    "%25",
    "?%?",
    "a&b=c",
    "a?near=_agent",
    "größe ☃",
    "",
];

#[test]
fn what_is_written_is_read() {
    for name in NAMES {
        let before = Drain {
            with: None,
            of: Of::Service(service(name)),
            ..Drain::read(text("1", "consul/echo", "n/a").as_bytes()).unwrap()
        };
        let written = before.text().unwrap();
        assert!(written.starts_with("{\"version\":1,"), "{written}");
        let read = Drain::read(written.as_bytes()).unwrap();
        assert_eq!(read, before, "{written}");
        let mut drains = Drains::default();
        let touched = put(&mut drains, "1", &written);
        assert_eq!(touched, of_services([service(name)]));
        assert!(takes(&drains, &service(name), "n/a"), "{written}");
    }
}

#[test]
fn what_a_newer_chancery_adds_is_passed_over_while_the_version_is_known() {
    let newer = text("1", "consul/echo", "n/a").replacen(
        '{',
        r#"{"version":1,"zone":"b","steps":[{"at":3}],"#,
        1,
    );
    let mut drains = Drains::default();
    put(&mut drains, "1", &newer);
    assert_eq!(drains.faults().count(), 0);
    assert!(takes(&drains, &service("echo"), "n/a"));
}

#[test]
fn a_version_that_is_too_new_is_not_gone_by_and_is_told() {
    let newer = text("1", "consul/echo", "n/a").replacen('{', "{\"version\":2,", 1);
    let mut drains = Drains::default();
    assert_eq!(put(&mut drains, "1", &newer), Touched::default());
    assert!(!takes(&drains, &service("echo"), "n/a"));
    let (path, _, reason) = drains.faults().next().unwrap();
    assert_eq!(&**path, "drains/1");
    assert!(reason.contains("version 2"), "{reason}");
    // What is in it beside the version may be of any form.
    let Err(Unread::Newer(3)) = Drain::read(br#"{"version":3}"#) else {
        panic!("no version 3");
    };
}

#[test]
fn nodes_are_taken_out_by_their_address() {
    let mut drains = Drains::default();
    let place: SocketAddr = "10.0.0.1:80".parse().unwrap();
    let leave = text("1", "nodes", "10.0.0.1:80");
    let touched = put(&mut drains, "1", &leave);
    assert_eq!(touched.nodes, [place].into());
    assert!(touched.services.is_empty());
    assert_eq!(drains.nodes().get(&place), Some(&Mode::Leave));
    // What it is read from is what it is written as.
    let drain = Drain::read(leave.as_bytes()).unwrap();
    assert_eq!(
        Drain::read(drain.text().unwrap().as_bytes()).unwrap(),
        drain
    );
    // As long as any is there.
    let draining = text("2", "nodes", "10.0.0.1:80").replace("leave", "draining");
    put(&mut drains, "2", &draining);
    let ended = |id: &str| Change::Deleted {
        path: format!("drains/{id}").into(),
    };
    drains.apply(ended("1"));
    assert_eq!(drains.nodes().get(&place), Some(&Mode::Draining));
    assert_eq!(drains.apply(ended("2")).nodes, [place].into());
    assert!(drains.nodes().is_empty());
}
