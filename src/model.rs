//! Documents, parsed once into types. Parsing is strict: an unknown field, a wrong type, an unsupported plugin or a
//! reference to nothing is a [`Problem`] that names the document and the field, and the last good form stays.
//!
//! No async, no clock, no I/O. What Envoy makes of a document is `translate`'s business, except for plugins: a plugin's
//! file holds its fields and what it adds to an Envoy route.

pub mod documents;
pub mod gateway;
pub mod plugin;
pub mod problem;
pub mod route;
pub mod upstream;

use std::fmt;
use std::sync::Arc;

pub use documents::{Changes, Documents};
pub use gateway::Gateway;
pub use problem::Problem;
pub use route::{Host, Path, Route};
pub use upstream::{Cluster, Members, Node, Upstream};

/// The kinds of documents that this version knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `routes`
    Route,
    /// `upstreams`
    Upstream,
    /// `services`
    Service,
    /// `gateways`
    Gateway,
}

/// A document's id: `[a-zA-Z0-9-_.]{1,64}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(Arc<str>);

/// Which document: written `routes/echo`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The kind.
    pub kind: Kind,
    /// The id within the kind.
    pub id: Id,
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
