//! A service: what several routes have in common. It becomes nothing in Envoy by itself; its routes take its fields
//! where they have none of their own.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::Value;

use super::route::form::target;
use crate::model::key::{Id, Key};
use crate::model::problem::Remark;
use crate::model::scalar::each_once;
use crate::model::upstream::Target;
use crate::model::{Host, bookkeeping, decode};
use crate::plugin::{Plugins, plugins_schema};

/// What several routes have in common; a route's own fields win.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// The hosts of its routes that name none; any if not written.
    #[serde(default)]
    hosts: Vec<Host>,
    /// Whether connections may become WebSockets; false if not written.
    enable_websocket: Option<bool>,
    /// What is done to requests and answers beside passing them on, by the name of the plugin.
    #[serde(default)]
    #[schemars(schema_with = "plugins_schema")]
    plugins: Option<Value>,
    /// Where requests go; in place of `upstream_id`.
    #[serde(default)]
    #[schemars(schema_with = "crate::model::upstream::form::schema")]
    upstream: Option<Value>,
    /// The upstream document that says where requests go.
    upstream_id: Option<Id>,
}

impl decode::Form for Form {
    const NOT_IN_ENVOY: &'static [(&'static str, &'static str)] =
        &[("script", "Envoy does not run the Lua of a document")];
}

impl bookkeeping::Kept for Form {}

/// A service, checked for itself.
#[derive(Debug, Clone)]
pub(super) struct Service {
    pub hosts: Vec<Host>,
    pub websocket: Option<bool>,
    pub plugins: Plugins,
    pub target: Option<Target>,
}

pub(super) fn schema(generator: &mut SchemaGenerator) -> Schema {
    bookkeeping::schema::<Form>(generator)
}

pub(super) fn read(
    key: &Key,
    value: &Value,
    warnings: &mut Vec<Remark>,
) -> Result<Service, Remark> {
    let (form, _) = bookkeeping::read::<Form>(key, value)?;
    each_once("hosts", &form.hosts)?;
    Ok(Service {
        hosts: form.hosts,
        websocket: form.enable_websocket,
        plugins: Plugins::read(key, form.plugins.as_ref(), warnings)?,
        target: target(key, form.upstream.as_ref(), form.upstream_id, warnings)?,
    })
}
