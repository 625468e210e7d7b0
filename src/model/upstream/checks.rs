//! How instances are found out to be ill: by asking them (`checks.active`), and by what becomes of requests
//! (`checks.passive`). APISIX's fields and defaults; what Envoy counts in another way is said in a warning.

pub(super) mod form;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// What is asked of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// That it takes a connection.
    Tcp,
    /// That it answers.
    Http(HttpProbe),
}

/// A header: its name and its value.
pub type Header = (Arc<str>, Arc<str>);

/// A request that an instance has to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpProbe {
    /// Over TLS: whether the instance's certificate is verified where the upstream verifies it. Without TLS: nothing.
    pub tls: Option<Verify>,
    /// The Host that every instance sees; without it each sees its own.
    pub host: Option<Arc<str>>,
    /// The path, with the query.
    pub path: Arc<str>,
    /// Further headers.
    pub headers: Vec<Header>,
    /// The statuses of ill instances; any other is one of a healthy instance.
    pub unhealthy: BTreeSet<u32>,
}

/// Whether certificates are verified as the upstream has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verify {
    /// As for requests.
    AsUpstream,
    /// In no case.
    Never,
}

/// Asking instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Active {
    pub probe: Probe,
    pub timeout: Duration,
    /// The time between two questions to an instance that is healthy.
    pub healthy_interval: Duration,
    /// The same for one that is ill.
    pub unhealthy_interval: Duration,
    /// So many good answers in a row make an ill instance healthy.
    pub successes: u32,
    /// So many bad ones make a healthy instance ill.
    pub failures: u32,
}

/// Watching requests. 0 turns a count off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passive {
    /// The statuses that count.
    pub unhealthy: BTreeSet<u32>,
    /// So many of them in a row.
    pub http_failures: u32,
    /// So many connections refused, reset or overdue in a row.
    pub tcp_failures: u32,
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Checks {
    pub active: Option<Active>,
    pub passive: Option<Passive>,
}
