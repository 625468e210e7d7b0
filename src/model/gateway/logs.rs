//! Who posts what all Envoys of a gateway write down of requests.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::key::Id;
use crate::model::problem::Remark;
use crate::model::upstream::Scheme;

/// A service that takes logs: `chancery logs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logs {
    /// The upstream whose instances take them.
    pub upstream: Id,
}

impl Logs {
    /// Refuses an upstream that cannot be told.
    pub(crate) fn check(&self, scheme: Scheme) -> Result<(), Remark> {
        if matches!(scheme, Scheme::Grpc | Scheme::Grpcs) {
            return Ok(());
        }
        let message = format!(
            "refers to `upstreams/{}`, whose `scheme` is neither `grpc` nor `grpcs`: `chancery logs` is told by gRPC",
            self.upstream
        );
        Err(Remark::new("logs.upstream_id", message))
    }
}

/// `logs` as it is written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(super) struct Form {
    /// The upstream whose instances post them.
    upstream_id: Id,
}

impl Form {
    pub(super) fn checked(self) -> Logs {
        Logs {
            upstream: self.upstream_id,
        }
    }
}
