//! What others are asked for, whoever knows it.

use std::fmt;
use std::sync::Arc;

use super::SecretName;

/// What somebody outside is asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A secret manager, for a text.
    Secret(SecretName),
}

impl Subject {
    /// Who is asked: the path of a manager's document.
    pub fn of(&self) -> &Arc<str> {
        match self {
            Self::Secret(name) => &name.manager,
        }
    }
}

/// As problems name it.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret(name) => name.fmt(f),
        }
    }
}
