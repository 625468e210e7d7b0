//! `real-ip`: refused, with the place where it can be said. Envoy decides who the client is before it looks for a route.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::contract::{Definition, Plugin, Reading, refused, schema};
use crate::model::decode;
use crate::model::problem::Remark;

pub(super) const ENTRY: Definition = Definition {
    name: "real-ip",
    read,
    schema: schema::<Form>,
    refused: refused::<Form>,
    differs: &[("", "refused: write `real_ip` of the gateway")],
    http_filters: Vec::new,
};

/// Refused here: a gateway says where the address of clients stands, in `real_ip`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[expect(dead_code, reason = "it is read to be refused")]
struct Form {
    /// Where the client's address stands, such as `http_x_forwarded_for`.
    source: String,
    /// The proxies that may say so.
    trusted_addresses: Option<Vec<String>>,
    /// Whether the last address that is not a trusted proxy's is meant.
    recursive: Option<bool>,
}

impl decode::Form for Form {}

fn read(value: &Value, _: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    decode::read::<Form>(value)?;
    Err(Remark::whole(
        "is not served: Envoy decides who the client is before it looks for a route, so it cannot differ between routes; \
         write `real_ip` of the gateway instead",
    ))
}

#[cfg(test)]
mod tests;
