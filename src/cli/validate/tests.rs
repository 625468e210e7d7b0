use std::collections::BTreeMap;
use std::fs;

use super::{Used, not_served, one, verdict};
use crate::cohort::Envoy;
use crate::documents::Documents;

#[test]
fn a_file_in_a_folder_that_is_no_kind_is_told_where_it_belongs() {
    let folder = tempfile::tempdir().unwrap();
    let drafts = folder.path().join("drafts");
    fs::create_dir(&drafts).unwrap();
    let file = drafts.join("bad.json");
    fs::write(&file, "{}").unwrap();
    let said = one(&file).unwrap_err().to_string();
    let expected =
        "names its kind, and `drafts` is none; put it into one of routes, upstreams, services,";
    assert!(said.contains(expected), "{said}");
    assert!(said.ends_with("as routes/bad.json"), "{said}");
}

#[test]
fn a_file_in_the_folder_of_its_kind_is_a_document() {
    let folder = tempfile::tempdir().unwrap();
    for path in ["routes/a", "consumers/x/credentials/y"] {
        let file = folder.path().join(format!("{path}.yaml"));
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "{}").unwrap();
        assert_eq!(&*one(&file).unwrap().path, path);
    }
}

#[test]
fn what_an_envoy_cannot_serve_is_told_when_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("routes/a.json");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let text = r#"{"uri":"/a","upstream":{"type":"roundrobin","nodes":{"127.0.0.1:1":1}},"plugins":{"gzip":{}}}"#;
    fs::write(&file, text).unwrap();
    let verdict_for = |envoy: Option<Envoy>| {
        let mut documents = Documents::new(Vec::new());
        documents.list(vec![one(&file).unwrap()]);
        let not_served: BTreeMap<_, _> = not_served(&documents.settle(), envoy);
        let status = documents.statuses(0).next().unwrap();
        verdict(status, &not_served)
    };
    for newest in [None, Some(Envoy::NEWEST)] {
        assert_eq!(verdict_for(newest).state, "accepted");
    }
    let older = verdict_for(Some(Envoy::V1_39));
    assert_eq!(older.state, "not_served");
    let reason = older.reason.unwrap();
    assert!(
        reason.starts_with("plugins.gzip: needs Envoy 1.40 or newer: "),
        "{reason}"
    );
}

#[test]
fn what_plugins_do_otherwise_is_told_of_the_fields_that_a_document_has() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("routes/a.yaml");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let text =
        "uri: /a\nplugins: {cors: {}, redirect: {uri: /b}, gzip: {vary: true}, limit-req: 5}\n";
    fs::write(&file, text).unwrap();
    let mut documents = Documents::new(Vec::new());
    documents.list(vec![one(&file).unwrap()]);
    let used = Used::by(&documents);
    assert_eq!(
        used.said("routes/a"),
        [
            "plugins.gzip.vary: `Vary` is always added",
            "plugins.redirect.uri: few variables"
        ]
    );
    assert!(used.said("routes/b").is_empty());
}
