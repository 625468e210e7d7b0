//! `request-validation`: requests whose headers or bodies are not as a schema has them are turned away.

use std::sync::Arc;

use envoy_types::pb::envoy::config::route::v3::Route;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::contract::{Definition, Plugin, Reading, refused, schema};
use super::shared::asked::CHECKS;
use super::shared::script;
use crate::model::bounds::LongText;
use crate::model::decode;
use crate::model::problem::Remark;
use crate::model::scalar::{AnswerStatus, Within};
use crate::model::upstream::Cluster;

mod pattern;
mod rule;

pub(super) const ENTRY: Definition = Definition {
    name: "request-validation",
    read,
    schema: schema::<Form>,
    refused: refused::<Form>,
    differs: &[
        (
            "body_schema",
            "of JSON Schema `type`, `enum` and `const` of texts, numbers and booleans, \
            `required`, `properties`, `additionalProperties` as a boolean, `minLength`, \
            `maxLength`, `pattern`, `minimum`, `maximum`, `exclusiveMinimum`, \
            `exclusiveMaximum`, `items` as one schema, `minItems`, `maxItems`, `uniqueItems` and \
            `default`; at most 512 schemas, and 16 within each other",
        ),
        (
            "header_schema",
            "of the schema itself only `type`, `required` and `properties`; of its properties \
            what `body_schema` has, and `default` has no effect",
        ),
        (
            "",
            "a `pattern` is characters and classes one after the other, without groups and `|`; \
            behind `^` these may repeat, each but the last before what it does not take itself",
        ),
        (
            "",
            "a body goes on as it came, with the defaults of what it lacks (up to 1 MiB) put in, not written anew, so one of JSON with a name twice in an \
            object is turned away; so is one with more than 100 levels, and one above \
            `buffer_bytes` of the gateway is answered with 413",
        ),
        ("", "what is no JSON is told in other words"),
    ],
    http_filters: || vec![script::discovered(CHECKS)],
};

/// Turns requests away whose headers or bodies are not as a schema has them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// What headers must be, as JSON Schema: `required` and `properties`.
    #[schemars(with = "Option<Map<String, Value>>")]
    header_schema: Option<Value>,
    /// What bodies must be, as JSON Schema: those of forms, and all others as JSON.
    #[schemars(with = "Option<Map<String, Value>>")]
    body_schema: Option<Value>,
    /// The status of the answer.
    #[serde(default = "bad_request")]
    rejected_code: AnswerStatus,
    /// What the client is told; without it, what is wrong with the request.
    rejected_msg: Option<LongText<256>>,
}

impl decode::Form for Form {}

fn bad_request() -> AnswerStatus {
    Within(400)
}

#[derive(Debug)]
struct RequestValidation {
    /// What the script goes by.
    told: Map<String, Value>,
}

fn read(value: &Value, _: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let form: Form = decode::read(value)?;
    if form.header_schema.is_none() && form.body_schema.is_none() {
        let message = "needs one of `header_schema` and `body_schema`, or both";
        return Err(Remark::whole(message));
    }
    let headers = form.header_schema.as_ref().map(rule::of_headers);
    let body = form.body_schema.as_ref().map(rule::of_body);
    let message = form.rejected_msg.map(|LongText(message)| json!(message));
    let told = [
        ("status", Some(json!(form.rejected_code.0.to_string()))),
        ("headers", headers.transpose()?),
        ("body", body.transpose()?),
        ("message", message),
    ];
    let told = told.into_iter();
    let told = told.filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Ok(Arc::new(RequestValidation {
        told: told.collect(),
    }))
}

impl Plugin for RequestValidation {
    fn runs(&self) -> Vec<&'static str> {
        vec![CHECKS]
    }

    fn apply(&self, route: &mut Route, _: &[Arc<Cluster>]) {
        script::enable(route, CHECKS, &self.told);
    }
}

#[cfg(test)]
mod tests;
