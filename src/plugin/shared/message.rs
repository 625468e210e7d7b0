//! What a client is told whose request is not let through.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A text of 1–1024 characters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "String")]
pub struct Message(#[schemars(length(min = 1, max = 1024))] pub String);

impl TryFrom<String> for Message {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.chars().count() {
            1..=1024 => Ok(Self(text)),
            found => Err(format!("found {found} characters, allowed: 1–1024")),
        }
    }
}
