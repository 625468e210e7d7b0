//! Where a state came from: it is served only to whoever reads the same documents and the same registry.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::Discovery;

/// Where inputs come from, without anything secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub store: Place,
    /// Who is asked for instances, of each registry that is not part of the store.
    pub registries: BTreeMap<Discovery, BTreeSet<String>>,
}

impl Origin {
    /// Whether its instances come from the same place: one agent in common is enough, as with the members of an etcd.
    pub(super) fn is_same(&self, other: &Self, registry: Discovery) -> bool {
        match (
            self.registries.get(&registry),
            other.registries.get(&registry),
        ) {
            (Some(agents), Some(others)) => !agents.is_disjoint(others),
            (one, other) => one == other,
        }
    }
}

/// Where documents are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    Etcd {
        /// The members that are asked.
        endpoints: BTreeSet<String>,
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
                let members: Vec<_> = endpoints.iter().map(String::as_str).collect();
                write!(f, "etcd {} {prefix}", members.join(","))
            }
            Self::Files(folder) => write!(f, "files {folder}"),
        }
    }
}
