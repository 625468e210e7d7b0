//! `api-breaker`: what keeps answering with errors gets no requests for a while.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use envoy_types::pb::envoy::config::route::v3::Route;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::contract::{Definition, Plugin, Reading, schema};
use crate::model::decode;
use crate::model::key::Kind;
use crate::model::problem::Remark;
use crate::model::scalar::{AnswerStatus, Quantity, Within, each_once};
use crate::model::upstream::{Breaker, Cluster};

pub(super) const ENTRY: Definition = Definition {
    name: "api-breaker",
    read,
    schema: schema::<Form>,
    http_filters: Vec::new,
};

/// An upstream that keeps answering with errors gets no requests for a while.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// What clients are told meanwhile.
    break_response_code: AnswerStatus,
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

impl decode::Form for Form {
    const NOT_IN_ENVOY: &'static [(&'static str, &'static str)] = &[
        ("break_response_body", "Envoy's answer is its own"),
        ("break_response_headers", "Envoy's answer is its own"),
    ];
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
    if form.break_response_code.0 != 503 {
        let message = "has no effect: Envoy answers 503 when no instance is left";
        warnings.push(Remark::new("break_response_code", message));
    }
    if let Some(healthy) = form.healthy {
        decode::read::<HealthyForm>(&healthy).map_err(|remark| remark.under("healthy"))?;
        let message = "has no effect: Envoy tries an instance again when its time is over";
        warnings.push(Remark::new("healthy", message));
    }
    let statuses = unhealthy.http_statuses.iter().map(|status| status.0);
    Ok(Arc::new(ApiBreaker {
        breaker: Breaker {
            statuses: statuses.collect::<BTreeSet<_>>(),
            failures: unhealthy.failures.0,
            longest: Duration::from_secs(form.max_breaker_sec.0.into()),
        },
    }))
}

impl Plugin for ApiBreaker {
    fn breaker(&self) -> Option<&Breaker> {
        Some(&self.breaker)
    }

    /// What it does is its cluster's.
    fn apply(&self, _: &mut Route, _: &[Arc<Cluster>]) {}
}

#[cfg(test)]
mod tests;
