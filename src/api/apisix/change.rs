//! Calls that write, and whether every proxy has what they wrote.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::api::wait;
use crate::documents;
use crate::drain::audit::Deed;
use crate::editing::{Done, Match, Refused, Terms};
use crate::model::document::Format;
use crate::model::{Id, Key, Kind};

use super::target::{can_patch, can_post};
use super::{Call, answer};

const REVISION: HeaderName = HeaderName::from_static("x-chancery-revision");
const BEHIND: HeaderName = HeaderName::from_static("chancery-behind");
/// The longest time that a document may last, in seconds: what etcd takes.
const TTL: u32 = 9_000_000;

impl Call {
    /// Writes a document whose id is not in the path.
    pub async fn write_below(self, kind: Kind, folder: &str) -> Response {
        let is_new = self.method == Method::POST && can_post(kind);
        if !is_new && self.method != Method::PUT {
            return answer::method(self.method.as_str(), &spoken(kind));
        }
        let terms = match self.terms() {
            Ok(terms) => terms,
            Err(refused) => return refused,
        };
        let document = match self.document() {
            Ok(read) => read,
            Err(refused) => return refused,
        };
        if is_new {
            if document.contains_key("id") {
                let said = format!("wrong {} id, do not need it", spoken(kind));
                return answer::error(StatusCode::BAD_REQUEST, said);
            }
            return self
                .done(
                    async |editor| editor.post(kind, &document, terms).await,
                    "post",
                    kind.as_str().to_owned(),
                )
                .await;
        }
        let field = if kind == Kind::Consumer {
            "username"
        } else {
            "id"
        };
        let id = match document.get(field) {
            Some(Value::String(id)) => id.clone(),
            Some(Value::Number(id)) => id.to_string(),
            _ => {
                let what = if kind == Kind::Consumer {
                    "consumer name".to_owned()
                } else {
                    format!("{} id", spoken(kind))
                };
                return answer::error(StatusCode::BAD_REQUEST, format!("missing {what}"));
            }
        };
        let key = match id.parse::<Id>() {
            Ok(id) => key_below(kind, folder, id),
            Err(error) => {
                return answer::error(StatusCode::BAD_REQUEST, format!("{field}: {error}"));
            }
        };
        self.put(key, &document, terms).await
    }

    /// Writes, changes or deletes a document.
    pub async fn write(self, key: Key, steps: &[&str]) -> Response {
        let terms = match self.terms() {
            Ok(terms) => terms,
            Err(refused) => return refused,
        };
        match self.method {
            Method::PUT if steps.is_empty() => match self.document() {
                Ok(document) => self.put(key, &document, terms).await,
                Err(refused) => refused,
            },
            Method::PATCH if can_patch(key.kind) => {
                let change = match self.change(steps) {
                    Ok(read) => read,
                    Err(refused) => return refused,
                };
                let what = key.to_string();
                self.done(
                    async |editor| editor.patch(&key, steps, &change, terms).await,
                    "patch",
                    what,
                )
                .await
            }
            Method::DELETE if steps.is_empty() => {
                let what = key.to_string();
                self.done(
                    async |editor| editor.delete(&key, terms).await,
                    "delete",
                    what,
                )
                .await
            }
            _ => answer::method(self.method.as_str(), &spoken(key.kind)),
        }
    }

    async fn put(self, key: Key, document: &Map<String, Value>, terms: Terms) -> Response {
        let what = key.to_string();
        self.done(
            async |editor| editor.put(&key, document, terms).await,
            "put",
            what,
        )
        .await
    }

    /// Has a change made, notes it, and answers.
    async fn done(
        self,
        change: impl AsyncFnOnce(&crate::editing::Editor) -> Result<Done, Refused>,
        action: &'static str,
        what: String,
    ) -> Response {
        let began = Instant::now();
        let editor = match self.editor() {
            Ok(editor) => editor,
            Err(refused) => return refused,
        };
        let patience = match self.patience() {
            Ok(patience) => patience,
            Err(said) => return answer::error(StatusCode::BAD_REQUEST, said),
        };
        let changed = change(editor).await;
        let mut deed = Deed::new(
            &self.api.access.trail,
            action,
            &self.caller.name,
            &self.caller.from,
        );
        deed.what = what;
        match changed {
            Ok(done) if done.revision == 0 => self.would_be(&done),
            Ok(done) => {
                deed.what = done.path.to_string();
                deed.step("document", began, None::<&Refused>);
                self.answer(done, patience).await
            }
            Err(refused) => {
                deed.refused("document", began, &refused);
                answer::refused(&refused)
            }
        }
    }

    async fn answer(&self, done: Done, patience: Option<Duration>) -> Response {
        let key = self.key(&done.path);
        let (created, is_put) = (done.before.is_none(), self.method != Method::PATCH);
        let mut status = if created && is_put {
            StatusCode::CREATED
        } else {
            StatusCode::OK
        };
        let body = match done.document {
            Some(document) => json!({ "key": key, "value": document }),
            // A text, which clients read a number from.
            None => json!({ "key": key, "deleted": "1" }),
        };
        let mut behind = None;
        if let Some(patience) = patience {
            match self.wait(done.revision, patience).await {
                Ok(None) => {}
                Ok(Some(count)) => {
                    status = StatusCode::ACCEPTED;
                    behind = Some(count);
                }
                Err(refused) => return refused,
            }
        }
        let mut answer = answer::json(status, &body);
        answer::tag(&mut answer, Some(done.revision));
        answer.headers_mut().insert(REVISION, done.revision.into());
        if let Some(count) = behind {
            answer.headers_mut().insert(BEHIND, count.into());
        }
        answer
    }

    /// Waits until every proxy that is expected has the revision; tells how many have not.
    async fn wait(&self, revision: i64, patience: Duration) -> Result<Option<u32>, Response> {
        let waited = wait::until(&self.api, revision, patience, false).await;
        let answer = waited.map_err(|status| {
            let said = format!(
                "revision {revision} is written, but not waited for: {}",
                status.message()
            );
            answer::error(StatusCode::SERVICE_UNAVAILABLE, said)
        })?;
        let behind = answer.expected.saturating_sub(answer.accepted);
        Ok((!answer.confirmed).then_some(behind))
    }

    /// What a call would write that is to write nothing.
    fn would_be(&self, done: &Done) -> Response {
        let before = done
            .before
            .as_ref()
            .map(|held| answer::shown(held, self.secrets()));
        let after = done
            .document
            .as_ref()
            .map(|fields| Value::Object(fields.clone()));
        let body = json!({
            "key": self.key(&done.path),
            "dry_run": true,
            "before": before,
            "after": after,
            "warnings": done.warnings,
        });
        answer::json(StatusCode::OK, &body)
    }

    fn patience(&self) -> Result<Option<Duration>, String> {
        let Some(text) = self.parameter("wait") else {
            return Ok(None);
        };
        let time = humantime::parse_duration(text).ok();
        let within = time.filter(|time| *time <= wait::MAX_TIMEOUT);
        within
            .map(Some)
            .ok_or_else(|| "wait: found no time that is allowed: 0s to 600s".to_owned())
    }

    fn terms(&self) -> Result<Terms, Response> {
        let refused = |said: String| answer::error(StatusCode::BAD_REQUEST, said);
        let ttl = match self.parameter("ttl") {
            None => None,
            Some(text) => match text.parse() {
                Ok(ttl @ 1..=TTL) => Some(ttl),
                Ok(_) => {
                    return Err(refused(format!(
                        "invalid argument ttl: allowed are 1 to {TTL} seconds"
                    )));
                }
                Err(_) => {
                    return Err(refused(
                        "invalid argument ttl: should be a number".to_owned(),
                    ));
                }
            },
        };
        Ok(Terms {
            matches: self.matches().map_err(refused)?,
            ttl,
            force: self.parameter("force") == Some("true"),
            dry_run: self.parameter("dry_run") == Some("true"),
        })
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
    pub fn document(&self) -> Result<Map<String, Value>, Response> {
        let read = documents::text(self.format(), &self.body);
        read.map_err(|remark| answer::misread(&remark.message))
    }

    /// What the body says is to be changed: an object for the whole document, any value for a part of it.
    fn change(&self, steps: &[&str]) -> Result<Value, Response> {
        if self.format() == Format::Yaml || steps.is_empty() {
            return self.document().map(Value::Object);
        }
        let read = serde_json::from_slice(&self.body);
        read.map_err(|error| answer::misread(&error.to_string()))
    }

    /// The body is JSON whatever its content type says, unless that is YAML: curl calls everything a form.
    pub fn format(&self) -> Format {
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

/// A kind as messages have it.
pub fn spoken(kind: Kind) -> String {
    kind.singular().replace('_', " ")
}

fn key_below(kind: Kind, folder: &str, id: Id) -> Key {
    let consumer = (kind == Kind::Credential)
        .then(|| folder.split('/').nth(1)?.parse().ok())
        .flatten();
    Key { kind, id, consumer }
}
