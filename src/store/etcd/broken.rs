//! Why a session with etcd ended, in words for whoever reads the log. No password is ever in them.

use std::error::Error as _;
use std::path::PathBuf;
use std::time::Duration;

use etcd_client::Error;

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("{}", words(.0))]
    Etcd(#[from] Error),
    #[error("{path}: {error}", path = .path.display())]
    File {
        path: PathBuf,
        error: std::io::Error,
    },
    #[error("a client certificate needs both its certificate and its key: set both or neither")]
    HalfIdentity,
    #[error("https needs the authority that signed etcd's certificate: set its file")]
    NoAuthority,
    #[error("no answer within {0:?}")]
    NoAnswer(Duration),
    #[error("the watch has ended")]
    Ended,
    #[error("the watch was refused: {0}")]
    Refused(String),
    #[error("an answer without what it must have: {0}")]
    Malformed(&'static str),
    /// What comes after the last revision seen is not there any more.
    #[error("the history before revision {0} has been compacted")]
    Compacted(i64),
}

impl Broken {
    /// The connection is good, but the history cannot be gone on with: only a listing helps.
    pub(super) fn history_is_gone(&self) -> bool {
        match self {
            Self::Compacted(_) => true,
            Self::Etcd(Error::GRpcStatus(status)) => [COMPACTED, FUTURE]
                .iter()
                .any(|gone| status.message().ends_with(gone)),
            _ => false,
        }
    }
}

const COMPACTED: &str = "mvcc: required revision has been compacted";
const FUTURE: &str = "mvcc: required revision is a future revision";

/// An endpoint without what may be secret in it.
pub(super) fn shown(endpoint: &str) -> &str {
    endpoint.rsplit_once('@').map_or(endpoint, |(_, host)| host)
}

/// What etcd or the transport said, and the cause at the bottom: `transport error` alone helps nobody.
fn words(error: &Error) -> String {
    let (message, mut source) = match error {
        Error::GRpcStatus(status) => (status.message().to_owned(), status.source()),
        Error::TransportError(error) => (error.to_string(), error.source()),
        other => (other.to_string(), None),
    };
    let said = message.strip_prefix("etcdserver: ").unwrap_or(&message);
    let mut cause = None;
    while let Some(deeper) = source {
        cause = Some(deeper.to_string());
        source = deeper.source();
    }
    match cause {
        Some(cause) if !said.contains(&cause) => format!("{said}: {cause}"),
        _ => said.to_owned(),
    }
}
