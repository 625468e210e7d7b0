//! `/openapi.json`: what can be called on the admin port, as OpenAPI 3.1. It is made of the table of calls, the contract and
//! the schemas of documents, so it cannot say anything else than these.

mod contract;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use tonic::Status;

use super::{apisix, json};

pub const PATH: &str = "/openapi.json";

/// What is said of calls: how each is made, by path and method, and what the bodies are made of.
#[derive(Default)]
pub(super) struct Said {
    pub paths: Map<String, Value>,
    pub schemas: Map<String, Value>,
}

impl Said {
    pub fn call(&mut self, path: &str, method: &str, call: Value) {
        let at = self.paths.entry(path).or_insert_with(|| json!({}));
        at[method] = call;
    }
}

/// The whole of it.
pub fn document() -> Result<Value, Status> {
    let mut said = Said::default();
    contract::say(json::own()?, &mut said);
    apisix::openapi::say(&mut said);
    Ok(json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Chancery",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            "description": "The admin port of Chancery: the control API below /v1, and documents with the calls of APISIX's \
                            Admin API below /apisix/admin. Where there are API keys, each call shows one; `x-role` is what it \
                            has to be good for.",
        },
        "security": [{}, { "header": [] }],
        "paths": said.paths,
        "components": {
            "schemas": said.schemas,
            "securitySchemes": {
                "header": { "type": "apiKey", "in": "header", "name": "x-api-key" },
                "parameter": { "type": "apiKey", "in": "query", "name": "api_key" },
                "cookie": { "type": "apiKey", "in": "cookie", "name": "x_api_key" },
            },
        },
    }))
}

/// Made when it is first asked for.
static TEXT: LazyLock<Result<String, Status>> = LazyLock::new(|| Ok(document()?.to_string()));

/// Anybody may read it: it is the same everywhere.
pub async fn serve() -> Response {
    match &*TEXT {
        Ok(text) => ([(header::CONTENT_TYPE, "application/json")], text.as_str()).into_response(),
        Err(status) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            status.message().to_owned(),
        )
            .into_response(),
    }
}

/// A schema that has a name.
pub(super) fn named(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// A body, or an answer, in JSON.
pub(super) fn content(schema: &Value) -> Value {
    json!({ "application/json": { "schema": schema } })
}
