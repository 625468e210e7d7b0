use serde_json::json;

use super::*;
use crate::documents::DocumentStatus;
use crate::model::document::Format;

/// What is known of these, and how they fare.
fn known(texts: &[(&str, Value)]) -> (Known, Vec<Fared>) {
    let text = |(path, value): &(&str, Value)| model::Document {
        path: (*path).into(),
        source: (*path).into(),
        format: Format::Json,
        value: value.to_string().into(),
        revision: 1,
    };
    let fared = |at: usize, path: &str| Fared {
        status: DocumentStatus {
            path: path.into(),
            source: path.into(),
            revision: 100 - i64::try_from(at).unwrap(),
            holds: Some(1),
            off: path.ends_with("off"),
            problem: None,
            warnings: Vec::new(),
        },
        beyond: None,
    };
    let all = texts.iter().map(text);
    let health = [("routes/a", 2, 1), ("routes/b", 2, 2), ("routes/off", 4, 0)];
    let health = health.map(|(path, all, taken)| (path.to_owned(), Health { all, taken }));
    let known = Known {
        texts: all.map(|one| (one.path.clone(), one)).collect(),
        health: health.into(),
    };
    let all = texts.iter().enumerate();
    (known, all.map(|(at, (path, _))| fared(at, path)).collect())
}

fn found(asked: &pb::ListDocumentsRequest) -> (Vec<pb::Document>, u32) {
    let (known, fared) = known(&[
        (
            "routes/a",
            json!({"uri": "/a", "host": "z.com", "priority": 5, "plugins": {"csrf": {"key": "planted"}}}),
        ),
        (
            "routes/b",
            json!({"uris": ["/b"], "hosts": ["Shop.com"], "labels": {"team": "Red"}, "upstream_id": "echo"}),
        ),
        ("routes/none", json!(null)),
        (
            "routes/off",
            json!({"uri": "/c", "upstream": {"nodes": {"10.0.0.7:80": 1}}}),
        ),
        ("upstreams/echo", json!({"service_name": "echo"})),
    ]);
    let page = (asked.page, asked.page_size);
    let listing = Listing::read(&asked.search, &asked.sort, page, SORTS).unwrap();
    known.find(asked, &listing, fared)
}

fn names(asked: &pb::ListDocumentsRequest) -> String {
    let (documents, _) = found(asked);
    let names = documents
        .iter()
        .map(|one| one.document.rsplit('/').next().unwrap());
    names.collect::<Vec<_>>().join(" ")
}

#[test]
fn documents_are_found_by_what_people_look_for() {
    for (search, told) in [
        ("", "a b none off echo"),
        ("shop.com", "b"),
        ("/b", "b"),
        ("csrf", "a"),
        ("team:red", "b"),
        ("echo", "b echo"),
        ("echo upstreams/", "echo"),
        ("routes/off", "off"),
        ("off", "off"),
        ("accepted none", "none"),
        ("10.0.0.7", "off"),
        ("planted", ""),
    ] {
        let asked = pb::ListDocumentsRequest {
            search: search.to_owned(),
            ..pb::ListDocumentsRequest::default()
        };
        assert_eq!(names(&asked), told, "{search}");
    }
    let one = pb::ListDocumentsRequest {
        document: "routes/b".to_owned(),
        ..pb::ListDocumentsRequest::default()
    };
    assert_eq!(names(&one), "b");
}

#[test]
fn documents_are_sorted_by_what_is_told_of_them() {
    for (sort, told) in [
        ("", "a b none off"),
        ("-document", "off none b a"),
        ("revision", "off none b a"),
        ("state", "a b none off"),
        ("host", "none off b a"),
        ("path", "none a b off"),
        ("-priority", "a b none off"),
        ("plugins", "b none off a"),
        ("taken", "off a b none"),
    ] {
        let asked = pb::ListDocumentsRequest {
            kind: "routes".to_owned(),
            sort: sort.to_owned(),
            ..pb::ListDocumentsRequest::default()
        };
        assert_eq!(names(&asked), told, "{sort}");
    }
}

#[test]
fn texts_are_told_where_they_are_asked_for_and_without_secrets() {
    let asked = |texts| pb::ListDocumentsRequest {
        kind: "routes".to_owned(),
        page: 1,
        page_size: 10,
        texts,
        ..pb::ListDocumentsRequest::default()
    };
    let (documents, total) = found(&asked(true));
    assert_eq!(total, 4);
    assert_eq!((documents[0].instances, documents[0].taken), (2, 1));
    assert!(documents[0].text.contains("csrf") && !documents[0].text.contains("planted"));
    assert_eq!(documents[2].text, "");
    assert!(found(&asked(false)).0.iter().all(|one| one.text.is_empty()));
}
