//! `http-logger`: what a route's requests were, and what became of them, posted to a server. Envoy tells `chancery logs`, which
//! posts it.

use std::collections::BTreeMap;
use std::sync::Arc;

use envoy_types::pb::envoy::config::route::v3::Route;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::contract::{Definition, Helper, Plugin, Reading, refused, schema};
use super::file_logger;
use super::shared::logged;
use super::shared::metadata::Metadata;
use crate::model::bounds::LongText;
use crate::model::decode::{self, quoted};
use crate::model::key::Id;
use crate::model::log_target::{Batching, LogTarget, To};
use crate::model::problem::Remark;
use crate::model::scalar::Within;
use crate::model::upstream::Cluster;

pub(super) const ENTRY: Definition = Definition {
    name: "http-logger",
    read,
    schema: schema::<Form>,
    refused: refused::<Form>,
    differs: &[
        (
            "uri",
            "posted by `chancery logs`, which `logs` of the gateway names; refused without it",
        ),
        (
            "auth_header",
            "is for that process to know (`--authorization`), not for Envoy",
        ),
        (
            "log_format",
            "variables as in the error that refuses another; `$time_iso8601` is when the request \
            came, in UTC",
        ),
        (
            "",
            "request headers are those that came, before any plugin changed them, with \
            `x-request-id` and `x-forwarded-proto` of Envoy's",
        ),
        ("", "`server` is Envoy: its node's id, and its version"),
        ("include_req_body", "no bodies"),
        ("include_resp_body", "no bodies"),
        (
            "",
            "nothing of what Envoy refuses before it looks for a route",
        ),
    ],
    // Its filter stands before those of all plugins.
    http_filters: Vec::new,
};

/// What became of each request, posted to a server in batches.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// Where entries are posted: `http://` or `https://`.
    uri: LongText<4096>,
    /// Not read: `chancery logs` is told.
    auth_header: Option<String>,
    /// Seconds that a post may take.
    #[serde(default = "three")]
    timeout: Within<1, 3600>,
    /// What APISIX calls the batches; not used.
    #[serde(rename = "name")]
    _name: Option<String>,
    /// So many entries go together at most; of 1, a post is an object.
    #[serde(default = "thousand")]
    batch_max_size: Within<1, 10_000>,
    /// Seconds after the last entry until a batch goes that is not full.
    #[serde(default = "five")]
    inactive_timeout: Within<1, 86_400>,
    /// Seconds after the first entry.
    #[serde(default = "minute")]
    buffer_duration: Within<1, 86_400>,
    /// How often a batch is posted again that the server did not take; then it is lost, and counted.
    #[serde(default = "never")]
    max_retry_count: Within<0, 1_000_000>,
    /// Seconds until then.
    #[serde(default = "second")]
    retry_delay: Within<0, 86_400>,
    /// How the entries of a batch go together.
    #[serde(default)]
    concat_method: Concatenation,
    /// Whether the server's certificate has to be good.
    #[serde(default)]
    ssl_verify: bool,
    /// The fields of an entry: texts, or `$` and the name of a variable.
    log_format: Option<BTreeMap<String, String>>,
    /// No other: Envoy tells no bodies.
    #[serde(default)]
    include_req_body: bool,
    /// No other: Envoy tells no bodies.
    #[serde(default)]
    include_resp_body: bool,
}

const BODIES: &str = "Envoy tells no bodies to its logs";

impl decode::Form for Form {
    const NOT_IN_ENVOY: &'static [(&'static str, &'static str)] = &[
        ("include_req_body_expr", BODIES),
        ("include_resp_body_expr", BODIES),
        ("max_req_body_bytes", BODIES),
        ("max_resp_body_bytes", BODIES),
    ];
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Concatenation {
    /// An array.
    #[default]
    Json,
    /// A line each.
    NewLine,
}

fn three() -> Within<1, 3600> {
    Within(3)
}

fn thousand() -> Within<1, 10_000> {
    Within(1000)
}

fn five() -> Within<1, 86_400> {
    Within(5)
}

fn minute() -> Within<1, 86_400> {
    Within(60)
}

fn never() -> Within<0, 1_000_000> {
    Within(0)
}

fn second() -> Within<0, 86_400> {
    Within(1)
}

#[derive(Debug, Clone)]
struct HttpLogger(LogTarget);

fn read(value: &Value, reading: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let form: Form = decode::read(value)?;
    file_logger::check_bodies(form.include_req_body, form.include_resp_body, BODIES)?;
    check_uri(&form.uri.0)?;
    if form.auth_header.is_some() {
        let message = "is not read, as Envoy would have to know it: `chancery logs` is told what it shows the server \
                       (--authorization)";
        reading.warnings.push(Remark::new("auth_header", message));
    }
    if let Some(fields) = &form.log_format {
        check_metadata(fields)?;
    }
    Ok(Arc::new(HttpLogger(LogTarget {
        to: To::Http {
            uri: form.uri.0,
            timeout: form.timeout.0,
            verify: form.ssl_verify,
            lines: form.concat_method == Concatenation::NewLine,
        },
        batch: Batching {
            most: form.batch_max_size.0,
            idle: form.inactive_timeout.0,
            age: form.buffer_duration.0,
            retries: form.max_retry_count.0,
            pause: form.retry_delay.0,
        },
        format: form.log_format,
        service: None,
    })))
}

/// Refuses fields that no entry can have, of a plugin or of its metadata. What Envoy does not do exactly in lines of its own, it
/// does not have to do here.
pub(super) fn check_metadata(fields: &BTreeMap<String, String>) -> Result<(), Remark> {
    file_logger::check_metadata(fields, &mut Vec::new())
}

fn check_uri(uri: &str) -> Result<(), Remark> {
    let is_one = |url: &Url| matches!(url.scheme(), "http" | "https") && url.has_host();
    let of_nobody = |url: &Url| url.username().is_empty() && url.password().is_none();
    let said = match Url::parse(uri) {
        Ok(url) if is_one(&url) && of_nobody(&url) => return Ok(()),
        Ok(url) if is_one(&url) => "found a user in it, allowed: none".to_owned(),
        _ => format!(
            "found {}, allowed: http://HOST/PATH, https://…",
            quoted(uri)
        ),
    };
    Err(Remark::new("uri", said))
}

impl Plugin for HttpLogger {
    fn helper(&self) -> Option<Helper> {
        Some(Helper::Logs)
    }

    fn asks_for_metadata(&self) -> bool {
        self.0.format.is_none()
    }

    fn with_metadata(&self, metadata: &Metadata) -> Option<Arc<dyn Plugin>> {
        // Of no fields it is as without metadata, as in APISIX. Checked as the metadata was read.
        let fields = Some(&metadata.fields).filter(|fields| !fields.is_empty())?;
        let mut target = self.0.clone();
        target.format = Some(fields.clone());
        Some(Arc::new(Self(target)))
    }

    fn of_service(&self, service: &Id) -> Option<Arc<dyn Plugin>> {
        let mut target = self.0.clone();
        target.service = Some(service.to_string());
        Some(Arc::new(Self(target)))
    }

    fn apply(&self, route: &mut Route, _: &[Arc<Cluster>]) {
        logged::log(route, &self.0);
    }
}

#[cfg(test)]
mod tests;
