//! `plugin_metadata`: what a plugin does wherever a document leaves it to that. One document for each plugin that has some.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::Value;

use super::all::ALL;
use super::shared::logger;
use super::shared::metadata::Metadata;
use super::{cors, file_logger, http_logger, loki_logger, syslog, tcp_logger, udp_logger};
use crate::model::key::Key;
use crate::model::problem::Remark;
use crate::model::{bookkeeping, decode};

/// What a plugin does wherever a document leaves it to that. The id is the plugin's name: `cors`, `file-logger`, `http-logger` or another
/// logger over the network.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// Of `cors`: origins with commas between them, by the names that `allow_origins_by_metadata` has for them.
    allow_origins: Option<BTreeMap<String, String>>,
    /// Of loggers: the fields of a line or an entry where a plugin has no `log_format` of its own.
    log_format: Option<BTreeMap<String, String>>,
}

const ONE_PATH: &str = "write `path` in each file-logger";

impl decode::Form for Form {
    const NOT_IN_ENVOY: &'static [(&'static str, &'static str)] = &[("path", ONE_PATH)];
}

impl bookkeeping::Kept for Form {
    const BOOKKEEPING: &'static [&'static str] = &["id", "create_time", "update_time"];
}

/// The plugins with metadata here, and the field of each.
const FIELDS: [(&str, &str); 7] = [
    (cors::ENTRY.name, "allow_origins"),
    (file_logger::ENTRY.name, "log_format"),
    (http_logger::ENTRY.name, "log_format"),
    (loki_logger::ENTRY.name, "log_format"),
    (syslog::ENTRY.name, "log_format"),
    (tcp_logger::ENTRY.name, "log_format"),
    (udp_logger::ENTRY.name, "log_format"),
];

pub(crate) fn schema(generator: &mut SchemaGenerator) -> Schema {
    bookkeeping::schema::<Form>(generator)
}

/// The field that the metadata of a plugin has; nothing for a plugin without any.
pub(crate) fn field_of(plugin: &str) -> Option<&'static str> {
    let found = FIELDS.iter().find(|(name, _)| *name == plugin);
    found.map(|(_, field)| *field)
}

/// Reads the metadata of the plugin that the key names.
pub(crate) fn read(
    key: &Key,
    value: &Value,
    warnings: &mut Vec<Remark>,
) -> Result<Metadata, Remark> {
    let name = key.id.as_str();
    let Some(own) = field_of(name) else {
        return Err(Remark::whole(not_here(name)));
    };
    let (form, _) = bookkeeping::read::<Form>(key, value)?;
    let written = [
        ("allow_origins", form.allow_origins.is_some()),
        ("log_format", form.log_format.is_some()),
    ];
    let other = written
        .iter()
        .find(|(field, written)| *written && *field != own);
    if let Some((field, _)) = other {
        let message = format!("is none of the fields of `{name}`, allowed: `{own}`");
        return Err(Remark::new(*field, message));
    }
    let fields = form.allow_origins.or(form.log_format).unwrap_or_default();
    if name == cors::ENTRY.name {
        cors::check_metadata(&fields)?;
    } else if name == file_logger::ENTRY.name {
        file_logger::check_texts(file_logger::FORMAT, &fields, warnings)?;
    } else {
        logger::check_format(&fields)?;
    }
    Ok(Metadata {
        fields,
        bytes: value.to_string().len(),
    })
}

/// Why a plugin has no metadata here, and what to do.
fn not_here(plugin: &str) -> String {
    let logs = [
        "loggly",
        "splunk-hec-logging",
        "google-cloud-logging",
        "datadog",
    ];
    let instead = match plugin {
        "opentelemetry" | "zipkin" | "skywalking" => {
            "write `tracing` of the gateway, which says where spans go and how many"
        }
        _ if plugin.ends_with("-logger") || logs.contains(&plugin) => {
            "write `access_log` of the gateway, which says what a line has"
        }
        _ if ALL.iter().any(|entry| entry.name == plugin) => {
            "write what it says at the plugin itself, in a route, a service or a global rule"
        }
        _ => "the id is a plugin's name, and none that is served here",
    };
    let with = FIELDS.map(|(name, _)| name).join(", ");
    format!("is the metadata of a plugin that has none here, allowed: {with}; {instead}")
}

#[cfg(test)]
mod tests;
