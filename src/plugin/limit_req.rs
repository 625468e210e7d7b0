//! `limit-req`: so many requests of a key per second, and some more at once. A leaky bucket whose overflow passes at once
//! is a token bucket: what has leaked is what was given back.

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
use crate::model::scalar::Count;
use crate::model::shared_limit::How;

const NAME: &str = "limit-req";

pub(super) const ENTRY: Definition = Definition {
    name: NAME,
    read,
    schema: limit::schema::<Form>,
    refused: refused::<Form>,
    differs: &limit::with_not_read::<4, 13>([
        (
            "policy",
            "counts of `local` lie in a proxy, apart by port, and start anew when a limit of \
            other numbers than all others comes or goes",
        ),
        (
            "policy",
            "`redis` wants `rate_limit` in the gateway, and the password of Redis in `chancery \
            ratelimit`",
        ),
        ("burst", "is not held back"),
        ("rejected_code", "400 and more"),
    ]),
    http_filters: || limit::filters(&[Of::Rate]),
};

/// Lets so many requests of a key pass per second, and some more at once.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// How many requests pass in a second.
    rate: Rate,
    /// How many more pass at once.
    burst: Count,
    /// Which requests are counted together.
    key: String,
    /// How `key` is written.
    #[serde(default)]
    key_type: KeyType,
    /// The status of the others; 503 if not written.
    #[serde(default)]
    rejected_code: Code,
    /// What the others are told; nothing without it.
    rejected_msg: Option<Rejection>,
    /// Whether the requests of a burst pass without being held back.
    #[serde(default)]
    nodelay: bool,
    /// Whether requests pass while nobody counts; Envoy's own counts are always there.
    #[serde(default)]
    allow_degradation: bool,
}

impl decode::Form for Form {}

/// Requests per second, with fractions.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(try_from = "f64")]
struct Rate(#[schemars(range(min = 0.001, max = 1_000_000))] f64);

impl TryFrom<f64> for Rate {
    type Error = String;

    fn try_from(rate: f64) -> Result<Self, String> {
        match rate {
            0.001..=1_000_000.0 => Ok(Self(rate)),
            _ => Err(format!("found {rate}, allowed: 0.001–1000000")),
        }
    }
}

impl Rate {
    /// Thousandths of a request per second.
    fn thousandths(self) -> u32 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the range was checked"
        )]
        let whole = (self.0 * 1000.0).round() as u32;
        whole
    }

    /// Whole tokens and the time that they take: a second, or more where a second has a fraction of a token.
    fn refill(self) -> (u32, Duration) {
        let whole = self.0.ceil();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the range was checked"
        )]
        let tokens = whole as u32;
        (tokens, Duration::from_secs_f64(whole / self.0))
    }
}

fn read(value: &Value, reading: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let (own, redis) = limit::split(value, &mut reading.warnings)?;
    let form: Form = decode::read(&own)?;
    let kind = match form.key_type {
        KeyType::Constant => {
            let message = "found \"constant\", allowed: var, var_combination";
            return Err(Remark::new("key_type", message));
        }
        kind => kind,
    };
    let key = LimitKey::read(kind, &form.key, reading)?;
    let warnings = &mut reading.warnings;
    if redis.is_none() {
        warnings.push(limit::warning());
    }
    if form.burst.0 > 0 && !form.nodelay {
        let message =
            "requests of a burst pass at once, as with `nodelay`: Envoy does not hold them back";
        warnings.push(Remark::new("burst", message));
    }
    if form.rejected_msg.is_some() {
        warnings.push(limit::warning_of_message());
    }
    let (shared, of_rules) = limit::place(reading.key, None);
    Ok(Arc::new(Limits {
        of: Of::Rate,
        redis: redis.map(|redis| (redis, form.allow_degradation)),
        shared,
        of_rules,
        each: vec![Limit {
            key,
            by_address: true,
            how: How::Leaky {
                thousandths: form.rate.thousandths(),
                burst: form.burst.0,
            },
            told: None,
            burst: form.burst.0.saturating_add(1),
            refill: form.rate.refill(),
        }],
        code: form.rejected_code,
        body: rejection(form.rejected_msg.as_ref()),
        names: Quota::default(),
    }))
}

#[cfg(test)]
mod tests;
