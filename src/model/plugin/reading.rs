//! Reading the configuration of one plugin.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::super::decode::{self, kind_of};
use super::super::key::Key;
use super::super::problem::Remark;
use super::super::upstream::{self, Target};
use super::{Entry, Plugin};

/// Where the configuration of a plugin is read from, and what is said of it on the way.
pub(super) struct Reading<'a> {
    /// The document that holds it.
    pub(super) key: &'a Key,
    /// The plugin's name.
    pub(super) name: &'static str,
    /// How many upstreams it has told of.
    pub(super) upstreams: usize,
    /// What Envoy does not do exactly; fields as seen from within the configuration.
    pub(super) warnings: Vec<Remark>,
}

impl Reading<'_> {
    /// Reads an upstream that stands in the configuration, at `field`. Its cluster is named after the document and the
    /// plugin: `route/echo/traffic-split/0`.
    pub(super) fn upstream(&mut self, field: &str, value: &Value) -> Result<Target, Remark> {
        let plugin = format!("{}/{}", self.name, self.upstreams);
        self.upstreams += 1;
        let mut warnings = Vec::new();
        let cluster = upstream::form::read_for_plugin(self.key, &plugin, value, &mut warnings)
            .map_err(|remark| remark.under(field))?;
        let warnings = warnings.into_iter().map(|remark| remark.under(field));
        self.warnings.extend(warnings);
        Ok(Target::Inline(Arc::new(cluster)))
    }
}

/// The field that holds [`Meta`].
pub(super) const META: &str = "_meta";

/// What every plugin may say of itself, whatever it does.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(super) struct Meta {
    /// Whether it is switched off: also what documents further away say of it.
    #[serde(default)]
    disable: bool,
}

impl decode::Form for Meta {
    const NOT_SERVED: &'static [&'static str] =
        &["error_response", "filter", "pre_function", "priority"];
}

pub(super) fn read(
    entry: &Entry,
    value: &Value,
    reading: &mut Reading,
) -> Result<Option<Arc<dyn Plugin>>, Remark> {
    let Value::Object(fields) = value else {
        let message = format!("found {}, allowed: an object", kind_of(value));
        return Err(Remark::whole(message));
    };
    let mut own = fields.clone();
    let meta: Meta = match own.remove(META) {
        None => Meta::default(),
        Some(meta) => decode::read(&meta).map_err(|remark| remark.under(META))?,
    };
    let plugin = (entry.read)(&Value::Object(own), reading)?;
    Ok(Some(plugin).filter(|_| !meta.disable))
}
