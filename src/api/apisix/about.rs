//! What can be asked beside documents: plugins, schemas, and whether texts would be documents.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::documents::{self, schema};
use crate::editing::Refused;
use crate::model::document::Format;
use crate::model::{Document, Kind};
use crate::plugin;
use crate::store::writer::Held;

use super::target::Target;
use super::{Call, answer};

/// How many documents are checked at once.
const MANY: usize = 100_000;

impl Call {
    /// What is no document.
    pub async fn about(self, target: Target<'_>) -> Response {
        let method = self.method.clone();
        match (target, method.as_str()) {
            (Target::Root, "GET") => answer::json(StatusCode::OK, &json!({})),
            (Target::NotServed { is_one: false, .. }, "GET") => {
                answer::json(StatusCode::OK, &json!({ "list": [], "total": 0 }))
            }
            (Target::NotServed { .. }, "GET" | "DELETE") => answer::refused(&Refused::Absent),
            (Target::NotServed { folder, .. }, _) => {
                let said =
                    format!("this version does not serve `{folder}`: nothing would come of it");
                answer::error(StatusCode::BAD_REQUEST, said)
            }
            (Target::PluginNames, "GET") => {
                let names: Vec<_> = plugin::names().collect();
                answer::json(StatusCode::OK, &json!(names))
            }
            (Target::Plugins, "GET") => self.plugins(),
            (Target::Plugin(name), "GET") => self.plugin(name),
            (Target::ReloadPlugins, "PUT") => "done".into_response(),
            (Target::Schema(kind), "GET") => match Kind::named(kind) {
                Some(kind) => answer::json(StatusCode::OK, &schema::of(kind)),
                None => not_found("schema", kind),
            },
            (Target::Validate(kind), "POST") => self.validate(kind),
            (Target::ValidateAll, "POST") => self.validate_all().await,
            (target, method) => answer::method(method, named(&target)),
        }
    }

    fn plugins(&self) -> Response {
        if self.parameter("subsystem").is_some_and(|it| it != "http") {
            return answer::json(StatusCode::OK, &json!({}));
        }
        let all = plugin::names().enumerate().filter_map(|(at, name)| {
            let mut about = Map::new();
            about.insert("schema".to_owned(), schema::of_plugin(name)?);
            if let Some(schema) = schema::of_credential(name) {
                about.insert("consumer_schema".to_owned(), schema);
            }
            // They run in this order; where there are several phases, in each.
            let priority = i64::try_from(at).map_or(0, |at| 10_000 - at);
            about.insert("priority".to_owned(), priority.into());
            about.insert("version".to_owned(), 0.1.into());
            Some((name.to_owned(), Value::Object(about)))
        });
        answer::json(StatusCode::OK, &Value::Object(all.collect()))
    }

    fn plugin(&self, name: &str) -> Response {
        let of_consumers = self.parameter("schema_type") == Some("consumer");
        let own = if of_consumers {
            schema::of_credential(name)
        } else {
            None
        };
        match own.or_else(|| schema::of_plugin(name)) {
            Some(schema) => answer::json(StatusCode::OK, &schema),
            None => not_found("plugin", name),
        }
    }

    fn validate(&self, kind: Kind) -> Response {
        let document = match self.document() {
            Ok(read) => read,
            Err(refused) => return refused,
        };
        match documents::check(&document_of(kind, &document), self.api.registries()) {
            Ok(_) => StatusCode::OK.into_response(),
            Err(problem) => answer::error(StatusCode::BAD_REQUEST, problem.said()),
        }
    }

    async fn validate_all(self) -> Response {
        let all = match self.document() {
            Ok(all) => all,
            Err(refused) => return refused,
        };
        let registries = self.api.registries().to_vec();
        let checked = tokio::task::spawn_blocking(move || wrong(&all, &registries)).await;
        match checked {
            Ok(errors) if errors.is_empty() => answer::json(StatusCode::OK, &json!({})),
            Ok(errors) => {
                let body =
                    json!({ "error_msg": "Configuration validation failed", "errors": errors });
                answer::json(StatusCode::BAD_REQUEST, &body)
            }
            Err(error) => answer::error(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        }
    }

    /// All documents below a folder, and what their keys begin with.
    pub async fn all(&self, folder: &str) -> Result<(Vec<Held>, String), Response> {
        if let Some(editor) = &self.api.editor {
            let prefix = editor.key("");
            let reading = editor.list(folder).await;
            let reading = reading.map_err(|refused| answer::refused(&refused))?;
            return Ok((reading.documents, prefix.trim_end_matches('/').to_owned()));
        }
        let texts =
            self.api.texts().await.map_err(|status| {
                answer::error(StatusCode::SERVICE_UNAVAILABLE, status.message())
            })?;
        let below = texts
            .into_iter()
            .filter(|document| document.path.starts_with(folder));
        let mut held: Vec<_> = below.map(held).collect();
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
fn wrong(all: &Map<String, Value>, registries: &[crate::model::Discovery]) -> Vec<Value> {
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
                        let checked = documents::check(&document_of(kind, fields), registries);
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
    match fields.get(field)? {
        Value::String(id) => Some(id.clone()),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    }
}

/// The document as it would lie in the store.
fn document_of(kind: Kind, fields: &Map<String, Value>) -> Document {
    let id = id_of(kind, fields).unwrap_or_else(|| "new".to_owned());
    let path: Arc<str> = format!("{}/{id}", kind.as_str()).into();
    Document {
        source: path.clone(),
        path,
        format: Format::Json,
        value: Value::Object(fields.clone()).to_string().into(),
        revision: 1,
    }
}

fn not_found(what: &str, name: &str) -> Response {
    let name: String = name.escape_debug().take(100).collect();
    answer::error(StatusCode::BAD_REQUEST, format!("not found {what}: {name}"))
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
