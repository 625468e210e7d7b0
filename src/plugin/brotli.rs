//! `brotli`: answers are compressed for clients that take it; before `gzip`, for clients that take both.

use std::sync::Arc;

use envoy_types::pb::envoy::extensions::compression::brotli::compressor::v3::{
    Brotli as Library, brotli::EncoderMode,
};
use envoy_types::pb::envoy::extensions::filters::http::compressor::v3::Compressor;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::contract::{Definition, Plugin, Reading, refused, schema};
use super::shared::compression::{self, Compression, HttpVersion, Types};
use crate::envoy::place;
use crate::envoy::proto::{extension, uint32};
use crate::model::decode;
use crate::model::problem::Remark;
use crate::model::scalar::{Count, Quantity, Within};

const FILTER: &str = "chancery.brotli";

pub(super) const ENTRY: Definition = Definition {
    name: "brotli",
    read,
    schema: schema::<Form>,
    refused: refused::<Form>,
    differs: &[
        ("", "buffers are Envoy's"),
        ("vary", "`Vary` is always added"),
    ],
    http_filters: || vec![place::empty(FILTER)],
};

/// Compresses answers with brotli for clients that take it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// The media types that are compressed.
    #[serde(default)]
    types: Types,
    /// The shortest body in bytes; one of unknown length is compressed as well.
    #[serde(default = "compression::min_length")]
    min_length: Quantity,
    /// What is compressed: 0 anything, 1 text, 2 fonts.
    mode: Option<Within<0, 2>>,
    /// From fast to small, 0–11.
    #[serde(default = "comp_level")]
    comp_level: Within<0, 11>,
    /// The window, as a power of two; 0 leaves it to the library.
    #[serde(default = "lgwin")]
    lgwin: Count,
    /// The block, likewise.
    lgblock: Option<Count>,
    /// The version of HTTP that clients must have at least, 1.0 or 1.1; Envoy compresses for both.
    http_version: Option<HttpVersion>,
    /// Whether answers have `Vary: Accept-Encoding`; Envoy always says so.
    vary: Option<bool>,
}

impl decode::Form for Form {}

fn comp_level() -> Within<0, 11> {
    Within(6)
}

fn lgwin() -> Count {
    Count(19)
}

fn read(value: &Value, reading: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let form: Form = decode::read(value)?;
    form.types.check()?;
    let versions = compression::http_version(form.http_version);
    reading.warnings.extend(versions);
    reading.warnings.extend(compression::vary(form.vary));
    let library = Library {
        quality: Some(uint32(form.comp_level.0)),
        encoder_mode: match form.mode.map_or(0, |mode| mode.0) {
            0 => EncoderMode::Generic,
            1 => EncoderMode::Text,
            _ => EncoderMode::Font,
        }
        .into(),
        window_bits: power("lgwin", form.lgwin.0, 10)?.map(uint32),
        input_block_bits: power("lgblock", form.lgblock.map_or(0, |block| block.0), 16)?
            .map(uint32),
        ..Library::default()
    };
    Ok(Arc::new(Compression {
        place: FILTER,
        filter: Compressor {
            choose_first: true,
            ..compression::compressor(
                &form.types,
                form.min_length.0,
                extension("brotli", &library),
            )
        },
    }))
}

/// A power of two, or 0 for the library's own.
fn power(field: &str, found: u32, from: u32) -> Result<Option<u32>, Remark> {
    match found {
        0 => Ok(None),
        _ if (from..=24).contains(&found) => Ok(Some(found)),
        _ => Err(Remark::new(
            field,
            format!("found {found}, allowed: 0, {from}–24"),
        )),
    }
}

#[cfg(test)]
mod tests;
