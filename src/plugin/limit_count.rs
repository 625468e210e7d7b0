//! `limit-count`: so many requests of a key in a span of time.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::contract::{Definition, Plugin, Reading, refused};
use super::shared::answer::{Rejection, rejection};
use super::shared::limit::{self, Code, KeyType, Limit, LimitKey, Limits, Of, SLOTS};
use super::shared::metadata::Quota;
use crate::model::bounds::{List, LongText};
use crate::model::decode;
use crate::model::problem::Remark;
use crate::model::scalar::Quantity;
use crate::model::shared_limit::How;

pub(super) const NAME: &str = "limit-count";

/// Envoy's bound of a span of time, a year, keeps the arithmetic of its buckets exact.
const LONGEST: u32 = 365 * 24 * 60 * 60;

pub(super) const ENTRY: Definition = Definition {
    name: NAME,
    read,
    schema: limit::schema::<Form>,
    refused: refused::<Form>,
    differs: &limit::with_not_read::<6, 15>([
        (
            "policy",
            "counts of `local` lie in a proxy, apart by port, and start anew when a limit of \
            other numbers than all others comes or goes",
        ),
        (
            "time_window",
            "used requests of `policy: local` come back one by one",
        ),
        ("rules", "have no headers with `policy: local`"),
        ("", "at most eight limits hold for a request"),
        (
            "policy",
            "`redis` wants `rate_limit` in the gateway, and the password of Redis in `chancery \
            ratelimit`",
        ),
        ("rejected_code", "400 and more"),
    ]),
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
    /// How the span of time runs.
    #[serde(default)]
    window_type: WindowType,
    /// Whether requests pass while nobody counts; Envoy's own counts are always there.
    #[serde(default)]
    allow_degradation: bool,
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

/// How a span of time runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum WindowType {
    /// From the first request on.
    #[default]
    Fixed,
    /// Any: with counts in Redis only.
    Sliding,
}

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
    /// What the headers of this limit begin with: `X-<prefix>-RateLimit-Limit`. With counts in Redis only.
    header_prefix: Option<LongText<64>>,
}

impl decode::Form for Rule {}

fn remote_addr() -> String {
    "remote_addr".to_owned()
}

fn yes() -> bool {
    true
}

fn read(value: &Value, reading: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    Ok(Arc::new(limits(value, reading)?))
}

/// The limits that a configuration says.
pub(super) fn limits(value: &Value, reading: &mut Reading) -> Result<Limits, Remark> {
    let (own, redis) = limit::split(value, &mut reading.warnings)?;
    let form: Form = decode::read(&own)?;
    let group = form.group.as_ref().map(|LongText(group)| group.as_str());
    if group == Some("") {
        let message = "found an empty text, allowed: at least one character";
        return Err(Remark::new("group", message));
    }
    if redis.is_none() {
        check_local(&form, reading)?;
    }
    let each = match &form.rules {
        None => vec![one(&form, reading)?],
        Some(rules) => several(&form, &rules.0, redis.is_some(), reading)?,
    };
    if form.rejected_msg.is_some() {
        reading.warnings.push(limit::warning_of_message());
    }
    let told = form.show_limit_quota_header && form.rules.is_none();
    let (shared, of_rules) = limit::place(reading.key, group);
    Ok(Limits {
        of: if told { Of::Told } else { Of::Untold },
        redis: redis.map(|redis| (redis, form.allow_degradation)),
        shared,
        of_rules,
        each,
        code: form.rejected_code,
        body: rejection(form.rejected_msg.as_ref()),
        names: Quota::default(),
    })
}

/// What Envoy's own counts are not.
fn check_local(form: &Form, reading: &mut Reading) -> Result<(), Remark> {
    if form.window_type == WindowType::Sliding {
        let message = "found \"sliding\", allowed: with `policy: redis` or `redis-cluster` only";
        return Err(Remark::new("window_type", message));
    }
    reading.warnings.push(limit::warning());
    reading.warnings.push(Remark::new(
        "time_window",
        "Envoy gives used requests back one by one over the span, not all of them at its end",
    ));
    Ok(())
}

fn one(form: &Form, reading: &mut Reading) -> Result<Limit, Remark> {
    let missing = |field: &str| Remark::whole(format!("`{field}` is missing"));
    let count = form.count.ok_or_else(|| missing("count"))?;
    let window = form.time_window.ok_or_else(|| missing("time_window"))?;
    let key = LimitKey::read(form.key_type, &form.key, reading)?;
    let told = form.show_limit_quota_header.then(String::new);
    limit(form, (count, window), key, told)
}

fn several(
    form: &Form,
    rules: &[Value],
    in_redis: bool,
    reading: &mut Reading,
) -> Result<Vec<Limit>, Remark> {
    if form.count.is_some() || form.time_window.is_some() || rules.is_empty() {
        let message = "allowed: at least one, and neither `count` nor `time_window` beside them";
        return Err(Remark::new("rules", message));
    }
    if form.show_limit_quota_header && !in_redis {
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
        let prefix = rule
            .header_prefix
            .map_or_else(|| (at + 1).to_string(), |it| it.0);
        header_word(&prefix).map_err(under)?;
        let told = form.show_limit_quota_header.then_some(prefix);
        let made = limit(form, (rule.count, rule.time_window), key, told).map_err(under)?;
        limits.push(Limit {
            by_address: false,
            ..made
        });
    }
    Ok(limits)
}

fn header_word(prefix: &str) -> Result<(), Remark> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !prefix.is_empty() && prefix.chars().all(is_plain) {
        return Ok(());
    }
    let found = decode::quoted(prefix);
    let message = format!("found {found}, allowed: letters, digits, `-`, `_`");
    Err(Remark::new("header_prefix", message))
}

fn limit(
    form: &Form,
    (count, window): (Quantity, Quantity),
    key: LimitKey,
    told: Option<String>,
) -> Result<Limit, Remark> {
    let (count, seconds) = (count.0, window.0);
    if seconds > LONGEST {
        let message = format!("found {seconds}, allowed: 1–{LONGEST} seconds, a year");
        return Err(Remark::new("time_window", message));
    }
    Ok(Limit {
        key,
        by_address: true,
        how: match form.window_type {
            WindowType::Fixed => How::Fixed { count, seconds },
            WindowType::Sliding => How::Sliding { count, seconds },
        },
        told,
        burst: count,
        refill: (count, Duration::from_secs(seconds.into())),
    })
}

#[cfg(test)]
mod tests;
