//! Which fields the documents of the cases use, out of all that the schemas have. It asks nothing but the schemas, so that
//! a kind or a plugin that is new is missed here until it has a case.

use std::collections::BTreeSet;

use chancery::documents::schema;
use chancery::model::Kind;
use chancery::plugin;
use serde_json::Value;

use super::case::Case;

/// Fields that no accepted document can have, and why.
pub const REFUSED: &[(&str, &str)] = &[(
    "ssls.client.skip_mtls_uri_regex",
    "Envoy asks for the client's certificate before there is a URI",
)];

/// Every field, as `kind.field.field`. What may stand in several places is one: `plugins.NAME.field`, `upstreams.field`.
pub fn all() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for kind in Kind::ALL {
        fields(kind.as_str(), &schema::of(kind), None, &mut found);
    }
    for name in plugin::names() {
        let schema = schema::of_plugin(name).expect("the schema of a plugin");
        fields(&format!("plugins.{name}"), &schema, None, &mut found);
    }
    found
}

/// Those that a document of the cases has.
pub fn used(cases: &[Case]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (_, kind, value) in cases.iter().flat_map(Case::values) {
        fields(kind.as_str(), &schema::of(kind), Some(&value), &mut found);
    }
    found
}

/// The fields below `path`: all of the schema, or those that a value has.
fn fields(path: &str, schema: &Value, value: Option<&Value>, found: &mut BTreeSet<String>) {
    for (name, below) in schema["properties"].as_object().into_iter().flatten() {
        let field = value.map(|value| value.get(name));
        if field != Some(None) {
            let at = place(path, name);
            fields(&at, below, field.flatten(), found);
            found.insert(at);
        }
    }
    for each in ["items", "additionalProperties"] {
        let below = &schema[each];
        match value {
            _ if !below.is_object() => {}
            None => fields(path, below, None, found),
            Some(Value::Array(items)) => {
                for item in items {
                    fields(path, below, Some(item), found);
                }
            }
            Some(Value::Object(others)) => {
                for other in others.values() {
                    fields(path, below, Some(other), found);
                }
            }
            Some(_) => {}
        }
    }
    for forms in ["anyOf", "oneOf", "allOf"] {
        for form in schema[forms].as_array().into_iter().flatten() {
            fields(path, form, value, found);
        }
    }
}

/// The name of a field. What is the same wherever it stands has one name.
fn place(path: &str, name: &str) -> String {
    match name {
        "plugins" | "_meta" => name.to_owned(),
        "upstream" => "upstreams".to_owned(),
        _ => format!("{path}.{name}"),
    }
}
