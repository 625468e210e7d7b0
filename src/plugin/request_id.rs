//! `request-id`: every request has an id, which the instance and the client see.

use std::sync::Arc;

use envoy_types::pb::envoy::config::common::mutation_rules::v3::HeaderMutation as Mutation;
use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::extensions::filters::http::header_mutation::v3::{
    HeaderMutation, HeaderMutationPerRoute, Mutations,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::contract::{Definition, Plugin, Reading, refused, schema};
use super::shared::{header, script};
use crate::envoy::filter;
use crate::model::decode;
use crate::model::problem::Remark;
use crate::model::scalar::Within;
use crate::model::upstream::Cluster;

const FILTER: &str = "chancery.request-id";
/// Makes ids that Envoy has no operator for.
const IDS: &str = "chancery.request-id.ids";

pub(super) const ENTRY: Definition = Definition {
    name: "request-id",
    read,
    schema: schema::<Form>,
    refused: refused::<Form>,
    differs: &[(
        "range_id",
        "`char_set` in ASCII, and at most 256 characters",
    )],
    http_filters: || {
        vec![
            script::discovered(IDS),
            filter::disabled(FILTER, &HeaderMutation::default()),
        ]
    },
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
    /// What ids of `range_id` are made of.
    #[schemars(with = "Option<RangeForm>")]
    range_id: Option<Value>,
}

impl decode::Form for Form {}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct RangeForm {
    /// How many characters an id has.
    #[serde(default = "length")]
    length: Within<6, 256>,
    /// The characters that it is made of: at least six, letters, digits or signs of ASCII.
    #[serde(default = "characters")]
    char_set: String,
}

impl decode::Form for RangeForm {}

fn length() -> Within<6, 256> {
    Within(16)
}

/// As APISIX has them, with one letter twice.
fn characters() -> String {
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIGKLMNOPQRSTUVWXYZ0123456789".to_owned()
}

fn header_name() -> String {
    "X-Request-Id".to_owned()
}

fn yes() -> bool {
    true
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Algorithm {
    #[default]
    Uuid,
    Uuidv7,
    Nanoid,
    RangeId,
    Ksuid,
}

#[derive(Debug)]
struct RequestId {
    header: String,
    include_in_response: bool,
    /// What the script goes by, where it makes the ids.
    ids: Option<Map<String, Value>>,
}

fn read(value: &Value, _: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let form: Form = decode::read(value)?;
    let header =
        header::changeable(&form.header_name).map_err(|said| Remark::new("header_name", said))?;
    if header == "host" {
        let message = "found \"host\", allowed: a header that clients need not send";
        return Err(Remark::new("header_name", message));
    }
    Ok(Arc::new(RequestId {
        ids: ids(&form, &header)?,
        header,
        include_in_response: form.include_in_response,
    }))
}

fn ids(form: &Form, header: &str) -> Result<Option<Map<String, Value>>, Remark> {
    let written = form.range_id.clone().unwrap_or_else(|| json!({}));
    let range: RangeForm = decode::read(&written).map_err(|remark| remark.under("range_id"))?;
    let plain = range.char_set.bytes().all(|b| b.is_ascii_graphic());
    if !plain || !(6..=256).contains(&range.char_set.len()) {
        let message = "found something else, allowed: 6 to 256 letters, digits and signs of ASCII";
        return Err(Remark::new("range_id.char_set", message));
    }
    let told = [
        ("algorithm", json!(form.algorithm)),
        ("header", json!(header)),
        ("length", json!(range.length.0)),
        ("characters", json!(range.char_set)),
    ];
    let told = told.map(|(name, value)| (name.to_owned(), value));
    Ok((form.algorithm != Algorithm::Uuid).then(|| told.into_iter().collect()))
}

impl Plugin for RequestId {
    fn runs(&self) -> Vec<&'static str> {
        self.ids.iter().map(|_| IDS).collect()
    }

    fn apply(&self, route: &mut Route, _: &[Arc<Cluster>]) {
        if let Some(ids) = &self.ids {
            script::enable(route, IDS, ids);
        }
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
