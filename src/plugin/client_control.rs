//! `client-control`: a bound on the request's body, and 413 beyond it.

use std::sync::Arc;

use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::extensions::filters::http::body_size_limit::v3::BodySizeLimit;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::contract::{Definition, Plugin, Reading, refused, schema};
use crate::cohort::Ability;
use crate::envoy::place;
use crate::envoy::proto::uint64;
use crate::model::decode;
use crate::model::problem::Remark;
use crate::model::scalar::Count;
use crate::model::upstream::Cluster;

const FILTER: &str = "chancery.client-control";

pub(super) const ENTRY: Definition = Definition {
    name: "client-control",
    read,
    schema: schema::<Form>,
    refused: refused::<Form>,
    differs: &[],
    http_filters: || vec![place::empty(FILTER)],
};

/// Answers 413 to requests with a longer body.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// The longest body in bytes; 0 is no bound.
    max_body_size: Option<Count>,
}

impl decode::Form for Form {}

#[derive(Debug)]
struct ClientControl {
    /// In bytes, never 0.
    max_body_size: Option<u32>,
}

fn read(value: &Value, _: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let form: Form = decode::read(value)?;
    Ok(Arc::new(ClientControl {
        max_body_size: form
            .max_body_size
            .map(|size| size.0)
            .filter(|size| *size > 0),
    }))
}

impl Plugin for ClientControl {
    fn needs(&self) -> Vec<Ability> {
        let bound = self.max_body_size.map(|_| Ability::BodySize);
        bound.into_iter().collect()
    }

    /// Counts the body as it passes, unlike Envoy's `buffer`, which would hold all of it first.
    fn apply(&self, route: &mut Route, _: &[Arc<Cluster>]) {
        if let Some(bytes) = self.max_body_size {
            let limit = BodySizeLimit {
                max_request_bytes: Some(uint64(bytes.into())),
            };
            place::fill(route, FILTER, &limit);
        }
    }
}

#[cfg(test)]
mod tests;
