//! `plugin_metadata`: what a plugin does wherever a document leaves it to that. One document for each plugin that has some.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::Value;

use super::all::ALL;
use super::shared::header;
use super::shared::limit::QUOTA;
use super::shared::logger;
use super::shared::metadata::{Metadata, Quota};
use super::{
    clickhouse_logger, cors, elasticsearch_logger, file_logger, http_logger, kafka_logger,
    limit_count, loki_logger, syslog, tcp_logger, udp_logger,
};
use crate::model::bounds::LongText;
use crate::model::key::Key;
use crate::model::problem::Remark;
use crate::model::scalar::Quantity;
use crate::model::{bookkeeping, decode, log_format};

/// What a plugin does wherever a document leaves it to that. The id is the plugin's name: `cors`, `limit-count`, `file-logger`, `http-logger`
/// or another logger over the network.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// Of `cors`: origins with commas between them, by the names that `allow_origins_by_metadata` has for them.
    allow_origins: Option<BTreeMap<String, String>>,
    /// Of loggers: the fields of a line or an entry where a plugin has no `log_format` of its own. Texts, `$` and the name of a
    /// variable, or objects of such, at most five in each other.
    log_format: Option<log_format::Fields>,
    /// Of loggers over the network: how many entries of a target may wait in `chancery logs`. At most as many as its `--buffer` says, also
    /// without it; what comes beyond is lost, and counted.
    max_pending_entries: Option<Quantity>,
    /// Of `limit-count`: the header that tells how many requests pass; `X-RateLimit-Limit` when absent.
    limit_header: Option<LongText<NAME>>,
    /// How many are left; `X-RateLimit-Remaining` when absent.
    remaining_header: Option<LongText<NAME>>,
    /// In how many seconds all are back; `X-RateLimit-Reset` when absent.
    reset_header: Option<LongText<NAME>>,
}

/// Characters of a header's name.
const NAME: usize = 256;

const ONE_PATH: &str = "write `path` in each file-logger";

impl decode::Form for Form {
    const NOT_IN_ENVOY: &'static [(&'static str, &'static str)] = &[("path", ONE_PATH)];
}

impl bookkeeping::Kept for Form {
    const BOOKKEEPING: &'static [&'static str] = &["id", "create_time", "update_time"];
}

/// Those of a logger over the network.
const OF_LOGGERS: &[&str] = &["log_format", "max_pending_entries"];

/// What headers of limits are called.
const OF_QUOTA: [&str; 3] = ["limit_header", "remaining_header", "reset_header"];

/// The plugins with metadata here, and the fields of each.
const FIELDS: [(&str, &[&str]); 11] = [
    (clickhouse_logger::ENTRY.name, OF_LOGGERS),
    (cors::ENTRY.name, &["allow_origins"]),
    (elasticsearch_logger::ENTRY.name, OF_LOGGERS),
    (file_logger::ENTRY.name, &["log_format"]),
    (http_logger::ENTRY.name, OF_LOGGERS),
    (kafka_logger::ENTRY.name, OF_LOGGERS),
    (limit_count::ENTRY.name, &OF_QUOTA),
    (loki_logger::ENTRY.name, OF_LOGGERS),
    (syslog::ENTRY.name, OF_LOGGERS),
    (tcp_logger::ENTRY.name, OF_LOGGERS),
    (udp_logger::ENTRY.name, OF_LOGGERS),
];

pub(crate) fn schema(generator: &mut SchemaGenerator) -> Schema {
    bookkeeping::schema::<Form>(generator)
}

/// The fields that the metadata of a plugin has; nothing for a plugin without any.
pub(crate) fn fields_of(plugin: &str) -> Option<&'static [&'static str]> {
    let found = FIELDS.iter().find(|(name, _)| *name == plugin);
    found.map(|(_, fields)| *fields)
}

/// Reads the metadata of the plugin that the key names.
pub(crate) fn read(
    key: &Key,
    value: &Value,
    warnings: &mut Vec<Remark>,
) -> Result<Metadata, Remark> {
    let name = key.id.as_str();
    let Some(own) = fields_of(name) else {
        return Err(Remark::whole(not_here(name)));
    };
    let (form, _) = bookkeeping::read::<Form>(key, value)?;
    let written = [
        ("allow_origins", form.allow_origins.is_some()),
        ("log_format", form.log_format.is_some()),
        ("max_pending_entries", form.max_pending_entries.is_some()),
    ];
    let quota = [form.limit_header, form.remaining_header, form.reset_header];
    let of_quota = OF_QUOTA.into_iter().zip(quota.iter().map(Option::is_some));
    let written = written.into_iter().chain(of_quota).collect::<Vec<_>>();
    let other = written
        .iter()
        .find(|(field, written)| *written && !own.contains(field));
    if let Some((field, _)) = other {
        let own = own.join("`, `");
        let message = format!("is none of the fields of `{name}`, allowed: `{own}`");
        return Err(Remark::new(*field, message));
    }
    let origins = form.allow_origins.unwrap_or_default();
    let format = form.log_format.unwrap_or_default();
    cors::check_metadata(&origins)?;
    if name == file_logger::ENTRY.name {
        file_logger::check_fields(file_logger::FORMAT, &format, warnings)?;
    } else {
        logger::check_format(&format)?;
    }
    Ok(Metadata {
        origins,
        format,
        pending: form.max_pending_entries.map(|most| most.0),
        quota: names(quota)?,
        bytes: value.to_string().len(),
    })
}

/// Refuses names that no header of an answer can have.
fn names(quota: [Option<LongText<NAME>>; 3]) -> Result<Quota, Remark> {
    let mut names = Quota::default();
    let each = OF_QUOTA.into_iter().zip(QUOTA).zip(quota);
    for (((field, usual), written), name) in each.zip(&mut names) {
        let checked = written.map(|LongText(text)| header::changeable(&text));
        let checked = checked.transpose();
        *name = checked.map_err(|said| Remark::new(field, said))?;
        if let Some(other) = name
            .as_deref()
            .filter(|name| QUOTA.contains(name) && *name != usual)
        {
            let message = format!(
                "found {other}, which another of these headers is called, allowed: other names"
            );
            return Err(Remark::new(field, message));
        }
    }
    let mut given: Vec<_> = names.iter().flatten().collect();
    given.sort_unstable();
    if given.windows(2).any(|pair| pair[0] == pair[1]) {
        let message = "two headers have one name, allowed: a name for each";
        return Err(Remark::whole(message));
    }
    Ok(names)
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
