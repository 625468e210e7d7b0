//! The origins of `cors`.

use serde_json::{Map, Value, json};

use crate::model::decode::quoted;
use crate::model::problem::Remark;
use crate::plugin::shared::pattern;

/// Whose pages are meant.
#[derive(Debug, Clone)]
pub(super) enum Origins {
    /// `*`, or `**`, which names the origin of the request.
    Any(&'static str),
    Listed(Vec<String>),
    /// A pattern of RE2 for whole origins, and origins beside those that fit it.
    Pattern(String, Vec<String>),
}

impl Origins {
    /// As the script goes by it. Routes tell patterns apart: `matched` says that this one fits.
    pub(super) fn written(&self, matched: bool) -> Value {
        match self {
            Self::Any(stars) => json!(stars),
            Self::Pattern(..) if matched => json!("**"),
            Self::Listed(origins) | Self::Pattern(_, origins) => {
                let origins = origins.iter().map(|origin| (origin.clone(), json!(true)));
                Value::Object(origins.collect::<Map<_, _>>())
            }
        }
    }

    /// Has these be meant as well.
    pub(super) fn extend(&mut self, more: impl Iterator<Item = String>) {
        match self {
            Self::Any(_) => {}
            Self::Listed(origins) | Self::Pattern(_, origins) => origins.extend(more),
        }
    }

    pub(super) fn pattern(&self) -> Option<&str> {
        match self {
            Self::Pattern(pattern, _) => Some(pattern),
            Self::Any(_) | Self::Listed(_) => None,
        }
    }
}

/// `*`, `**`, or origins with commas between them, as they stand in `field`.
pub(super) fn listed(field: &str, text: &str) -> Result<Origins, Remark> {
    match text {
        "*" => Ok(Origins::Any("*")),
        "**" => Ok(Origins::Any("**")),
        _ => several(field, text, ", \"*\", \"**\"").map(Origins::Listed),
    }
}

/// Origins with commas between them, as they stand in `field`; `others` are allowed there as well.
pub(super) fn several(field: &str, text: &str, others: &str) -> Result<Vec<String>, Remark> {
    let origin = |origin: &str| {
        let host = origin.split_once("://").map(|(_, host)| host);
        let fits = origin == "null" || host.is_some_and(|host| !host.is_empty());
        if fits && origin.bytes().all(|b| b.is_ascii_graphic()) {
            Ok(origin.to_owned())
        } else {
            Err(Remark::new(
                field,
                format!(
                    "found {}, allowed: origins such as \"https://www.example.com\" with commas between them{others}",
                    quoted(origin)
                ),
            ))
        }
    };
    let all = text.split(',').map(origin);
    all.collect()
}

/// Patterns, of which one must match somewhere in the origin.
pub(super) fn patterns(field: &str, patterns: &[String]) -> Result<Origins, Remark> {
    if patterns.is_empty() {
        let message = "found an empty list, allowed: at least one pattern";
        return Err(Remark::new(field, message));
    }
    for (at, written) in patterns.iter().enumerate() {
        pattern::anywhere(written).map_err(|said| Remark::new(format!("{field}[{at}]"), said))?;
    }
    let each = patterns.iter().map(|written| format!("(?:{written})"));
    let all = each.collect::<Vec<_>>().join("|");
    let all = pattern::anywhere(&all).map_err(|said| Remark::new(field, said))?;
    Ok(Origins::Pattern(all, Vec::new()))
}
