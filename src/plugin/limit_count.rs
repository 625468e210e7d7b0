//! `limit-count`: so many requests of a key in a span of time.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::contract::{Definition, Plugin, Reading, schema};
use super::shared::answer::{Rejection, rejection};
use super::shared::limit::{self, Code, KeyType, Limit, LimitKey, Limits, Of, Policy, SLOTS};
use crate::model::bounds::{List, LongText};
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
    http_filters: || limit::filters(&[Of::Told, Of::Untold]),
};

/// Lets so many requests of a key pass in a span of time.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// How many requests pass.
    count: Option<Quantity>,
    /// In how many seconds.
    time_window: Option<Quantity>,
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
    /// Routes of the same group are counted together.
    group: Option<LongText<256>>,
    /// Several limits, in the place of `count`, `time_window` and `key`.
    #[schemars(with = "Option<List<Rule, SLOTS>>")]
    rules: Option<List<Value, SLOTS>>,
}

impl decode::Form for Form {}

/// One of several limits.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Rule {
    /// How many requests pass.
    count: Quantity,
    /// In how many seconds.
    time_window: Quantity,
    /// Which requests are counted together: a text with variables. Those without any of these are not counted.
    key: String,
    /// What the headers of this limit begin with, which Envoy does not send.
    #[serde(rename = "header_prefix")]
    _header_prefix: Option<String>,
}

impl decode::Form for Rule {}

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
    let group = form.group.as_ref().map(|LongText(group)| group.as_str());
    if group == Some("") {
        let message = "found an empty text, allowed: at least one character";
        return Err(Remark::new("group", message));
    }
    reading.warnings.push(limit::warning());
    let each = match &form.rules {
        None => vec![one(&form, reading)?],
        Some(rules) => several(&form, &rules.0, reading)?,
    };
    reading.warnings.push(Remark::new(
        "time_window",
        "Envoy gives used requests back one by one over the span, not all of them at its end",
    ));
    if form.rejected_msg.is_some() {
        reading.warnings.push(limit::warning_of_message());
    }
    let told = form.show_limit_quota_header && form.rules.is_none();
    let (shared, of_rules) = limit::place(reading.key, group);
    Ok(Arc::new(Limits {
        of: if told { Of::Told } else { Of::Untold },
        shared,
        of_rules,
        each,
        code: form.rejected_code,
        body: rejection(form.rejected_msg.as_ref()),
    }))
}

fn one(form: &Form, reading: &mut Reading) -> Result<Limit, Remark> {
    let missing = |field: &str| Remark::whole(format!("`{field}` is missing"));
    let count = form.count.ok_or_else(|| missing("count"))?;
    let window = form.time_window.ok_or_else(|| missing("time_window"))?;
    let key = LimitKey::read(form.key_type, &form.key, reading)?;
    limit(count, window, key, true)
}

fn several(form: &Form, rules: &[Value], reading: &mut Reading) -> Result<Vec<Limit>, Remark> {
    if form.count.is_some() || form.time_window.is_some() || rules.is_empty() {
        let message = "allowed: at least one, and neither `count` nor `time_window` beside them";
        return Err(Remark::new("rules", message));
    }
    if form.show_limit_quota_header {
        let message = "have no headers of their own: Envoy tells clients of one limit only";
        reading.warnings.push(Remark::new("rules", message));
    }
    let mut limits = Vec::new();
    for (at, value) in rules.iter().enumerate() {
        let place = format!("rules[{at}]");
        let under = |remark: Remark| remark.under(&place);
        let rule: Rule = decode::read(value).map_err(under)?;
        let kind = KeyType::VarCombination;
        let mut key = LimitKey::read(kind, &rule.key, reading).map_err(under)?;
        // Two limits of the same numbers count apart.
        key.format = format!("{at}|{}", key.format);
        limits.push(limit(rule.count, rule.time_window, key, false).map_err(under)?);
    }
    Ok(limits)
}

fn limit(
    count: Quantity,
    window: Quantity,
    key: LimitKey,
    by_address: bool,
) -> Result<Limit, Remark> {
    if window.0 > LONGEST {
        let message = format!("found {}, allowed: 1–{LONGEST} seconds, a year", window.0);
        return Err(Remark::new("time_window", message));
    }
    Ok(Limit {
        key,
        by_address,
        burst: count.0,
        refill: (count.0, Duration::from_secs(window.0.into())),
    })
}

#[cfg(test)]
mod tests;
