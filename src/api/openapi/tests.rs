use std::collections::BTreeSet;

use serde_json::Value;

use super::document;
use crate::api::rest;

/// What stands in it below a path: `get /v1/nodes`.
fn told(document: &Value, below: &str) -> BTreeSet<String> {
    let paths = document["paths"].as_object().unwrap();
    let paths = paths.iter().filter(|(path, _)| path.starts_with(below));
    let calls = paths.flat_map(|(path, calls)| {
        let methods = calls.as_object().unwrap().keys();
        methods.map(move |method| format!("{method} {path}"))
    });
    calls.collect()
}

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(to)) = fields.get("$ref") {
                found.insert(to.clone());
            }
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn every_call_of_the_table_stands_in_it_and_no_other() {
    let document = document().unwrap();
    let table = rest::table().map(|call| format!("{} {}", call.method, call.path));
    assert_eq!(told(&document, "/v1"), table.collect());
    let all = told(&document, "/");
    let admin = told(&document, "/apisix/admin");
    assert_eq!(all.len(), admin.len() + rest::table().count());
    assert!(
        admin.contains("patch /apisix/admin/routes/{id}/{step}"),
        "{admin:?}"
    );
    assert!(!admin.contains("post /apisix/admin/consumers"), "{admin:?}");
}

#[test]
fn it_says_what_the_contract_says_and_every_reference_leads_somewhere() {
    let document = document().unwrap();
    let nodes = &document["paths"]["/v1/nodes"]["get"];
    assert_eq!(
        nodes["summary"],
        "the nodes that are connected to this replica, and the other replicas."
    );
    let field = &document["components"]["schemas"]["Node"]["properties"]["synced"]["description"];
    assert_eq!(
        field,
        "Whether it has accepted all of the newest snapshot that it wants."
    );
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 30, "{found:?}");
    for to in found {
        assert!(
            document.pointer(to.trim_start_matches('#')).is_some(),
            "{to}"
        );
    }
}

/// What stands in scripts as `"GET /v1/nodes"`.
#[test]
fn every_call_of_the_dashboard_stands_in_it() {
    let document = document().unwrap();
    let call = regex::Regex::new(r#""(GET|PUT|POST|PATCH|DELETE) (/[^"?]*)""#).unwrap();
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/web");
    let mut calls = BTreeSet::new();
    for folder in ["core", "pages", "parts"] {
        for entry in std::fs::read_dir(format!("{root}/{folder}")).unwrap() {
            let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            let found = call.captures_iter(&text);
            calls.extend(found.map(|it| (it[1].to_lowercase(), it[2].to_owned())));
        }
    }
    assert!(calls.len() > 30, "{calls:?}");
    for (method, path) in calls {
        let told = &document["paths"][&path][&method];
        assert!(told.is_object(), "{method} {path}");
    }
}
