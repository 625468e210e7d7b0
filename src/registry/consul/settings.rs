//! Settings of the client of Consul.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// How long one query blocks, unless told otherwise: a Consul that hangs is noticed after it, and idle services cost a
/// request per this time.
pub const WAIT: Duration = Duration::from_secs(10);

/// Where Consul is, and how to be let in.
#[derive(Clone)]
pub struct Settings {
    /// Agents of one Consul, at least one: `http://127.0.0.1:8500`, or https. The first one is asked, and when it is at
    /// fault the next.
    pub addresses: Vec<String>,
    /// An ACL token with `service:read` and `node:read`.
    pub token: Option<String>,
    /// A file that holds such a token, read again when it changes.
    pub token_file: Option<PathBuf>,
    /// Roots that Consul's certificate must lead to, in PEM; the system's without it. Files of certificates are read again
    /// when they change.
    pub ca: Option<PathBuf>,
    /// The client's certificate, in PEM; only with `key`.
    pub cert: Option<PathBuf>,
    /// The client's key, in PEM; only with `cert`.
    pub key: Option<PathBuf>,
    /// How long one query blocks; [`WAIT`] unless there is a reason.
    pub wait: Duration,
    /// How many queries may be under way at once; [`CONNECTIONS`](super::CONNECTIONS) unless there is a reason.
    pub connections: usize,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("addresses", &self.addresses)
            .field("token", &self.token.as_ref().map(|_| "(secret)"))
            .field("token_file", &self.token_file)
            .field("ca", &self.ca)
            .field("cert", &self.cert)
            .field("key", &self.key)
            .field("wait", &self.wait)
            .field("connections", &self.connections)
            .finish()
    }
}
