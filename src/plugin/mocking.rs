//! `mocking`: a fixed answer, and no upstream.

use std::sync::Arc;
use std::time::Duration;

use envoy_types::pb::envoy::config::route::v3::Route;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::contract::{Definition, Plugin, Reading, refused, schema};
use super::shared::answer::{ANSWER_BYTES, Body, Text, answer_with};
use super::shared::header::{self, Checked, Headers};
use super::shared::{fault, share};
use crate::cohort::Ability;
use crate::envoy::filter;
use crate::model::problem::Remark;
use crate::model::scalar::{AnswerStatus, Count, Within};
use crate::model::upstream::Cluster;
use crate::model::{Path, decode};

/// Holds answers up.
const FILTER: &str = "chancery.mocking.delay";

pub(super) const ENTRY: Definition = Definition {
    name: "mocking",
    read,
    schema: schema::<Form>,
    refused: refused::<Form>,
    differs: &[],
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
    #[serde(default)]
    response_example: Body,
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

impl decode::Form for Form {
    const NOT_SERVED: &'static [&'static str] = &["response_schema"];
}

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
    let body = form.response_example.0;
    let text = Text::read(&body).map_err(|said| Remark::new("response_example", said))?;
    if body.len() > ANSWER_BYTES as usize {
        let message = format!(
            "found {} bytes, allowed: at most {ANSWER_BYTES}",
            body.len()
        );
        return Err(Remark::new("response_example", message));
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
