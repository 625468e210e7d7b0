//! Why Consul gave no answer, for the operator. No token ever gets in here.

use std::path::PathBuf;
use std::time::Duration;

/// One query that gave no answer; what was known before stays.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The settings cannot be used as they are.
    #[error("Consul's {setting} cannot be used: {reason}")]
    Setting {
        setting: &'static str,
        /// What is wrong with it and what is allowed.
        reason: String,
    },
    /// A file that the settings name cannot be used.
    #[error("Consul's {setting} `{}` cannot be used: {reason}", path.display())]
    File {
        setting: &'static str,
        path: PathBuf,
        reason: String,
    },
    /// No connection, or it broke before the answer was complete.
    #[error("Consul at {address} is unreachable: {reason}")]
    Unreachable {
        /// Where it was looked for.
        address: String,
        /// The innermost cause.
        reason: String,
    },
    /// Connected, and no complete answer in time.
    #[error("Consul at {address} did not answer within {} ms", deadline.as_millis())]
    Late {
        /// Where it was asked.
        address: String,
        deadline: Duration,
    },
    /// 403, or an answer out of which Consul took everything that the token may not see.
    #[error(
        "Consul does not let the token see {about} ({reason}): it needs service:read on services and \
         node:read on their nodes"
    )]
    Denied {
        /// What was asked for.
        about: String,
        /// What Consul said.
        reason: String,
    },
    /// 429: too many connections or requests.
    #[error("Consul is asked too often (429 for {about}: {reason})")]
    Busy {
        /// What was asked for.
        about: String,
        /// What Consul said.
        reason: String,
        /// How long it wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// Any other status than 200; 500 `No cluster leader` among them.
    #[error("Consul answered {status} for {about}: {reason}")]
    Status {
        /// What was asked for.
        about: String,
        status: u16,
        /// What Consul said.
        reason: String,
    },
    /// 200, from an agent that knows no leader: it may be long outdated.
    #[error("Consul at {address} has no leader")]
    Leaderless {
        /// Where it was asked.
        address: String,
    },
    /// 200, and not what Consul's API promises.
    #[error("Consul's answer for {about} cannot be used: {reason}")]
    Answer {
        /// What was asked for.
        about: String,
        reason: String,
    },
}

impl Error {
    /// Whether another agent may do better.
    pub fn is_agents(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Late { .. } | Self::Busy { .. } => true,
            Self::Leaderless { .. } => true,
            Self::Status { status, .. } => *status >= 500,
            Self::Setting { .. }
            | Self::File { .. }
            | Self::Denied { .. }
            | Self::Answer { .. } => false,
        }
    }

    /// How long Consul wants to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}
