//! What others are asked for, whoever knows it.

use std::fmt;
use std::sync::Arc;

use super::{Provider, SecretName};
use crate::model::decode::shown;

/// What somebody outside is asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A secret manager, for a text.
    Secret(SecretName),
    /// An identity provider, for what it says of itself.
    Provider(Provider),
}

impl Subject {
    /// Who is asked: the path of a manager's document, or where a provider's is.
    pub fn of(&self) -> &Arc<str> {
        match self {
            Self::Secret(name) => &name.manager,
            Self::Provider(provider) => &provider.address,
        }
    }
}

/// As problems name it.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret(name) => name.fmt(f),
            Self::Provider(provider) => write!(f, "the provider of `{}`", shown(&provider.address)),
        }
    }
}
