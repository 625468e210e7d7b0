//! Where a state came from: it is served only to whoever reads the same documents and the same registry.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Where inputs come from, without anything secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Where documents are.
    pub store: Place,
    /// The agents of Consul that are asked, when instances come from there.
    pub consul: Option<BTreeSet<String>>,
}

impl Origin {
    /// Whether instances come from the same Consul: one agent in common is enough, as with the members of an etcd.
    pub(super) fn is_same_consul(&self, other: &Self) -> bool {
        match (&self.consul, &other.consul) {
            (Some(agents), Some(others)) => !agents.is_disjoint(others),
            (one, other) => one == other,
        }
    }
}

/// Where documents are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// In an etcd.
    Etcd {
        /// The members that are asked.
        endpoints: BTreeSet<String>,
        /// What all keys start with.
        prefix: String,
    },
    /// In a folder, together with instances.
    Files(String),
}

impl Place {
    /// Whether these are the same documents. One member in common makes two lists of endpoints the same etcd, so that a
    /// member can be added or replaced without losing the state.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Etcd { endpoints, prefix },
                Self::Etcd {
                    endpoints: others,
                    prefix: other,
                },
            ) => prefix == other && !endpoints.is_disjoint(others),
            (Self::Files(folder), Self::Files(other)) => folder == other,
            _ => false,
        }
    }
}

impl fmt::Display for Place {
    /// `etcd http://10.0.0.5:2379 /chancery`, `files examples`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Etcd { endpoints, prefix } => {
                let endpoints: Vec<_> = endpoints.iter().map(String::as_str).collect();
                write!(f, "etcd {} {prefix}", endpoints.join(","))
            }
            Self::Files(folder) => write!(f, "files {folder}"),
        }
    }
}
