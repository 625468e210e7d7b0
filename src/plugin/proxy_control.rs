//! `proxy-control`: whether a request's body is held until the client has sent it. Envoy never does: it passes on what it has,
//! and slows the client down where the instance is slow.

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
    name: "proxy-control",
    read,
    schema: schema::<Form>,
    refused: refused::<Form>,
    differs: &[(
        "request_buffering",
        "bodies are always passed on as they come",
    )],
    http_filters: Vec::new,
};

/// Whether a request's body is held until the client has sent it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// Whether bodies are held until they are whole.
    #[serde(default = "yes")]
    request_buffering: bool,
}

impl decode::Form for Form {}

fn yes() -> bool {
    true
}

#[derive(Debug)]
struct ProxyControl;

fn read(value: &Value, reading: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let form: Form = decode::read(value)?;
    if form.request_buffering {
        let message = "true has no effect: Envoy passes bodies on as they come";
        let remark = Remark::new("request_buffering", message);
        reading.warnings.push(remark);
    }
    Ok(Arc::new(ProxyControl))
}

impl Plugin for ProxyControl {
    fn apply(&self, _: &mut Route, _: &[Arc<Cluster>]) {}
}

#[cfg(test)]
mod tests;
