//! Why drains were not carried out, and what the caller is told of several.

use std::fmt::Display;

use super::DrainError;

/// Why a drain was not carried out.
pub(super) struct Untold {
    /// Who failed.
    pub kind: fn(String) -> DrainError,
    pub text: String,
    /// Why what may have changed could not be undone yet.
    pub left: Option<String>,
}

impl Untold {
    pub fn registry(failure: impl Display) -> Self {
        Self {
            kind: DrainError::Registry,
            text: failure.to_string(),
            left: None,
        }
    }

    pub fn etcd(failure: impl Display) -> Self {
        Self {
            kind: DrainError::Unavailable,
            ..Self::registry(failure)
        }
    }
}

/// What the caller is told, where `back` are those that could not be put back after others had failed.
pub(super) fn refusal(untold: Vec<Untold>, back: impl Iterator<Item = String>) -> DrainError {
    let kind = untold
        .first()
        .map_or(DrainError::Internal as _, |one| one.kind);
    let (mut texts, mut left) = (Vec::new(), Vec::new());
    for one in untold {
        if !texts.contains(&one.text) {
            texts.push(one.text);
        }
        left.extend(one.left);
    }
    left.extend(back);
    let text = texts.join("; ");
    kind(if left.is_empty() {
        format!("{text}; nothing is changed")
    } else {
        let left = left.join("; ");
        format!("{text}; what may have changed is undone later: {left}")
    })
}
