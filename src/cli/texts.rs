//! Documents as the commands that write them have them: by path, without what the store adds. What files hold, what the
//! store holds, and how the two differ.

pub mod files;
pub mod plan;

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use clap::ValueEnum;
use serde_json::{Map, Value};

use super::remote::Client;
use crate::api::pb;
use crate::editing;
use crate::model::{Key, Kind};

/// The label of documents that are kept as one set.
pub const SET: &str = "chancery-set";

/// How to show documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    Json,
    Yaml,
}

/// Documents by path.
pub type Texts = BTreeMap<String, Map<String, Value>>;

/// A document of the store.
#[derive(Debug, Clone)]
pub struct Stored {
    pub fields: Map<String, Value>,
    /// The revision that wrote it.
    pub modified: i64,
}

/// The documents of the store, or those of a kind, and the revision at which they were read.
pub async fn stored(client: &mut Client, kind: &str) -> Result<(BTreeMap<String, Stored>, i64)> {
    let request = pb::ListTextsRequest {
        kind: kind.to_owned(),
    };
    let answer = client.list_texts(request).await?.into_inner();
    let mut stored = BTreeMap::new();
    for text in answer.texts {
        // One that is no document is none that could be written again.
        if let Ok(Value::Object(mut fields)) = serde_json::from_str(&text.text) {
            strip(&text.document, &mut fields);
            let modified = text.modified;
            stored.insert(text.document, Stored { fields, modified });
        }
    }
    Ok((stored, answer.revision))
}

/// Has documents written, all or none. Refused is not the same as called wrongly.
pub async fn send(client: &mut Client, request: pb::ApplyRequest) -> Result<pb::ApplyResponse> {
    let answered = client.apply(request).await;
    let answer = answered.map_err(|status| anyhow::anyhow!("{}", status.message()))?;
    Ok(answer.into_inner())
}

/// Takes away what is added to a document as it is written.
pub fn strip(path: &str, fields: &mut Map<String, Value>) {
    fields.remove("create_time");
    fields.remove("update_time");
    let id = path.rsplit('/').next().unwrap_or_default();
    let written = fields.get("id").and_then(editing::id);
    if written.as_deref() == Some(id) {
        fields.remove("id");
    }
}

/// The set that a document belongs to.
pub fn set_of(fields: &Map<String, Value>) -> Option<&str> {
    fields.get("labels")?.get(SET)?.as_str()
}

/// Documents as one text, which `apply` takes: by kind, each with its id.
pub fn as_one(texts: &Texts) -> Result<Value> {
    let mut kinds: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for (path, fields) in texts {
        let (folder, id) = path.rsplit_once('/').context("a document without a kind")?;
        let mut with_id = fields.clone();
        let kind = path.parse::<Key>().map(|key| key.kind);
        if kind != Ok(Kind::Consumer) {
            with_id.insert("id".to_owned(), id.into());
        }
        let of_kind = kinds.entry(folder.to_owned()).or_default();
        of_kind.push(Value::Object(with_id));
    }
    Ok(serde_json::to_value(kinds)?)
}

/// All documents as one text.
pub fn whole(texts: &Texts, format: Format) -> Result<String> {
    rendered(&as_one(texts)?, format)
}

/// A file for each document, by its path. Those that would be hidden files, which nobody reads, are in one.
pub fn as_files(texts: Texts, format: Format) -> Result<BTreeMap<String, String>> {
    let ending = match format {
        Format::Json => "json",
        Format::Table | Format::Yaml => "yaml",
    };
    let (hidden, plain): (Texts, Texts) =
        texts.into_iter().partition(|(path, _)| path.contains("/."));
    let mut files = BTreeMap::new();
    for (path, fields) in plain {
        let text = rendered(&Value::Object(fields), format)?;
        files.insert(format!("{path}.{ending}"), text);
    }
    if !hidden.is_empty() {
        files.insert(format!("others.{ending}"), whole(&hidden, format)?);
    }
    Ok(files)
}

/// A value as text.
pub fn rendered(value: &Value, format: Format) -> Result<String> {
    Ok(match format {
        Format::Json => serde_json::to_string(value)?,
        Format::Table | Format::Yaml => serde_saphyr::to_string(value)?,
    })
}

#[cfg(test)]
mod tests;
