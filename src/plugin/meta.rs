//! What every plugin may say of itself, whatever it does.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;

use super::shared::condition::Condition;
use crate::model::bounds::{CHARACTERS, FIELDS, ITEMS, text_within, within};
use crate::model::decode::{self, kind_of};
use crate::model::problem::Remark;

/// The field that holds [`Meta`].
pub const META: &str = "_meta";

/// What every plugin may say of itself, whatever it does.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct Meta {
    /// Whether it is switched off: also what documents further away say of it.
    #[serde(default)]
    pub disable: bool,
    /// Which requests it is for, as a route's `vars`; the others pass as if it were not there.
    #[schemars(with = "Option<Vec<Value>>")]
    filter: Option<Value>,
    /// What clients are told in place of what it tells those whom it turns away: a text, or an object.
    #[serde(default)]
    #[schemars(schema_with = "text_or_object")]
    error_response: Option<Value>,
}

impl decode::Form for Meta {
    const NOT_IN_ENVOY: &'static [(&'static str, &'static str)] = &[
        ("pre_function", "Envoy does not run the Lua of a document"),
        (
            "priority",
            "plugins run in the order of APISIX's own priorities on all routes; leave it out where that order will do",
        ),
    ];
}

fn text_or_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": ["string", "object"], "maxLength": CHARACTERS, "maxProperties": FIELDS})
}

impl Meta {
    /// Refuses what is too large, before the plugin is looked at.
    pub fn bounded(&self) -> Result<(), Remark> {
        let held = |field: &str, held: Result<(), String>| {
            held.map_err(|said| Remark::new(format!("{META}.{field}"), said))
        };
        if let Some(Value::Array(all)) = &self.filter {
            held("filter", within(all.len(), "items", ITEMS))?;
        }
        match &self.error_response {
            Some(Value::String(text)) => held("error_response", text_within(text, CHARACTERS)),
            Some(Value::Object(fields)) => {
                held("error_response", within(fields.len(), "fields", FIELDS))
            }
            _ => Ok(()),
        }
    }

    /// Which requests are meant.
    pub fn condition(&self, warnings: &mut Vec<Remark>) -> Result<Condition, Remark> {
        let filter = self.filter.iter().map(|vars| ("filter".to_owned(), vars));
        Condition::any(&filter.collect::<Vec<_>>(), warnings)
    }

    /// The body of answers.
    pub fn error(&self) -> Result<Option<String>, Remark> {
        let wrong = |found: String| {
            Remark::new(
                "error_response",
                format!(
                    "found {found}, allowed: a text or an object, of at most {CHARACTERS} bytes"
                ),
            )
        };
        let body = match &self.error_response {
            None => return Ok(None),
            Some(Value::String(text)) => text.clone(),
            Some(Value::Object(fields)) => Value::Object(fields.clone()).to_string(),
            Some(other) => return Err(wrong(kind_of(other).to_string())),
        };
        if body.is_empty() || body.len() > CHARACTERS {
            return Err(wrong(format!("{} bytes", body.len())));
        }
        Ok(Some(body))
    }
}
