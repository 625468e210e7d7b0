//! How long Envoy waits.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::scalar::Seconds;

/// How long Envoy waits, each for a side that stays silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeout {
    /// For a connection to be set up.
    pub connect: Duration,
    /// Between two pieces of a request.
    pub send: Duration,
    /// Between two pieces of an answer; 504 after it.
    pub read: Duration,
}

impl Default for Timeout {
    /// A minute each, as in APISIX.
    fn default() -> Self {
        let minute = Duration::from_secs(60);
        Self {
            connect: minute,
            send: minute,
            read: minute,
        }
    }
}

/// `timeout`: all three or none, as in APISIX.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct TimeoutForm {
    /// Seconds until a connection stands.
    connect: Seconds,
    /// Seconds that the client may stay silent within a request.
    send: Seconds,
    /// Seconds that the instance may stay silent; then the client is told 504.
    read: Seconds,
}

impl TimeoutForm {
    pub fn checked(self) -> Timeout {
        Timeout {
            connect: self.connect.0,
            send: self.send.0,
            read: self.read.0,
        }
    }
}
