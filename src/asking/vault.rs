//! What a secret manager is asked, and what its answer says of the names that it was asked for. Pure.

use std::collections::BTreeSet;

use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use super::client::Answer;
use crate::model::{Manager, SecretName, Verdict, steps};

/// As Vault documents it; no more of it is looked at.
#[derive(Deserialize)]
struct Body {
    data: Option<Map<String, Value>>,
}

/// What asks a manager for a key; or why it cannot be asked.
pub fn request(manager: &Manager, key: &str) -> Result<(Url, HeaderMap), String> {
    let unusable = |why: &dyn std::fmt::Display| format!("cannot be asked: {why}");
    let mut url = Url::parse(&manager.base).map_err(|error| unusable(&error))?;
    let steps = steps(key).map_err(|error| unusable(&error))?;
    if let Ok(mut path) = url.path_segments_mut() {
        path.extend(steps);
    }
    let header = |text: &str| HeaderValue::from_str(text).map_err(|error| unusable(&error));
    let mut headers = HeaderMap::new();
    let mut token = header(manager.token.reveal())?;
    token.set_sensitive(true);
    headers.insert("x-vault-token", token);
    if let Some(namespace) = &manager.namespace {
        headers.insert("x-vault-namespace", header(namespace)?);
    }
    Ok((url, headers))
}

/// What is said of each name, or why nothing is: then it is not known.
pub fn verdicts(
    answer: &Answer,
    names: &BTreeSet<SecretName>,
) -> Result<Vec<(SecretName, Verdict)>, String> {
    let status = answer.status;
    let all = |why: &str| {
        let nothing = |name: &SecretName| (name.clone(), Verdict::Nothing(why.to_owned()));
        Ok(names.iter().map(nothing).collect())
    };
    match status {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND => {
            return all(
                "which the manager does not have (404): write it there below `prefix`, or name another",
            );
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            let why = "which the manager denies (403): give `token` a policy that may read it, or another token";
            let denied = |name: &SecretName| (name.clone(), Verdict::Denied(why.to_owned()));
            return Ok(names.iter().map(denied).collect());
        }
        StatusCode::REQUEST_TIMEOUT
        | StatusCode::PRECONDITION_FAILED
        | StatusCode::TOO_EARLY
        | StatusCode::TOO_MANY_REQUESTS => return Err(format!("answers {status}")),
        status if status.is_client_error() && status.as_u16() < 470 => {
            return all(&format!(
                "which the manager refuses to look for ({}): see `uri`, `prefix` and `namespace`",
                status.as_u16()
            ));
        }
        // Sealed, a standby that sends elsewhere, or somebody in between.
        status => return Err(format!("answers {status}")),
    }
    let body: Body = serde_json::from_slice(&answer.body)
        .map_err(|_| "answers with something else than Vault does: see `uri`".to_owned())?;
    let Some(data) = body.data else {
        return all("which the manager has nothing of: write it there, or name another");
    };
    let found = names
        .iter()
        .map(|name| (name.clone(), verdict(&data, &name.field)));
    Ok(found.collect())
}

/// What is said of a field. KV version 2 has the fields one step deeper, beside what it says of the version.
fn verdict(data: &Map<String, Value>, field: &str) -> Verdict {
    let nothing = |why: &str| Verdict::Nothing(why.to_owned());
    let versioned = match (data.get("data"), data.get("metadata")) {
        (Some(Value::Object(inner)), Some(Value::Object(_))) => Some(inner),
        _ => None,
    };
    match data.get(field).or_else(|| versioned?.get(field)) {
        Some(Value::String(text)) => Verdict::Value(text.clone()),
        Some(_) => nothing("which is no text there: write it as one"),
        None if versioned.is_none() && data.contains_key("created_time") => nothing(
            "which the manager only tells about: an engine of KV version 2 is asked with `data` at the end of its mount in `prefix`, as `secret/data`",
        ),
        None => nothing("which has no such field: write it there, or name another"),
    }
}

#[cfg(test)]
mod tests;
