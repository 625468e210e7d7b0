//! Plugins in a document of their own: `plugin_configs`, which routes refer to, and `global_rules`, which hold for every
//! route. A plugin of the same name that is nearer to the route wins: the route's own, then those of its plugin config, its
//! service, the global rules.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::Value;

use crate::model::decode;
use crate::model::key::{Id, Key};
use crate::model::problem::Remark;
use crate::model::scalar::{Labels, Timestamp, same_id};
use crate::plugin::{Plugins, plugins_schema};

/// Plugins for the routes that name this document (`plugin_configs`), or for all (`global_rules`).
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    id: Option<Id>,
    #[serde(rename = "name")]
    _name: Option<String>,
    #[serde(rename = "desc")]
    _desc: Option<String>,
    #[serde(rename = "labels")]
    _labels: Option<Labels>,
    #[serde(rename = "create_time")]
    _create_time: Option<Timestamp>,
    #[serde(rename = "update_time")]
    _update_time: Option<Timestamp>,
    /// The plugins, by name.
    #[schemars(schema_with = "plugins_schema")]
    plugins: Value,
}

impl decode::Form for Form {}

pub(super) fn schema(generator: &mut SchemaGenerator) -> Schema {
    Form::json_schema(generator)
}

pub(super) fn read(
    key: &Key,
    value: &Value,
    warnings: &mut Vec<Remark>,
) -> Result<Plugins, Remark> {
    let form: Form = decode::read(value)?;
    same_id(form.id.as_ref(), &key.id)?;
    Plugins::read(key, Some(&form.plugins), warnings)
}
