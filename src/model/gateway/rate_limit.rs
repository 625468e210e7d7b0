//! Who counts requests for all Envoys of a gateway together.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::key::Id;
use crate::model::problem::Remark;
use crate::model::scalar::Seconds;
use crate::model::upstream::Scheme;

/// How long an answer may take at most.
const LONGEST: Duration = Duration::from_secs(60);

/// A service that counts: `chancery ratelimit`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimit {
    /// The upstream whose instances count.
    pub upstream: Id,
    /// How long a request waits for an answer.
    pub timeout: Duration,
}

impl RateLimit {
    /// Refuses an upstream that cannot be asked.
    pub(crate) fn check(&self, scheme: Scheme) -> Result<(), Remark> {
        if matches!(scheme, Scheme::Grpc | Scheme::Grpcs) {
            return Ok(());
        }
        let message = format!(
            "refers to `upstreams/{}`, whose `scheme` is neither `grpc` nor `grpcs`: `chancery ratelimit` is asked by gRPC",
            self.upstream
        );
        Err(Remark::new("rate_limit.upstream_id", message))
    }
}

/// `rate_limit` as it is written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(super) struct Form {
    /// The upstream whose instances count.
    upstream_id: Id,
    /// Seconds that a request waits for an answer, at most 60.
    #[serde(default = "second")]
    timeout: Seconds,
}

fn second() -> Seconds {
    Seconds(Duration::from_secs(1))
}

impl Form {
    pub(super) fn checked(self) -> Result<RateLimit, Remark> {
        let timeout = self.timeout.0;
        if timeout > LONGEST {
            let found = timeout.as_secs_f64();
            return Err(Remark::new(
                "timeout",
                format!("found {found}, allowed: 0.001–60"),
            ));
        }
        Ok(RateLimit {
            upstream: self.upstream_id,
            timeout,
        })
    }
}
