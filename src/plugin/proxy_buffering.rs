//! `proxy-buffering`: whether an answer is held until the instance has sent it. Envoy never does: it passes on what it has,
//! and slows the instance down where the client is slow.

use std::sync::Arc;

use envoy_types::pb::envoy::config::route::v3::Route;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::contract::{Definition, Plugin, Reading, refused, schema};
use crate::model::decode;
use crate::model::problem::Remark;
use crate::model::upstream::Cluster;

pub(super) const ENTRY: Definition = Definition {
    name: "proxy-buffering",
    read,
    schema: schema::<Form>,
    refused: refused::<Form>,
    differs: &[(
        "disable_proxy_buffering",
        "answers are always passed on as they come",
    )],
    http_filters: Vec::new,
};

/// Whether an answer is held until the instance has sent it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// Whether answers pass as they come.
    #[serde(default)]
    disable_proxy_buffering: bool,
}

impl decode::Form for Form {}

#[derive(Debug)]
struct ProxyBuffering;

fn read(value: &Value, reading: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let form: Form = decode::read(value)?;
    if !form.disable_proxy_buffering {
        let message = "false has no effect: Envoy passes answers on as they come";
        let remark = Remark::new("disable_proxy_buffering", message);
        reading.warnings.push(remark);
    }
    Ok(Arc::new(ProxyBuffering))
}

impl Plugin for ProxyBuffering {
    fn apply(&self, _: &mut Route, _: &[Arc<Cluster>]) {}
}

#[cfg(test)]
mod tests;
