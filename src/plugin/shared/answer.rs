//! An answer that Envoy gives by itself, in the place of an upstream.

use envoy_types::pb::envoy::config::core::v3::substitution_format_string::Format;
use envoy_types::pb::envoy::config::core::v3::{
    DataSource, SubstitutionFormatString, data_source::Specifier,
};
use envoy_types::pb::envoy::config::route::v3::route::Action;
use envoy_types::pb::envoy::config::route::v3::{DirectResponseAction, Route};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::variable;
use crate::cohort::Ability;
use crate::model::bounds::LongText;

/// The longest body that a plugin answers with by itself. A route table must allow it: Envoy's own bound is 4 KiB.
pub const ANSWER_BYTES: u32 = 1024 * 1024;

/// What a client is told when no route matches, whatever the host.
pub const NO_ROUTE: &str = r#"{"error_msg":"404 Route Not Found"}"#;

/// Such a body as it is written.
pub type Body = LongText<{ ANSWER_BYTES as usize }>;

/// Characters of what such a client is told: as JSON, six bytes for one at most.
const REJECTION: usize = ANSWER_BYTES as usize / 8;

/// What a client is told whose request is turned away.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "LongText<REJECTION>")]
#[schemars(with = "LongText<REJECTION>", extend("minLength" = 1))]
pub struct Rejection(String);

impl TryFrom<LongText<REJECTION>> for Rejection {
    type Error = String;

    fn try_from(LongText(text): LongText<REJECTION>) -> Result<Self, String> {
        if text.is_empty() {
            Err("found an empty text, allowed: at least one character".into())
        } else {
            Ok(Self(text))
        }
    }
}

/// The body of an answer that turns a request away: empty where a document says nothing.
pub fn rejection(text: Option<&Rejection>) -> String {
    text.map_or_else(String::new, |Rejection(text)| {
        json!({"error_msg": text}).to_string()
    })
}

/// What a client is told, with variables or without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Text {
    AsWritten(String),
    /// One of Envoy's format strings.
    Format(String),
}

impl Text {
    pub fn read(text: &str) -> Result<Self, String> {
        let pieces = variable::pieces(text)?;
        if !variable::is_among(&pieces) {
            return Ok(Self::AsWritten(text.to_owned()));
        }
        variable::format(&pieces, str::to_owned).map(Self::Format)
    }

    pub fn needs(&self) -> Vec<Ability> {
        match self {
            Self::AsWritten(_) => Vec::new(),
            Self::Format(_) => vec![Ability::BodyFormat],
        }
    }
}

/// Makes a route answer with a status and a text.
pub fn answer_with(route: &mut Route, status: u32, text: &Text) {
    let format = match text {
        Text::AsWritten(body) => return answer(route, status, body),
        Text::Format(format) => format,
    };
    answer(route, status, "");
    if let Some(Action::DirectResponse(answer)) = &mut route.action {
        answer.body_format = Some(SubstitutionFormatString {
            format: Some(Format::TextFormatSource(inline(format))),
            // A variable that is not there is nothing, and not a dash.
            omit_empty_values: true,
            ..SubstitutionFormatString::default()
        });
    }
}

fn inline(text: &str) -> DataSource {
    DataSource {
        specifier: Some(Specifier::InlineString(text.to_owned())),
        ..DataSource::default()
    }
}

/// Makes a route answer with a status and a body, of at most [`ANSWER_BYTES`].
pub fn answer(route: &mut Route, status: u32, body: &str) {
    route.action = Some(Action::DirectResponse(DirectResponseAction {
        status,
        body: Some(inline(body)).filter(|_| !body.is_empty()),
        ..DirectResponseAction::default()
    }));
    // Envoy gives an answer of 201 or 3xx the address of the request as its `location`.
    route.response_headers_to_remove.push("location".to_owned());
}

/// Whether Envoy answers the requests of a route by itself.
pub fn is_answered(route: &Route) -> bool {
    matches!(
        route.action,
        Some(Action::DirectResponse(_) | Action::Redirect(_))
    )
}
