//! Plugins in a document of their own: `plugin_configs`, which routes refer to, and `global_rules`, which run before those of
//! every route. Of the others a plugin of the same name that is nearer to the route wins: the route's own, then those of its
//! plugin config, its service.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::Value;

use crate::model::key::Key;
use crate::model::problem::Remark;
use crate::model::{bookkeeping, decode};
use crate::plugin::{Plugins, plugins_schema};

/// Plugins for the routes that name this document (`plugin_configs`), or for all (`global_rules`).
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// The plugins, by name.
    #[schemars(schema_with = "plugins_schema")]
    plugins: Value,
}

impl decode::Form for Form {}

impl bookkeeping::Kept for Form {}

pub(super) fn schema(generator: &mut SchemaGenerator) -> Schema {
    bookkeeping::schema::<Form>(generator)
}

pub(super) fn read(
    key: &Key,
    value: &Value,
    warnings: &mut Vec<Remark>,
) -> Result<Plugins, Remark> {
    let (form, _) = bookkeeping::read::<Form>(key, value)?;
    Plugins::read(key, Some(&form.plugins), warnings)
}
