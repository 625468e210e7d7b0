//! `gzip`: answers are compressed for clients that take it.

use std::sync::Arc;

use envoy_types::pb::envoy::extensions::compression::gzip::compressor::v3::Gzip as Library;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::contract::{Definition, Plugin, Reading, refused, schema};
use super::shared::compression::{self, Compression, HttpVersion, Types};
use crate::envoy::place;
use crate::envoy::proto::extension;
use crate::model::decode;
use crate::model::problem::Remark;
use crate::model::scalar::Quantity;

const FILTER: &str = "chancery.gzip";

pub(super) const ENTRY: Definition = Definition {
    name: "gzip",
    read,
    schema: schema::<Form>,
    refused: refused::<Form>,
    differs: &[
        ("buffers", "buffers are Envoy's"),
        ("vary", "`Vary` is always added"),
    ],
    http_filters: || vec![place::empty(FILTER)],
};

/// Compresses answers with gzip for clients that take it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// The media types that are compressed.
    #[serde(default)]
    types: Types,
    /// The shortest body in bytes; one of unknown length is compressed as well.
    #[serde(default = "compression::min_length")]
    min_length: Quantity,
    /// From fast to small, 1–9.
    #[serde(default)]
    comp_level: Level,
    /// The version of HTTP that clients must have at least, 1.0 or 1.1; Envoy compresses for both.
    http_version: Option<HttpVersion>,
    /// nginx's buffers.
    buffers: Option<Buffers>,
    /// Whether answers have `Vary: Accept-Encoding`; Envoy always says so.
    vary: Option<bool>,
}

impl decode::Form for Form {}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[expect(dead_code, reason = "Envoy has no use for them, which is told")]
struct Buffers {
    /// How many.
    number: Option<Quantity>,
    /// Bytes of each.
    size: Option<Quantity>,
}

#[derive(Debug, Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "i64")]
struct Level(#[schemars(range(min = 1, max = 9))] i32);

impl Default for Level {
    fn default() -> Self {
        Self(1)
    }
}

impl TryFrom<i64> for Level {
    type Error = String;

    fn try_from(level: i64) -> Result<Self, String> {
        match i32::try_from(level) {
            Ok(level @ 1..=9) => Ok(Self(level)),
            _ => Err(format!("found {level}, allowed: 1–9")),
        }
    }
}

fn read(value: &Value, reading: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let form: Form = decode::read(value)?;
    form.types.check()?;
    let versions = compression::http_version(form.http_version);
    reading.warnings.extend(versions);
    reading.warnings.extend(compression::vary(form.vary));
    if form.buffers.is_some() {
        let message = "has no effect: Envoy compresses with buffers of its own";
        reading.warnings.push(Remark::new("buffers", message));
    }
    let library = Library {
        // Its levels are zlib's.
        compression_level: form.comp_level.0,
        ..Library::default()
    };
    Ok(Arc::new(Compression {
        place: FILTER,
        filter: compression::compressor(
            &form.types,
            form.min_length.0,
            extension("gzip", &library),
        ),
    }))
}

#[cfg(test)]
mod tests;
