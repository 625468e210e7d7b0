//! Who asks Consul, and how a query ended.

use std::sync::Arc;

use super::error::Error;
use crate::model::ServiceKey;
use crate::model::service_key::Scope;

/// Who asks Consul, and fails or does not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asker {
    /// One service's own queries.
    Service(ServiceKey),
    Feed(Group),
}

/// How a query ended, for the one who watches over all of them.
#[derive(Debug)]
pub struct Ended {
    pub asker: Asker,
    /// An answer, new or not, or why there is none.
    pub result: Result<(), Error>,
}

/// What one feed is about: services of one place, sorted by one node.
pub type Group = (Scope, Option<Arc<str>>);
