//! The certificates of documents: for whom they are, until when, and who shows them. Keys are not read.

use std::collections::{BTreeMap, BTreeSet};

use prost_types::Timestamp;
use serde_json::{Map, Value};
use tokio::task::spawn_blocking;
use tonic::Status;

use super::apisix::list::texts;
use super::documents::document;
use super::{Api, pb};
use crate::control::question::{Fared, Question};
use crate::documents;
use crate::editing::named;
use crate::model::certificate::Certificates;
use crate::model::{Document, Key, Kind};

/// Those of all documents, what ends first first.
pub async fn list(api: &Api) -> Result<pb::ListCertificatesResponse, Status> {
    let fared = api.ask(Question::Documents).await?;
    let newest = api.texts().await?;
    // Texts are read one by one: not on the threads that answer others.
    let found = spawn_blocking(move || found(fared, &newest)).await;
    let certificates = found.map_err(|error| Status::internal(error.to_string()))?;
    Ok(pb::ListCertificatesResponse { certificates })
}

fn found(fared: Vec<Fared>, newest: &[Document]) -> Vec<pb::Certificate> {
    let ssl = |path: &str| path.parse::<Key>().is_ok_and(|key| key.kind == Kind::Ssl);
    let (ssls, others): (Vec<_>, Vec<_>) = newest.iter().partition(|one| ssl(&one.path));
    if ssls.is_empty() {
        return Vec::new();
    }
    let fields = |one: &Document| documents::text(one.format, &one.value).unwrap_or_default();
    let mut users: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut gateways = BTreeSet::from(["gateways/default".to_owned()]);
    for one in others {
        let Ok(key) = one.path.parse::<Key>() else {
            continue;
        };
        if key.kind == Kind::Gateway {
            gateways.insert(one.path.to_string());
        }
        for named in named(&key, &Value::Object(fields(one))) {
            let users = users.entry(named.path.to_string()).or_default();
            users.insert(one.path.to_string());
        }
    }
    let states = fared.into_iter().filter(|one| ssl(&one.status.path));
    let states: BTreeMap<_, _> = states
        .map(|one| (one.status.path.clone(), document(one)))
        .collect();
    let mut found: Vec<_> = ssls
        .into_iter()
        .map(|one| {
            let state = states.get(&one.path).cloned().unwrap_or_default();
            let fields = fields(one);
            let mut told = certificate(&fields);
            let path = one.path.to_string();
            told.used_by = if told.r#type == "client" {
                users
                    .remove(&path)
                    .unwrap_or_default()
                    .into_iter()
                    .collect()
            } else {
                let own = texts(&fields, &["gateways"]).map(|id| format!("gateways/{id}"));
                let own: Vec<_> = own.collect();
                if own.is_empty() {
                    gateways.iter().cloned().collect()
                } else {
                    own
                }
            };
            pb::Certificate {
                document: path,
                state: state.state,
                reason: state.reason,
                ..told
            }
        })
        .collect();
    // What cannot be read ends at no time that is known.
    let end = |one: &pb::Certificate| one.not_after.map_or(i64::MAX, |end| end.seconds);
    found.sort_by(|a, b| (end(a), &a.document).cmp(&(end(b), &b.document)));
    found
}

/// What a document says of itself.
fn certificate(fields: &Map<String, Value>) -> pb::Certificate {
    let all = texts(fields, &["cert", "certs"]);
    let all = all.filter_map(|pem| Certificates::try_from(pem.to_owned()).ok());
    let all: Vec<_> = all.collect();
    let mut names: Vec<_> = texts(fields, &["sni", "snis"])
        .map(ToOwned::to_owned)
        .collect();
    if names.is_empty() {
        names = all.first().map(Certificates::names).unwrap_or_default();
    }
    let end = all.iter().filter_map(Certificates::not_after).min();
    let client = fields.get("type").and_then(Value::as_str) == Some("client");
    pb::Certificate {
        names,
        not_after: end.map(|seconds| Timestamp { seconds, nanos: 0 }),
        r#type: if client { "client" } else { "server" }.to_owned(),
        ..pb::Certificate::default()
    }
}

#[cfg(test)]
mod tests;
