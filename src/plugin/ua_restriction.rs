//! `ua-restriction`: only some kinds of clients may send requests, or all but some, as far as they say who they are.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::contract::{Definition, Plugin, Reading, refused, schema};
use super::shared::denial::{self, Denial, Status};
use super::shared::message::Message;
use super::shared::pattern::search;
use crate::model::decode;
use crate::model::problem::Remark;

const NAME: &str = "ua-restriction";
const HEADER: &str = "user-agent";

pub(super) const ENTRY: Definition = Definition {
    name: NAME,
    read,
    schema: schema::<Form>,
    refused: refused::<Form>,
    differs: &[
        ("allowlist", "patterns that PCRE and RE2 mean alike"),
        ("denylist", "patterns that PCRE and RE2 mean alike"),
    ],
    http_filters: || vec![denial::filter(NAME)],
};

/// Lets only some kinds of clients send requests, or all but some, as far as they say who they are.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// Whether requests without `User-Agent` pass.
    #[serde(default)]
    bypass_missing: bool,
    /// Patterns of which one must match; one of the two lists.
    allowlist: Option<Vec<String>>,
    /// Patterns of which none may match.
    denylist: Option<Vec<String>>,
    /// What those are told who do not pass.
    #[serde(default = "message")]
    message: Message,
}

impl decode::Form for Form {}

fn message() -> Message {
    Message("Not allowed".to_owned())
}

fn read(value: &Value, _: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let form: Form = decode::read(value)?;
    let unfit = denial::unfit(
        ("allowlist", form.allowlist.as_deref()),
        ("denylist", form.denylist.as_deref()),
        "pattern",
        |pattern| search(pattern, false).map(|matcher| denial::header(HEADER, matcher)),
    )?;
    Ok(Arc::new(Denial {
        plugin: NAME,
        denied: denial::unfit_or_missing(
            denial::header_present(HEADER),
            unfit,
            form.bypass_missing,
        ),
        status: Status::Forbidden,
        message: form.message.0,
    }))
}

#[cfg(test)]
mod tests;
