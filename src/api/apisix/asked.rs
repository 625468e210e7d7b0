//! What a call asks for beside its target: on which terms a document is written, for how long the caller waits, and what
//! stands in the body.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, header};
use serde_json::{Map, Value};

use crate::api::wait;
use crate::documents;
use crate::editing::{Author, Change, Match, Terms, Wish};
use crate::model::Key;
use crate::model::document::Format;

use super::Call;
use super::answer::Refusal;

/// The longest time that a document may last, in seconds: what etcd takes.
const TTL: u32 = 9_000_000;

impl Call {
    /// How long the caller waits for proxies.
    pub fn patience(&self) -> Result<Option<Duration>, Refusal> {
        let Some(text) = self.parameter("wait") else {
            return Ok(None);
        };
        let time = humantime::parse_duration(text).ok();
        let within = time.filter(|time| *time <= wait::MAX_TIMEOUT);
        within
            .map(Some)
            .ok_or_else(|| Refusal::bad("wait: found no time that is allowed: 0s to 600s"))
    }

    /// The change of one document, if it is as the caller takes it to be.
    pub fn change_of(&self, key: &Key, wish: Wish) -> Result<Change, Refusal> {
        Ok(Change {
            key: key.clone(),
            wish,
            matches: self.matches().map_err(Refusal::bad)?,
        })
    }

    pub fn terms(&self) -> Result<Terms, Refusal> {
        Ok(Terms {
            ttl: self.parameter("ttl").map(ttl).transpose()?,
            force: self.parameter("force") == Some("true"),
            dry_run: self.parameter("dry_run") == Some("true"),
        })
    }

    /// Who makes a change.
    pub fn author(&self, action: &'static str) -> Author {
        let caller = &self.caller;
        Author {
            who: caller.name.clone(),
            from: caller.from.clone(),
            action,
            reason: String::new(),
            trace: caller.trace.clone(),
        }
    }

    /// What the headers say of the document that is there.
    fn matches(&self) -> Result<Match, String> {
        let header = |name: HeaderName| {
            let value = self.headers.get(name)?;
            Some(value.to_str().unwrap_or_default().trim())
        };
        match (header(header::IF_MATCH), header(header::IF_NONE_MATCH)) {
            (None, None) => Ok(Match::Any),
            (None, Some("*")) => Ok(Match::Absent),
            (Some("*"), None) => Ok(Match::Present),
            (Some(tag), None) => {
                let revision = tag.trim_start_matches("W/").trim_matches('"').parse();
                let said =
                    |_| format!("If-Match: found {tag:?}, allowed: an ETag of this document, or *");
                revision.map(Match::Written).map_err(said)
            }
            (None, Some(found)) => Err(format!("If-None-Match: found {found:?}, allowed: *")),
            (Some(_), Some(_)) => {
                Err("If-Match and If-None-Match: allowed is one of them".to_owned())
            }
        }
    }

    /// The document in the body.
    pub fn document(&self) -> Result<Map<String, Value>, Refusal> {
        let read = documents::text(self.format(), &self.body);
        read.map_err(|remark| Refusal::misread(&remark.message))
    }

    /// What the body says is to be changed: an object for the whole document, any value for a part of it.
    pub fn change(&self, steps: &[&str]) -> Result<Value, Refusal> {
        if self.format() == Format::Yaml || steps.is_empty() {
            return self.document().map(Value::Object);
        }
        let read = serde_json::from_slice(&self.body);
        read.map_err(|error| Refusal::misread(&error.to_string()))
    }

    /// The body is JSON whatever its content type says, unless that is YAML: curl calls everything a form.
    fn format(&self) -> Format {
        let content_type = self.headers.get(header::CONTENT_TYPE);
        let said = content_type.map_or(&b""[..], HeaderValue::as_bytes);
        let mut parts = said.windows(4);
        if parts.any(|part| part.eq_ignore_ascii_case(b"yaml")) {
            Format::Yaml
        } else {
            Format::Json
        }
    }
}

fn ttl(text: &str) -> Result<u32, Refusal> {
    match text.parse() {
        Ok(ttl @ 1..=TTL) => Ok(ttl),
        Ok(_) => {
            let said = format!("invalid argument ttl: allowed are 1 to {TTL} seconds");
            Err(Refusal::bad(said))
        }
        Err(_) => Err(Refusal::bad("invalid argument ttl: should be a number")),
    }
}
