//! What every plugin may say of itself, whatever it does.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::decode;

/// The field that holds [`Meta`].
pub const META: &str = "_meta";

/// What every plugin may say of itself, whatever it does.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct Meta {
    /// Whether it is switched off: also what documents further away say of it.
    #[serde(default)]
    pub disable: bool,
}

impl decode::Form for Meta {
    const NOT_SERVED: &'static [&'static str] =
        &["error_response", "filter", "pre_function", "priority"];
}
