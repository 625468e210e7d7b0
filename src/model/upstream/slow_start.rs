//! `slow_start`: an instance that is new, or healthy again, gets its share little by little.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::problem::Remark;
use crate::model::scalar::Seconds;

/// How a new instance gets its share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlowStart {
    /// After that time it has its full share.
    pub window: Duration,
    /// How steeply the share grows, in thousandths: 1000 is in proportion to the time.
    pub aggression: u32,
    /// What it gets at once, in percent of its share.
    pub min_weight_percent: u32,
}

/// `slow_start` of an upstream.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(super) struct SlowStartForm {
    /// Seconds until a new node has its full share.
    window: Seconds,
    /// How steeply the share grows: 1, which is in proportion to the time, if not written; more is faster.
    #[schemars(range(min = 0.001, max = 1000.0))]
    aggression: Option<f64>,
    /// What a new node gets at once, in percent of its share; 10 if not written.
    #[schemars(range(min = 0, max = 100))]
    min_weight_percent: Option<u32>,
}

impl SlowStartForm {
    pub(super) fn checked(self) -> Result<SlowStart, Remark> {
        let aggression = self.aggression.unwrap_or(1.0);
        if !(0.001..=1000.0).contains(&aggression) {
            let message = format!("found {aggression}, allowed: 0.001–1000");
            return Err(Remark::new("slow_start.aggression", message));
        }
        let percent = self.min_weight_percent.unwrap_or(10);
        if percent > 100 {
            let message = format!("found {percent}, allowed: 0–100");
            return Err(Remark::new("slow_start.min_weight_percent", message));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the range was checked"
        )]
        let thousandths = (aggression * 1000.0).round() as u32;
        Ok(SlowStart {
            window: self.window.0,
            aggression: thousandths,
            min_weight_percent: percent,
        })
    }
}
