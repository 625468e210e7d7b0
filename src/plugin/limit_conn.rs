//! `limit-conn`: so many requests of a key at a time. No filter of Envoy's counts them by key, but the one that asks a service when a
//! request begins says when it has ended, too; so they are counted in Redis.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::contract::{Definition, Plugin, Reading, refused};
use super::shared::answer::{Rejection, rejection};
use super::shared::limit::{self, Code, KeyType, Limit, LimitKey, Limits, Of};
use super::shared::metadata::Quota;
use crate::model::decode;
use crate::model::problem::Remark;
use crate::model::scalar::{Count, Quantity, Seconds, Within};
use crate::model::shared_limit::How;

pub(super) const NAME: &str = "limit-conn";

pub(super) const ENTRY: Definition = Definition {
    name: NAME,
    read,
    schema: limit::schema::<Form>,
    refused: refused::<Form>,
    differs: &limit::with_not_read::<5, 14>([
        (
            "policy",
            "`redis` and `redis-cluster` only: they want `rate_limit` in the gateway, and the password of Redis in `chancery \
            ratelimit`",
        ),
        ("burst", "is not held back"),
        ("default_conn_delay", "has no effect"),
        ("only_use_default_delay", "has no effect"),
        ("rejected_code", "400 and more"),
    ]),
    // Those of `limit-req`, which stand behind all that say what is to be counted.
    http_filters: Vec::new,
};

/// The longest time for which a request is counted: a year, in seconds.
const LONGEST: u32 = 31_536_000;

/// Lets so many requests of a key be under way at a time.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// How many requests are under way at a time.
    conn: Quantity,
    /// How many more.
    burst: Count,
    /// For how many seconds those of a burst are held back: no effect, as they are not.
    #[serde(rename = "default_conn_delay")]
    _default_conn_delay: Seconds,
    /// How that is reckoned: no effect.
    #[serde(default, rename = "only_use_default_delay")]
    _only_use_default_delay: bool,
    /// Which requests are counted together.
    key: String,
    /// How `key` is written.
    #[serde(default)]
    key_type: KeyType,
    /// After how many seconds a request that has not ended is forgotten; 3600 if not written.
    key_ttl: Option<Within<1, LONGEST>>,
    /// The status of the others; 503 if not written.
    #[serde(default)]
    rejected_code: Code,
    /// What the others are told; nothing without it.
    rejected_msg: Option<Rejection>,
    /// Whether requests pass while nobody counts.
    #[serde(default)]
    allow_degradation: bool,
}

impl decode::Form for Form {}

fn read(value: &Value, reading: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    Ok(Arc::new(limits(value, reading)?))
}

/// The limits of a configuration of it.
pub(super) fn limits(value: &Value, reading: &mut Reading) -> Result<Limits, Remark> {
    let (own, redis) = limit::split(value, &mut reading.warnings)?;
    let form: Form = decode::read(&own)?;
    let Some(redis) = redis else {
        let message = "found \"local\", allowed: redis, redis-cluster: no filter of Envoy's counts requests under way by key, and \
            `chancery ratelimit` keeps counts in Redis";
        return Err(Remark::new("policy", message));
    };
    if form.key_type == KeyType::Constant {
        let message = "found \"constant\", allowed: var, var_combination";
        return Err(Remark::new("key_type", message));
    }
    let key = LimitKey::read(form.key_type, &form.key, reading)?;
    let warnings = &mut reading.warnings;
    if form.burst.0 > 0 {
        let message = "requests of a burst pass at once: Envoy does not hold them back";
        warnings.push(Remark::new("burst", message));
    }
    if form.rejected_msg.is_some() {
        warnings.push(limit::warning_of_message());
    }
    let (shared, of_rules) = limit::place(reading.key, None);
    Ok(Limits {
        of: Of::Rate,
        redis: Some((redis, form.allow_degradation)),
        shared,
        of_rules,
        each: vec![Limit {
            key,
            by_address: true,
            how: How::Flying {
                most: form.conn.0.saturating_add(form.burst.0),
                seconds: form.key_ttl.map_or(3600, |seconds| seconds.0),
            },
            told: None,
            // No proxy counts by itself.
            burst: 0,
            refill: (0, Duration::ZERO),
        }],
        code: form.rejected_code,
        body: rejection(form.rejected_msg.as_ref()),
        names: Quota::default(),
    })
}

#[cfg(test)]
mod tests;
