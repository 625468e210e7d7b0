//! What can be asked beside documents: plugins, schemas, and whether texts would be documents.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::documents::{self, Reader, schema};
use crate::editing;
use crate::model::document::Format;
use crate::model::{Document, Kind};
use crate::plugin;
use crate::store::writer::Held;

use super::Call;
use super::answer::{self, Refusal};
use super::target::Target;

/// How many documents are checked at once.
const MANY: usize = 100_000;

impl Call {
    /// What is no document.
    pub async fn about(&self, target: Target<'_>) -> Result<Response, Refusal> {
        match (target, self.method.as_str()) {
            (Target::Root, "GET") => Ok(answer::json(StatusCode::OK, &json!({}))),
            (Target::PluginNames, "GET") => {
                let is_http = self.asks_for_http()?;
                let names: Vec<_> = plugin::names().filter(|_| is_http).collect();
                Ok(answer::json(StatusCode::OK, &json!(names)))
            }
            (Target::Plugins, "GET") => Ok(self.plugins(self.asks_for_http()?)),
            (Target::Plugin(name), "GET") => self.plugin(name),
            (Target::ReloadPlugins, "PUT") => Ok("done".into_response()),
            (Target::Schema(kind), "GET") => match Kind::named(kind) {
                Some(kind) => Ok(answer::json(StatusCode::OK, &schema::of(kind))),
                None => Err(not_found("schema", kind)),
            },
            (Target::Validate(kind), "POST") => self.validate(kind),
            (Target::ValidateAll, "POST") => self.validate_all().await,
            (target, method) => Err(Refusal::method(method, named(&target))),
        }
    }

    /// Whether plugins of routes are asked for; none serves streams.
    fn asks_for_http(&self) -> Result<bool, Refusal> {
        match self.parameter("subsystem") {
            None | Some("http") => Ok(true),
            Some("stream") => Ok(false),
            Some(_) => Err(Refusal::bad(
                "invalid subsystem passed: allowed are http and stream",
            )),
        }
    }

    fn plugins(&self, is_http: bool) -> Response {
        if !is_http {
            return answer::json(StatusCode::OK, &json!({}));
        }
        let all = plugin::names().enumerate().filter_map(|(at, name)| {
            let mut about = Map::new();
            about.insert("schema".to_owned(), schema::of_plugin(name)?);
            if let Some(schema) = schema::of_credential(name) {
                about.insert("consumer_schema".to_owned(), schema);
            }
            if let Some(schema) = schema::of_metadata(name) {
                about.insert("metadata_schema".to_owned(), schema);
            }
            // They run in this order; where there are several phases, in each.
            let priority = i64::try_from(at).map_or(0, |at| 10_000 - at);
            about.insert("priority".to_owned(), priority.into());
            about.insert("version".to_owned(), 0.1.into());
            Some((name.to_owned(), Value::Object(about)))
        });
        answer::json(StatusCode::OK, &Value::Object(all.collect()))
    }

    fn plugin(&self, name: &str) -> Result<Response, Refusal> {
        let own = match self.parameter("schema_type") {
            Some("consumer") => schema::of_credential(name),
            Some("metadata") => schema::of_metadata(name),
            _ => None,
        };
        let schema = own.or_else(|| schema::of_plugin(name));
        let found = schema.ok_or_else(|| not_found("plugin", name))?;
        Ok(answer::json(StatusCode::OK, &found))
    }

    fn validate(&self, kind: Kind) -> Result<Response, Refusal> {
        let document = document_of(kind, &self.document()?);
        match self.api.reader.check(&document) {
            Ok(_) => Ok(StatusCode::OK.into_response()),
            Err(problem) => Err(Refusal::bad(problem.said())),
        }
    }

    async fn validate_all(&self) -> Result<Response, Refusal> {
        let all = self.document()?;
        let reader = self.api.reader.clone();
        let checked = tokio::task::spawn_blocking(move || wrong(&all, &reader)).await;
        let errors = checked.map_err(|error| Refusal::fault(&error))?;
        if errors.is_empty() {
            return Ok(answer::json(StatusCode::OK, &json!({})));
        }
        let body = json!({ "error_msg": "Configuration validation failed", "errors": errors });
        Ok(answer::json(StatusCode::BAD_REQUEST, &body))
    }

    /// All documents below a folder, and what their keys begin with.
    pub async fn all(&self, folder: &str) -> Result<(Vec<Held>, String), Refusal> {
        if let Some(editor) = &self.api.editor {
            let prefix = editor.key("").trim_end_matches('/').to_owned();
            return Ok((editor.list(folder).await?.documents, prefix));
        }
        let texts = self.api.texts().await.map_err(|status| {
            Refusal::Said(StatusCode::SERVICE_UNAVAILABLE, status.message().to_owned())
        })?;
        let below = texts
            .into_iter()
            .filter(|document| document.path.starts_with(folder));
        let opened = |document| editing::opened(self.api.reader.keyring(), held(document));
        let mut held: Vec<_> = below.map(opened).collect();
        held.sort_by(|a, b| a.path.cmp(&b.path));
        Ok((held, String::new()))
    }
}

/// A document of a file, as JSON.
fn held(document: Document) -> Held {
    let text = match documents::text(document.format, &document.value) {
        Ok(fields) => Value::Object(fields).to_string().into(),
        Err(_) => document.value,
    };
    Held {
        path: document.path,
        text,
        created: document.revision,
        modified: document.revision,
    }
}

/// What is wrong with documents by kind, each with its place.
fn wrong(all: &Map<String, Value>, reader: &Reader) -> Vec<Value> {
    let mut errors = Vec::new();
    for (folder, documents) in all {
        let known = Kind::ALL.into_iter().find(|kind| kind.as_str() == folder);
        let Some(kind) = known.filter(|kind| *kind != Kind::Credential) else {
            if !folder.ends_with("_conf_version") {
                errors.push(json!({ "resource_type": folder, "error": format!("Unsupported resource type: {folder}") }));
            }
            continue;
        };
        let Value::Array(documents) = documents else {
            errors.push(json!({ "resource_type": folder, "error": "found no list, allowed: a list of documents" }));
            continue;
        };
        let mut ids = BTreeSet::new();
        for (index, document) in documents.iter().enumerate().take(MANY) {
            let said = match document {
                Value::Object(fields) => {
                    let id = id_of(kind, fields);
                    if id.as_ref().is_some_and(|id| !ids.insert(id.clone())) {
                        Some("found an id that another of the list has".to_owned())
                    } else {
                        let checked = reader.check(&document_of(kind, fields));
                        checked.err().map(|problem| problem.said())
                    }
                }
                _ => Some("found no object".to_owned()),
            };
            if let Some(error) = said {
                let id = document.as_object().and_then(|fields| id_of(kind, fields));
                errors.push(json!({ "resource_type": folder, "resource_id": id, "index": index, "error": error }));
            }
        }
    }
    errors
}

fn id_of(kind: Kind, fields: &Map<String, Value>) -> Option<String> {
    let field = if kind == Kind::Consumer {
        "username"
    } else {
        "id"
    };
    editing::id(fields.get(field)?)
}

/// The document as it would lie in the store.
fn document_of(kind: Kind, fields: &Map<String, Value>) -> Document {
    let new = match kind {
        Kind::Secret => "vault/new",
        _ => "new",
    };
    let id = id_of(kind, fields).unwrap_or_else(|| new.to_owned());
    let path: Arc<str> = format!("{}/{id}", kind.as_str()).into();
    Document {
        source: path.clone(),
        path,
        format: Format::Json,
        value: Value::Object(fields.clone()).to_string().into(),
        revision: 1,
    }
}

fn not_found(what: &str, name: &str) -> Refusal {
    let shown: String = name.escape_debug().take(100).collect();
    Refusal::bad(format!("not found {what}: {shown}"))
}

fn named(target: &Target<'_>) -> &'static str {
    match target {
        Target::Plugins | Target::PluginNames | Target::Plugin(_) | Target::ReloadPlugins => {
            "plugins"
        }
        Target::Schema(_) | Target::Validate(_) => "schema",
        Target::ValidateAll => "configs",
        _ => "this path",
    }
}
