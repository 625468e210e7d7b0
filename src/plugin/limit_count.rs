//! `limit-count`: so many requests of a key in a span of time.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::contract::{Definition, Plugin, Reading, schema};
use super::shared::answer::{Rejection, rejection};
use super::shared::limit::{self, Code, KeyType, Limit, LimitKey, Policy};
use crate::model::decode;
use crate::model::problem::Remark;
use crate::model::scalar::Quantity;

const NAME: &str = "limit-count";

/// Envoy's bound of a span of time, a year, keeps the arithmetic of its buckets exact.
const LONGEST: u32 = 365 * 24 * 60 * 60;

pub(super) const ENTRY: Definition = Definition {
    name: NAME,
    read,
    schema: schema::<Form>,
    http_filters: || vec![limit::filter(NAME)],
};

/// Lets so many requests of a key pass in a span of time.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// How many requests pass.
    count: Quantity,
    /// In how many seconds.
    time_window: Quantity,
    /// Which requests are counted together.
    #[serde(default = "remote_addr")]
    key: String,
    /// How `key` is written.
    #[serde(default)]
    key_type: KeyType,
    /// The status of the others; 503 if not written.
    #[serde(default)]
    rejected_code: Code,
    /// What the others are told; nothing without it.
    rejected_msg: Option<Rejection>,
    /// Where the counts lie.
    #[serde(default)]
    policy: Policy,
    /// Whether requests pass while counts cannot be reached; Envoy's own always can.
    #[serde(default, rename = "allow_degradation")]
    _allow_degradation: bool,
    /// Whether answers tell how many requests are left.
    #[serde(default = "yes")]
    show_limit_quota_header: bool,
}

impl decode::Form for Form {
    const NOT_SERVED: &'static [&'static str] = &["rules"];
    const NOT_IN_ENVOY: &'static [(&'static str, &'static str)] = &[(
        "group",
        "Envoy keeps counts with a route, and routes cannot share them",
    )];
}

fn remote_addr() -> String {
    "remote_addr".to_owned()
}

fn yes() -> bool {
    true
}

fn read(value: &Value, reading: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    limit::no_shared_counts(value)?;
    let form: Form = decode::read(value)?;
    form.policy.checked()?;
    if form.time_window.0 > LONGEST {
        let message = format!(
            "found {}, allowed: 1–{LONGEST} seconds, a year",
            form.time_window.0
        );
        return Err(Remark::new("time_window", message));
    }
    let warnings = &mut reading.warnings;
    warnings.push(limit::warning());
    warnings.push(Remark::new(
        "time_window",
        "Envoy gives used requests back one by one over the span, not all of them at its end",
    ));
    if form.rejected_msg.is_some() {
        warnings.push(limit::warning_of_message());
    }
    Ok(Arc::new(Limit {
        name: NAME,
        key: LimitKey::read(form.key_type, &form.key, warnings)?,
        burst: form.count.0,
        refill: (form.count.0, Duration::from_secs(form.time_window.0.into())),
        code: form.rejected_code,
        body: rejection(form.rejected_msg.as_ref()),
        headers: form.show_limit_quota_header,
    }))
}

#[cfg(test)]
mod tests;
