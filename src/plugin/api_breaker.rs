//! `api-breaker`: what keeps answering with errors gets no requests for a while.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use envoy_types::pb::envoy::config::route::v3::Route;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::contract::{Definition, Plugin, Reading, refused, schema};
use super::shared::header::{self, Checked, Headers, Text};
use super::shared::instead::BROKEN;
use crate::model::bounds::{List, LongText};
use crate::model::decode;
use crate::model::key::Kind;
use crate::model::problem::Remark;
use crate::model::scalar::{AnswerStatus, Quantity, Within, each_once};
use crate::model::upstream::{Breaker, Cluster};

pub(super) const ENTRY: Definition = Definition {
    name: "api-breaker",
    read,
    schema: schema::<Form>,
    refused: refused::<Form>,
    differs: &[(
        "unhealthy",
        "breaks by instance, not by URI: one that fails gets no requests for 2 s, 4 s, 6 s …; \
            clients are told when none is left",
    )],
    http_filters: || vec![BROKEN.filter()],
};

/// An upstream that keeps answering with errors gets no requests for a while.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// What clients are told meanwhile.
    break_response_code: AnswerStatus,
    /// The body of that.
    break_response_body: Option<LongText<LONGEST>>,
    /// Headers of it, where there is a body.
    #[serde(default)]
    break_response_headers: List<HeaderForm, HEADERS>,
    /// The longest while, in seconds.
    #[serde(default = "max_breaker_sec")]
    max_breaker_sec: Quantity,
    /// What counts as an error, and how many break.
    #[serde(default)]
    #[schemars(with = "Option<UnhealthyForm>")]
    unhealthy: Option<Value>,
    /// Has no effect: Envoy asks again when the while is over.
    #[schemars(with = "Option<HealthyForm>")]
    healthy: Option<Value>,
}

impl decode::Form for Form {}

/// The most headers, and the longest body.
const HEADERS: usize = 64;
const LONGEST: usize = 64 * 1024;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct HeaderForm {
    /// Its name.
    key: String,
    /// What it says, without variables.
    value: Text,
}

fn max_breaker_sec() -> Quantity {
    Quantity(300)
}

type ErrorStatus = Within<500, 599>;

/// What breaks.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct UnhealthyForm {
    /// The statuses that are errors.
    #[serde(default = "errors")]
    http_statuses: Vec<ErrorStatus>,
    /// So many of them in a row.
    #[serde(default = "three")]
    failures: Quantity,
}

impl decode::Form for UnhealthyForm {}

/// What mends.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[expect(dead_code, reason = "Envoy has no use for them, which is told")]
struct HealthyForm {
    /// Statuses of good answers.
    http_statuses: Option<Vec<Within<200, 499>>>,
    /// How many of them in a row.
    successes: Option<Quantity>,
}

impl decode::Form for HealthyForm {}

fn errors() -> Vec<ErrorStatus> {
    vec![Within(500)]
}

fn three() -> Quantity {
    Quantity(3)
}

#[derive(Debug)]
struct ApiBreaker {
    breaker: Breaker,
    status: u32,
    body: String,
    headers: Checked,
}

fn read(value: &Value, reading: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let form: Form = decode::read(value)?;
    if form.max_breaker_sec.0 < 3 {
        let message = format!("found {}, allowed: at least 3", form.max_breaker_sec.0);
        return Err(Remark::new("max_breaker_sec", message));
    }
    let written = form
        .unhealthy
        .unwrap_or_else(|| Value::Object(Default::default()));
    let unhealthy: UnhealthyForm =
        decode::read(&written).map_err(|remark| remark.under("unhealthy"))?;
    if unhealthy.http_statuses.is_empty() {
        let message = "found an empty list, allowed: at least one";
        return Err(Remark::new("unhealthy.http_statuses", message));
    }
    each_once("unhealthy.http_statuses", &unhealthy.http_statuses)?;
    let warnings = &mut reading.warnings;
    warnings.push(Remark::whole(
        "breaks by instance and not by URI: one that fails gets no requests for 2 s, then 4 s, then 6 s, and so on; clients \
         notice when no instance is left",
    ));
    if reading.key.kind == Kind::GlobalRule {
        warnings.push(Remark::whole(
            "does not hold for routes with an api-breaker of their own: Envoy has one for each cluster",
        ));
    }
    if let Some(healthy) = form.healthy {
        decode::read::<HealthyForm>(&healthy).map_err(|remark| remark.under("healthy"))?;
        let message = "has no effect: Envoy tries an instance again when its time is over";
        warnings.push(Remark::new("healthy", message));
    }
    let mut headers = Headers::new();
    for HeaderForm { key, value } in form.break_response_headers.0 {
        if headers.insert(key, value).is_some() {
            let message = "found a name a second time, allowed: once";
            return Err(Remark::new("break_response_headers", message));
        }
    }
    let headers = header::plain("break_response_headers", &headers)?;
    if form.break_response_body.is_none() && !headers.is_empty() {
        let message = "has no effect without `break_response_body`";
        reading
            .warnings
            .push(Remark::new("break_response_headers", message));
    }
    let said = form.break_response_body.is_some();
    let statuses = unhealthy.http_statuses.iter().map(|status| status.0);
    Ok(Arc::new(ApiBreaker {
        breaker: Breaker {
            statuses: statuses.collect::<BTreeSet<_>>(),
            failures: unhealthy.failures.0,
            longest: Duration::from_secs(form.max_breaker_sec.0.into()),
        },
        status: form.break_response_code.0,
        body: form
            .break_response_body
            .map_or_else(String::new, |body| body.0),
        headers: if said { headers } else { Checked::new() },
    }))
}

impl Plugin for ApiBreaker {
    fn breaker(&self) -> Option<&Breaker> {
        Some(&self.breaker)
    }

    fn runs(&self) -> Vec<&'static str> {
        vec![BROKEN.filter]
    }

    /// Its cluster breaks; the route says what clients are told then.
    fn apply(&self, route: &mut Route, _: &[Arc<Cluster>]) {
        BROKEN.answer(route, self.status, Some(&self.body), &self.headers);
    }
}

#[cfg(test)]
mod tests;
