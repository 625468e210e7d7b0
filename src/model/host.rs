//! A host that routes answer to.

use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use super::decode::quoted;

/// A host that a route answers to, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
pub enum Host {
    /// `www.example.com`
    Exact(Arc<str>),
    /// `*.example.com`, kept without the star: `.example.com`
    Suffix(Arc<str>),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Suffix(suffix) => write!(f, "*{suffix}"),
        }
    }
}

impl TryFrom<String> for Host {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let host = text.to_ascii_lowercase();
        let (suffix, rest) = match host.strip_prefix('*') {
            Some(suffix) => (true, suffix.strip_prefix('.').unwrap_or("*")),
            None => (false, host.as_str()),
        };
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        let label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(fits);
        if rest.len() <= 253 && rest.split('.').all(label) {
            return Ok(if suffix {
                Self::Suffix(format!(".{rest}").into())
            } else {
                Self::Exact(rest.into())
            });
        }
        Err(format!(
            "found {}, allowed: a host without a port, such as \"www.example.com\" or \"*.example.com\"",
            quoted(&text)
        ))
    }
}
