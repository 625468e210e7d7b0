//! Answers as APISIX's Admin API has them. No answer of success has a field `message`: a client takes it for a failure.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use tonic::{Code, Status};

use crate::api::answer::tell_when;
use crate::editing::{self, Refused, masked};
use crate::model::{Key, Kind};
use crate::store::writer::Held;

use super::target::Unknown;

/// How long whoever meets an etcd that is away should wait, in seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

pub fn json(status: StatusCode, body: &Value) -> Response {
    let content_type = [(header::CONTENT_TYPE, "application/json")];
    (status, content_type, body.to_string()).into_response()
}

fn error(status: StatusCode, said: impl Into<String>) -> Response {
    json(status, &json!({ "error_msg": said.into() }))
}

/// Why a call is not answered as it was meant.
#[derive(Debug)]
pub enum Refusal {
    /// In words.
    Said(StatusCode, String),
    /// Nothing can be called by this path.
    Unknown(Unknown),
    /// A document was not written, or not read.
    Refused(Refused),
}

impl Refusal {
    /// The call is not what it should be.
    pub fn bad(said: impl Into<String>) -> Self {
        Self::Said(StatusCode::BAD_REQUEST, said.into())
    }

    /// The body is not.
    pub fn misread(said: &str) -> Self {
        Self::bad(format!("invalid request body: {said}"))
    }

    /// The method is not one of those that the target has.
    pub fn method(method: &str, target: &str) -> Self {
        let said = format!("not supported `{method}` method for {target}");
        Self::Said(StatusCode::METHOD_NOT_ALLOWED, said)
    }

    /// A fault of Chancery's own.
    pub fn fault(error: &tokio::task::JoinError) -> Self {
        Self::Said(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<Unknown> for Refusal {
    fn from(unknown: Unknown) -> Self {
        Self::Unknown(unknown)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Said(status, said) => error(status, said),
            Self::Unknown(what) => unknown(&what),
            Self::Refused(why) => refused(&why),
        }
    }
}

/// A document was not written.
fn refused(refused: &Refused) -> Response {
    let said = refused.to_string();
    match refused {
        Refused::Absent => json(StatusCode::NOT_FOUND, &json!({ "message": said })),
        Refused::NoConsumer => error(StatusCode::NOT_FOUND, said),
        Refused::Invalid(_) => error(StatusCode::BAD_REQUEST, said),
        Refused::Conflict => error(StatusCode::CONFLICT, said),
        Refused::Stale(revision) => {
            let mut answer = error(StatusCode::PRECONDITION_FAILED, said);
            tag(&mut answer, *revision);
            answer
        }
        Refused::Away(_) => {
            let mut answer = error(StatusCode::SERVICE_UNAVAILABLE, said);
            answer
                .headers_mut()
                .insert(header::RETRY_AFTER, RETRY_AFTER);
            answer
        }
    }
}

/// Who calls may not, or is not known.
pub fn denied(status: &Status) -> Response {
    let description = match (status.code(), status.message()) {
        (Code::Unauthenticated, said) if said.contains("is needed") => "missing apikey",
        (Code::Unauthenticated, said) if said.contains("is not known") => "wrong apikey",
        (_, said) => said,
    };
    let http = match status.code() {
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        _ => StatusCode::FORBIDDEN,
    };
    // Who calls too often with a key that is good is no failure of it.
    let guessed = status.message().contains("is not known");
    let said = if http == StatusCode::TOO_MANY_REQUESTS && !guessed {
        description
    } else {
        "failed to check token"
    };
    let body = json!({ "error_msg": said, "description": description });
    let mut answer = json(http, &body);
    tell_when(&mut answer, status);
    answer
}

/// Nothing can be called by this path.
fn unknown(unknown: &Unknown) -> Response {
    match unknown {
        Unknown::Kind(found) => error(
            StatusCode::NOT_FOUND,
            format!("Unsupported resource type: {found}"),
        ),
        Unknown::Id(said) => error(StatusCode::BAD_REQUEST, said.as_str()),
        Unknown::Path => error(StatusCode::NOT_FOUND, "not found"),
    }
}

/// Whether whoever asks is shown what may be secret. Private keys of certificates are shown to nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrets {
    Shown,
    Hidden,
}

/// A document with what its text does not say.
pub fn held(key: &str, held: &Held, secrets: Secrets) -> Value {
    json!({
        "key": key,
        "value": shown(held, secrets),
        "createdIndex": held.created,
        "modifiedIndex": held.modified,
    })
}

/// The text of a document as callers get it: with its id, also where who wrote it left it out, and without private keys. One
/// that is no document is shown as it is.
pub fn shown(held: &Held, secrets: Secrets) -> Value {
    let mut value = match (secrets, editing::fields(held)) {
        (Secrets::Hidden, _) => masked::shown(held),
        (Secrets::Shown, Some(fields)) => Value::Object(fields),
        (Secrets::Shown, None) => String::from_utf8_lossy(&held.text).into(),
    };
    if let (Ok(key), Value::Object(fields)) = (held.path.parse::<Key>(), &mut value) {
        with_id(&key, fields);
    }
    value
}

/// Takes the private keys of an ssl out, which nobody is shown who did not send them.
pub fn without_keys(kind: Kind, fields: &mut Map<String, Value>) {
    if kind == Kind::Ssl {
        fields.remove("key");
        fields.remove("keys");
    }
}

fn with_id(key: &Key, fields: &mut Map<String, Value>) {
    without_keys(key.kind, fields);
    if key.kind == Kind::Consumer {
        return;
    }
    fields.entry("id").or_insert_with(|| key.id.as_str().into());
}

/// Says which revision wrote what is answered.
pub fn tag(answer: &mut Response, revision: Option<i64>) {
    if let Some(revision) = revision
        && let Ok(tag) = HeaderValue::try_from(format!("\"{revision}\""))
    {
        answer.headers_mut().insert(header::ETAG, tag);
    }
}
