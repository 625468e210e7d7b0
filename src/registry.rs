//! Where instances live. A registry watches the services that documents name and tells who there is and how they fare.
//!
//! An error, a time-out or a lost leader is not an answer: the instances that were known stay. Only what the registry
//! answered in full replaces them, an empty list included.

pub mod consul;
pub mod file;
pub mod freshness;
mod kinds;

use std::sync::Arc;

pub use consul::{Agents, Failure};
pub use kinds::Registry;

pub(crate) use crate::model::{Instance, ServiceKey};

/// An authoritative answer: every instance of one service, whatever its status, sorted by address, port and id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The service that was asked for.
    pub service: ServiceKey,
    /// Who is registered; empty when nobody is.
    pub instances: Arc<[Instance]>,
    /// Whether the registry may have lost what it knew: it is behind what it said before, or can be used in no part.
    pub doubtful: bool,
}

impl Answer {
    /// Puts the instances in order, so that equal answers are equal.
    pub fn new(service: ServiceKey, mut instances: Vec<Instance>) -> Self {
        instances.sort_unstable_by(|a, b| {
            (a.address, a.port, &a.id, a).cmp(&(b.address, b.port, &b.id, b))
        });
        Self::sorted(service, instances.into())
    }

    /// Instances that are in order.
    pub fn sorted(service: ServiceKey, instances: Arc<[Instance]>) -> Self {
        Self {
            service,
            instances,
            doubtful: false,
        }
    }
}
