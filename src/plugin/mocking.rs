//! `mocking`: a fixed answer, and no upstream.

mod made_up;

use std::sync::Arc;
use std::time::Duration;

use envoy_types::pb::envoy::config::route::v3::Route;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::contract::{Definition, Plugin, Reading, refused, schema};
use super::shared::answer::{ANSWER_BYTES, Body, Text, answer_with};
use super::shared::header::{self, Checked, Headers};
use super::shared::{fault, share};
use crate::cohort::Ability;
use crate::envoy::filter;
use crate::model::Path;
use crate::model::decode::{self, quoted};
use crate::model::problem::Remark;
use crate::model::scalar::{AnswerStatus, Count, Within};
use crate::model::upstream::Cluster;

/// What bodies are that a schema describes.
const JSON: &str = "application/json";
/// Holds answers up.
const FILTER: &str = "chancery.mocking.delay";

pub(super) const ENTRY: Definition = Definition {
    name: "mocking",
    read,
    schema: schema::<Form>,
    refused: refused::<Form>,
    differs: &[(
        "response_schema",
        "what has no `example` is the same in every answer; no XML",
    )],
    http_filters: || vec![fault::disabled(FILTER)],
};

/// Answers by itself, without an upstream.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// The status of the answer.
    #[serde(default = "ok")]
    response_status: AnswerStatus,
    /// The `Content-Type` of the answer.
    content_type: Option<String>,
    /// The body of the answer, with variables.
    response_example: Option<Body>,
    /// A JSON Schema of the body, where there is no `response_example`: of its parts the `example`, or else something that fits.
    response_schema: Option<Map<String, Value>>,
    /// Further headers of the answer.
    #[serde(default)]
    response_headers: Headers,
    /// Whether the answer says that it is one, in `x-mock-by`.
    #[serde(default = "yes")]
    with_mock_header: bool,
    /// Seconds to wait before the answer.
    #[serde(default = "none")]
    delay: Count,
}

impl decode::Form for Form {}

fn yes() -> bool {
    true
}

fn ok() -> AnswerStatus {
    Within(200)
}

fn none() -> Count {
    Count(0)
}

#[derive(Debug)]
struct Mocking {
    status: u32,
    body: Text,
    headers: Checked,
    delay: Duration,
}

fn read(value: &Value, reading: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let warnings = &mut reading.warnings;
    let form: Form = decode::read(value)?;
    let (field, body) = body(&form, warnings)?;
    let text = Text::read(&body).map_err(|said| Remark::new(field, said))?;
    if body.len() > ANSWER_BYTES as usize {
        let message = format!(
            "found {} bytes, allowed: at most {ANSWER_BYTES}",
            body.len()
        );
        return Err(Remark::new(field, message));
    }
    let mut headers = header::checked("response_headers", &form.response_headers, warnings)?;
    let content_type = match form.content_type {
        None => "application/json;charset=utf8".to_owned(),
        Some(text) => header::text(&text).map_err(|said| Remark::new("content_type", said))?,
    };
    headers
        .entry("content-type".to_owned())
        .or_insert(content_type);
    if form.with_mock_header {
        let this = concat!("Chancery/", env!("CARGO_PKG_VERSION"));
        headers.insert("x-mock-by".to_owned(), this.to_owned());
    }
    Ok(Arc::new(Mocking {
        status: form.response_status.0,
        body: text,
        headers,
        delay: Duration::from_secs(form.delay.0.into()),
    }))
}

/// The body of answers, and the field that says it.
fn body(form: &Form, warnings: &mut Vec<Remark>) -> Result<(&'static str, String), Remark> {
    let schema = match (&form.response_example, &form.response_schema) {
        (None, Some(schema)) => schema,
        (example, _) => {
            let written = example.as_ref().map(|body| body.0.clone());
            return Ok(("response_example", written.unwrap_or_default()));
        }
    };
    let content = form.content_type.as_deref().unwrap_or(JSON);
    let kind = content.split(';').next().unwrap_or_default().trim();
    if ![JSON, "text/plain"].contains(&kind) {
        let message = format!(
            "found {} beside `response_schema`, allowed: {JSON}, text/plain; write other answers as `response_example`",
            quoted(content)
        );
        return Err(Remark::new("content_type", message));
    }
    let field = "response_schema";
    let made = made_up::object(schema, field)?;
    let message = "makes the same answer each time: what has no `example` is not drawn by lot";
    warnings.push(Remark::new(field, message));
    Ok((field, made.to_string()))
}

impl Plugin for Mocking {
    fn answers(&self, _: &[Path]) -> bool {
        true
    }

    fn needs(&self) -> Vec<Ability> {
        self.body.needs()
    }

    fn apply(&self, route: &mut Route, _: &[Arc<Cluster>]) {
        if !self.delay.is_zero() {
            filter::enable(route, FILTER, &fault::delay(self.delay, share::ALL));
        }
        answer_with(route, self.status, &self.body);
        let headers = self.headers.iter();
        route
            .response_headers_to_add
            .extend(headers.map(|(name, value)| header::set(name, value)));
    }
}

#[cfg(test)]
mod tests;
