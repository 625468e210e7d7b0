//! The schema of every kind and plugin, generated from the types that documents are read into (JSON Schema 2020-12).

use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::Value;

use super::{plugin_config, route, service, stream_route};
use crate::model::bounds;
use crate::model::key::Kind;
use crate::model::{consumer, gateway, manager, protos, ssl, upstream};
use crate::plugin;

/// The schema of a kind of documents.
pub fn of(kind: Kind) -> Value {
    generate(match kind {
        Kind::Route => route::form::schema,
        Kind::Upstream => upstream::form::schema,
        Kind::Service => service::schema,
        Kind::PluginConfig | Kind::GlobalRule => plugin_config::schema,
        Kind::Ssl => ssl::form::schema,
        Kind::StreamRoute => stream_route::schema,
        Kind::Gateway => gateway::form::schema,
        Kind::Consumer => consumer::consumer_schema,
        Kind::Credential => consumer::credential_schema,
        Kind::ConsumerGroup => consumer::group_schema,
        Kind::PluginMetadata => plugin::metadata::schema,
        Kind::Proto => protos::schema,
        Kind::Secret => manager::schema,
    })
}

/// The schema of a plugin's configuration; nothing when there is no such plugin.
pub fn of_plugin(name: &str) -> Option<Value> {
    plugin::schema_of(name).map(generate)
}

/// The schema of what a consumer holds of a plugin; nothing for a plugin that asks for no consumer.
pub fn of_credential(name: &str) -> Option<Value> {
    let schema = of(Kind::Credential);
    schema
        .pointer("/properties/plugins/properties")?
        .get(name)
        .cloned()
}

/// The schema of a plugin's metadata; nothing for a plugin without any.
pub fn of_metadata(name: &str) -> Option<Value> {
    let own = plugin::metadata::fields_of(name)?;
    let mut schema = of(Kind::PluginMetadata);
    if let Some(Value::Object(fields)) = schema.get_mut("properties") {
        fields.retain(|name, _| own.contains(&name.as_str()));
    }
    Some(schema)
}

/// What the schema says of a field (`upstream.nodes[0].port`), on one line; nothing where it says nothing.
pub fn says(kind: Kind, field: &str) -> Option<String> {
    let schema = of(kind);
    let steps = field.split(['.', '[']).filter(|step| !step.is_empty());
    let found = steps.fold(vec![&schema], |schemas, step| {
        if step.ends_with(']') {
            within(schemas, |schema| schema.get("items"))
        } else {
            within(schemas, |schema| schema.get("properties")?.get(step))
        }
    });
    let said = found.iter().find_map(|schema| schema.get("description"))?;
    let words = said.as_str()?.split_whitespace();
    Some(words.collect::<Vec<_>>().join(" "))
}

/// What lies one step below, whichever of its forms a field has.
fn within<'a>(
    schemas: Vec<&'a Value>,
    step: impl Fn(&'a Value) -> Option<&'a Value>,
) -> Vec<&'a Value> {
    let below = schemas.into_iter().flat_map(alternatives).filter_map(step);
    below.flat_map(alternatives).collect()
}

pub(super) fn alternatives(schema: &Value) -> Vec<&Value> {
    let forms = ["anyOf", "oneOf", "allOf"]
        .into_iter()
        .filter_map(|form| schema.get(form)?.as_array())
        .flatten();
    std::iter::once(schema).chain(forms).collect()
}

fn generate(schema: impl Fn(&mut SchemaGenerator) -> Schema) -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.inline_subschemas = true;
    let mut generator = settings.into_generator();
    let mut schema = schema(&mut generator);
    // The name of the Rust type.
    schema.remove("title");
    let mut value = Value::from(schema);
    without_null(&mut value);
    bounds::state(&mut value);
    if let Value::Object(fields) = &mut value {
        let dialect = "https://json-schema.org/draft/2020-12/schema";
        fields.insert("$schema".to_owned(), dialect.into());
    }
    value
}

/// A field may be left out; `null` is a value, and no document may hold it.
fn without_null(schema: &mut Value) {
    match schema {
        Value::Array(items) => {
            items.retain(|item| item.get("type").is_none_or(|kind| kind != "null"));
            items.iter_mut().for_each(without_null);
        }
        Value::Object(fields) => {
            if let Some(Value::Array(types)) = fields.get_mut("type") {
                types.retain(|kind| kind != "null");
            }
            if fields.get("default").is_some_and(Value::is_null) {
                fields.remove("default");
            }
            fields.values_mut().for_each(without_null);
            for (field, only) in fields.iter_mut() {
                if let ("type", Value::Array(types)) = (field.as_str(), &*only)
                    && let [one] = types.as_slice()
                {
                    *only = one.clone();
                }
            }
            if let Some(Value::Array(forms)) = fields.get("anyOf")
                && let [Value::Object(one)] = forms.as_slice()
            {
                let one = one.clone();
                fields.remove("anyOf");
                for (field, value) in one {
                    // What the field says of itself goes before what its type says.
                    fields.entry(field).or_insert(value);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
