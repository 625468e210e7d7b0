use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{of, of_plugin, says};
use crate::model::Kind;
use crate::plugin;

#[test]
fn every_kind_and_plugin_has_a_schema_that_names_its_fields_and_no_null() {
    let kinds = Kind::ALL.map(|kind| (kind.as_str(), of(kind)));
    let plugins = plugin::names().map(|name| (name, of_plugin(name).expect(name)));
    for (name, schema) in kinds.into_iter().chain(plugins) {
        assert_eq!(schema["additionalProperties"], json!(false), "of {name}");
        let fields = schema["properties"].as_object().expect(name);
        assert!(!fields.is_empty(), "of {name}");
        assert!(!schema.to_string().contains(r#""null""#), "of {name}");
    }
    assert_eq!(of_plugin("no-such"), None);
}

#[test]
fn fields_are_found_by_the_paths_that_problems_name() {
    let route = of(Kind::Route);
    let inner = &route["properties"]["upstream"]["properties"];
    assert_eq!(inner["retries"]["type"], "integer", "{inner}");
    let plugins = &route["properties"]["plugins"]["properties"];
    assert_eq!(plugins["redirect"]["properties"]["uri"]["type"], "string");
    let said = says(Kind::Route, "hosts[2]").expect("a description");
    assert!(said.contains("host"), "{said}");
    assert_eq!(says(Kind::Route, "no_such.field"), None);
}

#[test]
fn what_is_so_where_nothing_is_written_is_a_default() {
    for (name, field) in [
        ("consumer-restriction", "rejected_code"),
        ("ip-restriction", "response_code"),
    ] {
        let schema = of_plugin(name).expect(name);
        assert_eq!(schema["properties"][field]["default"], 403, "of {name}");
    }
}

#[test]
fn every_field_is_described_in_words_for_whoever_writes_documents() {
    let kinds = Kind::ALL.map(|kind| (kind.as_str(), of(kind)));
    let plugins = plugin::names().map(|name| (name, of_plugin(name).expect(name)));
    let mut silent = BTreeSet::new();
    for (name, schema) in kinds.into_iter().chain(plugins) {
        undescribed(name, &schema, &mut silent);
    }
    assert!(
        silent.is_empty(),
        "no doc comment, or one about the code: {silent:#?}"
    );
}

/// The fields whose schema says nothing of them, or speaks of names with an underscore.
fn undescribed(path: &str, schema: &Value, silent: &mut BTreeSet<String>) {
    if schema["description"]
        .as_str()
        .is_some_and(|said| said.contains("`_`"))
    {
        silent.insert(path.to_owned());
    }
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let place = format!("{path}.{name}");
        undescribed(&place, field, silent);
        if !field["description"].is_string() {
            silent.insert(place);
        }
    }
    for below in ["items", "additionalProperties"]
        .iter()
        .filter_map(|below| schema.get(below))
    {
        undescribed(path, below, silent);
    }
    for form in super::alternatives(schema).into_iter().skip(1) {
        undescribed(path, form, silent);
    }
}
