//! Why a document was not written, for whoever wanted to.

use std::fmt::Display;

use crate::store::writer::Away;

use super::references::Reference;

/// Why a document was not written.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// There is no such document.
    #[error("Key not found")]
    Absent,
    /// It belongs to a consumer that is not there.
    #[error("consumer not found")]
    NoConsumer,
    /// It would be wrong, or another needs it; in words.
    #[error("{0}")]
    Invalid(String),
    /// It is not as the caller takes it to be: this revision wrote it, or it is not there.
    #[error("{}", stale(*.0))]
    Stale(Option<i64>),
    /// Others kept writing what the change rests on.
    #[error(
        "others are writing the same documents, and were faster each time: nothing was changed; try again"
    )]
    Conflict,
    #[error("{0}")]
    Away(#[from] Away),
}

impl Refused {
    pub(super) fn invalid(error: impl Display) -> Self {
        Self::Invalid(error.to_string())
    }

    /// What is named is not there.
    pub(super) fn named(reference: &Reference) -> Self {
        if reference.path.starts_with("consumers/") {
            Self::NoConsumer
        } else {
            Self::Invalid(reference.missing())
        }
    }
}

fn stale(found: Option<i64>) -> String {
    match found {
        Some(revision) => {
            format!(
                "the document was written by revision {revision}: read it again, and decide anew"
            )
        }
        None => "the document is not there".to_owned(),
    }
}
