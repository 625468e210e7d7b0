//! `http-logger`: what a route's requests were, and what became of them, posted to a server. Envoy tells `chancery logs`, which
//! posts it.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::contract::{Definition, Plugin, Reading, refused};
use super::shared::logger;
use crate::model::bounds::LongText;
use crate::model::decode;
use crate::model::log_target::To;
use crate::model::problem::Remark;
use crate::model::scalar::Within;

pub(super) const ENTRY: Definition = Definition {
    name: "http-logger",
    read,
    schema: logger::schema::<Form>,
    refused: refused::<Form>,
    differs: logger::differs![
        (
            "uri",
            "posted by `chancery logs`, which `logs` of the gateway names; refused without it",
        ),
        (
            "auth_header",
            "is for that process to know (`--authorization`), not for Envoy",
        ),
    ],
    // Its filter stands before those of all plugins.
    http_filters: Vec::new,
};

/// What became of each request, posted to a server in batches.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// Where entries are posted: `http://` or `https://`.
    uri: LongText<4096>,
    /// Not read: `chancery logs` is told.
    auth_header: Option<String>,
    /// Seconds that a post may take.
    #[serde(default = "three")]
    timeout: Within<1, 3600>,
    /// How the entries of a batch go together; where `batch_max_size` is 1, an object goes alone.
    #[serde(default)]
    concat_method: Concatenation,
    /// Whether the server's certificate has to be good.
    #[serde(default)]
    ssl_verify: bool,
}

impl decode::Form for Form {
    const NOT_IN_ENVOY: &'static [(&'static str, &'static str)] = logger::BODIES;
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Concatenation {
    /// An array.
    #[default]
    Json,
    /// A line each.
    NewLine,
}

fn three() -> Within<1, 3600> {
    Within(3)
}

fn read(value: &Value, reading: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let (form, fields) = logger::read::<Form>(value)?;
    logger::check_url("uri", &form.uri.0)?;
    if form.auth_header.is_some() {
        reading
            .warnings
            .push(Remark::new("auth_header", logger::SHOWN));
    }
    fields.to(To::Http {
        uri: form.uri.0,
        timeout: form.timeout.0,
        verify: form.ssl_verify,
        lines: form.concat_method == Concatenation::NewLine,
    })
}

#[cfg(test)]
pub(super) mod tests;
