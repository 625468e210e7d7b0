//! Certificates that HTTPS listeners show, by the name that a client asks for; or, of the type `client`, what upstreams are
//! shown. Nothing here shows a key.

pub(crate) mod form;

use std::sync::Arc;

use super::certificate::{Certificates, Identity};
use super::{Host, Id};

/// A document of the type `server`, in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ssl {
    pub id: Id,
    /// The gateways that show it; all when empty.
    pub gateways: Vec<Id>,
    /// The names that it answers to.
    pub names: Vec<Host>,
    /// Whether it answers to every name that no other document answers to, and to clients that ask for none.
    pub any_name: bool,
    /// One of each type of key, or of each set of names: Envoy takes what fits the client. At least one.
    pub identities: Vec<Identity>,
    /// Who clients have to be; anybody when absent.
    pub clients: Option<Clients>,
    pub versions: Versions,
}

/// The certificates that clients have to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clients {
    /// Who has to have signed them.
    pub authorities: Certificates,
    /// How many may stand between the two.
    pub depth: u32,
}

/// The versions of TLS.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Versions {
    /// 1.2 and 1.3
    #[default]
    Both,
    Only12,
    Only13,
}

/// A good form of a document.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    /// False is as if deleted.
    pub enabled: bool,
    pub of: Type,
}

/// Whom the certificate is for.
#[derive(Debug, Clone)]
pub(crate) enum Type {
    /// Clients see it.
    Server(Arc<Ssl>),
    /// Upstreams see it, whose documents refer to it.
    Client(Identity),
}

impl Ssl {
    /// Whether a gateway shows it.
    pub fn belongs_to(&self, gateway: &Id) -> bool {
        self.gateways.is_empty() || self.gateways.contains(gateway)
    }
}

impl Draft {
    pub fn identities(&self) -> &[Identity] {
        match &self.of {
            Type::Server(ssl) => &ssl.identities,
            Type::Client(identity) => std::slice::from_ref(identity),
        }
    }
}
