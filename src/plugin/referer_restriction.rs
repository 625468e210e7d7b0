//! `referer-restriction`: only requests that come from pages of some hosts pass, or all but those.

use std::sync::Arc;

use envoy_types::pb::envoy::config::rbac::v3::Principal;
use envoy_types::pb::envoy::r#type::matcher::v3::{
    RegexMatcher, StringMatcher, string_matcher::MatchPattern,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::contract::{Definition, Plugin, Reading, refused, schema};
use super::shared::denial::{self, Denial, Status};
use super::shared::message::Message;
use crate::model::decode::{self, quoted};
use crate::model::problem::Remark;

const NAME: &str = "referer-restriction";
const HEADER: &str = "referer";

/// What APISIX takes for the URI of a page, up to the end of its host.
const START: &str = "(?:https?:)?//";
const HOST: &str = r"(?:[^\[\]/:?]+|\[.+\])";
const HOST_PART: &str = r"[^\[\]/:?]*";
const REST: &str = r"(?:[\[\]/:?].*)?";

pub(super) const ENTRY: Definition = Definition {
    name: NAME,
    read,
    schema: schema::<Form>,
    refused: refused::<Form>,
    differs: &[
        ("whitelist", "hosts of up to 52 characters"),
        ("blacklist", "hosts of up to 52 characters"),
    ],
    http_filters: || vec![denial::filter(NAME)],
};

/// Lets only requests that come from pages of some hosts pass, or all but those.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// Whether requests pass whose `Referer` is missing, or no URI.
    #[serde(default)]
    bypass_missing: bool,
    /// The hosts whose pages may send requests; one of the two lists.
    whitelist: Option<Vec<Pages>>,
    /// Those whose pages may not.
    blacklist: Option<Vec<Pages>>,
    /// What those are told who do not pass.
    #[serde(default = "message")]
    message: Message,
}

impl decode::Form for Form {}

fn message() -> Message {
    Message("Your referer host is not allowed".to_owned())
}

/// A host, or with a `*` before it all whose names end so.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
struct Pages(#[schemars(length(max = 52))] String);

impl TryFrom<String> for Pages {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let name = text.strip_prefix('*').unwrap_or(&text);
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
        if !name.is_empty() && text.len() <= 52 && name.bytes().all(fits) {
            Ok(Self(text))
        } else {
            Err(format!(
                "found {}, allowed: up to 52 letters, digits, `-`, `.` and `_`, with `*` for a start",
                quoted(&text)
            ))
        }
    }
}

impl Pages {
    /// Whoever comes from one of them.
    fn principal(&self) -> Principal {
        let (start, name) = match self.0.strip_prefix('*') {
            Some(name) => (HOST_PART, name),
            None => ("", self.0.as_str()),
        };
        let escaped = name.replace('.', "\\.");
        referer(format!("{START}{start}{escaped}{REST}"))
    }
}

fn read(value: &Value, _: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let form: Form = decode::read(value)?;
    let unfit = denial::unfit(
        ("whitelist", form.whitelist.as_deref()),
        ("blacklist", form.blacklist.as_deref()),
        "host",
        |pages| Ok(pages.principal()),
    )?;
    let page = referer(format!("{START}{HOST}.*"));
    Ok(Arc::new(Denial {
        plugin: NAME,
        denied: denial::unfit_or_missing(page, unfit, form.bypass_missing),
        status: Status::Forbidden,
        message: form.message.0,
    }))
}

/// Whoever sends a `Referer` that is of this pattern as a whole.
fn referer(regex: String) -> Principal {
    let matcher = StringMatcher {
        match_pattern: Some(MatchPattern::SafeRegex(RegexMatcher {
            regex,
            engine_type: None,
        })),
        ..StringMatcher::default()
    };
    denial::header(HEADER, matcher)
}

#[cfg(test)]
mod tests;
