//! `request-id`: every request has an id, which the instance and the client see.

use std::sync::Arc;

use envoy_types::pb::envoy::config::common::mutation_rules::v3::HeaderMutation as Mutation;
use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::extensions::filters::http::header_mutation::v3::{
    HeaderMutation, HeaderMutationPerRoute, Mutations,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::contract::{Definition, Plugin, Reading, schema};
use super::shared::header;
use crate::envoy::filter;
use crate::model::decode;
use crate::model::problem::Remark;
use crate::model::upstream::Cluster;

const FILTER: &str = "chancery.request-id";

pub(super) const ENTRY: Definition = Definition {
    name: "request-id",
    read,
    schema: schema::<Form>,
    http_filters: || vec![filter::disabled(FILTER, &HeaderMutation::default())],
};

/// Gives every request an id, which the instance and the client see.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// The header that holds the id; what the client sends there stays.
    #[serde(default = "header_name")]
    header_name: String,
    /// Whether the client is told.
    #[serde(default = "yes")]
    include_in_response: bool,
    /// How ids are made.
    #[serde(default)]
    algorithm: Algorithm,
}

impl decode::Form for Form {
    const NOT_IN_ENVOY: &'static [(&'static str, &'static str)] =
        &[("range_id", "Envoy's ids are UUIDs")];
}

fn header_name() -> String {
    "X-Request-Id".to_owned()
}

fn yes() -> bool {
    true
}

#[derive(Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Algorithm {
    #[default]
    Uuid,
    Nanoid,
    RangeId,
    Ksuid,
}

#[derive(Debug)]
struct RequestId {
    header: String,
    include_in_response: bool,
}

fn read(value: &Value, _: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let form: Form = decode::read(value)?;
    if form.algorithm != Algorithm::Uuid {
        let message = "allowed: \"uuid\", as Envoy's ids are UUIDs";
        return Err(Remark::new("algorithm", message));
    }
    let header =
        header::changeable(&form.header_name).map_err(|said| Remark::new("header_name", said))?;
    if header == "host" {
        let message = "found \"host\", allowed: a header that clients need not send";
        return Err(Remark::new("header_name", message));
    }
    Ok(Arc::new(RequestId {
        header,
        include_in_response: form.include_in_response,
    }))
}

impl Plugin for RequestId {
    fn apply(&self, route: &mut Route, _: &[Arc<Cluster>]) {
        let missing = |value: &str| header::mutation(header::default(&self.header, value));
        let from_request = || missing(&format!("%REQ({})%", self.header));
        let response: Vec<Mutation> = self
            .include_in_response
            .then(from_request)
            .into_iter()
            .collect();
        let config = HeaderMutationPerRoute {
            mutations: Some(Mutations {
                request_mutations: vec![missing("%UNIQUE_ID%")],
                response_mutations: response,
                ..Mutations::default()
            }),
        };
        filter::enable(route, FILTER, &config);
    }
}

#[cfg(test)]
mod tests;
