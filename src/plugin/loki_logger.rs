//! `loki-logger`: what a route's requests were, and what became of them, posted to Grafana's Loki. Envoy tells `chancery logs`, which
//! posts it.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::contract::{Definition, Plugin, Reading, refused};
use super::shared::logger;
use crate::model::bounds::{List, LongText};
use crate::model::decode::{self, quoted};
use crate::model::log_format::Field;
use crate::model::log_target::{Loki, To};
use crate::model::problem::Remark;
use crate::model::scalar::{Quantity, Within};

/// What is said of how connections are kept.
const KEPT: &str = "is not used: `chancery logs` keeps connections for a minute";

pub(super) const ENTRY: Definition = Definition {
    name: "loki-logger",
    read,
    schema: logger::schema::<Form>,
    refused: refused::<Form>,
    differs: logger::differs![
        (
            "endpoint_addrs",
            "posted by `chancery logs`, which `logs` of the gateway names; refused without it",
        ),
        (
            "headers",
            "`Authorization` is for that process to know (`--authorization`), not for Envoy; no others",
        ),
        (
            "log_labels",
            "a text, or a variable as a whole, of those that `log_format` may have",
        ),
        ("keepalive", KEPT),
        ("keepalive_timeout", KEPT),
        ("keepalive_pool", KEPT),
    ],
    // Its filter stands before those of all plugins.
    http_filters: Vec::new,
};

/// What became of each request, posted to Loki in batches; those with the same labels are one stream.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// Where Loki is: `http://HOST`, `https://HOST`, one of which each batch goes to.
    endpoint_addrs: List<LongText<1024>, 16>,
    /// The path that takes entries, behind the address.
    #[serde(default = "push")]
    endpoint_uri: LongText<1024>,
    /// Whose entries they are.
    #[serde(default = "fake")]
    tenant_id: LongText<256>,
    /// Not read: `chancery logs` is told.
    headers: Option<BTreeMap<String, String>>,
    /// What entries are found by: texts, or `$` and the name of a variable. `{"job": "apisix"}` when absent.
    log_labels: Option<BTreeMap<String, String>>,
    /// Whether the server's certificate has to be good.
    #[serde(default)]
    ssl_verify: bool,
    /// Milliseconds that a post may take.
    #[serde(default = "three")]
    timeout: Within<1, 60_000>,
    /// Not used: connections are kept for a minute.
    keepalive: Option<bool>,
    /// Not used: connections are kept for a minute.
    keepalive_timeout: Option<Within<1000, { u32::MAX }>>,
    /// Not used: connections are kept for a minute.
    keepalive_pool: Option<Quantity>,
}

impl decode::Form for Form {
    const NOT_IN_ENVOY: &'static [(&'static str, &'static str)] = logger::BODIES;
}

fn push() -> LongText<1024> {
    LongText("/loki/api/v1/push".to_owned())
}

fn fake() -> LongText<256> {
    LongText("fake".to_owned())
}

fn three() -> Within<1, 60_000> {
    Within(3000)
}

fn read(value: &Value, reading: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let (form, fields) = logger::read::<Form>(value)?;
    let uris = uris(&form)?;
    logger::check_header("tenant_id", &form.tenant_id.0)?;
    warn(&form, &mut reading.warnings)?;
    let labels = form.log_labels.unwrap_or_else(|| {
        let job = ("job".to_owned(), "apisix".to_owned());
        [job].into()
    });
    check_labels(&labels)?;
    fields.to(To::Loki(Loki {
        uris,
        tenant: form.tenant_id.0,
        labels,
        millis: form.timeout.0,
        verify: form.ssl_verify,
    }))
}

/// What is posted to: each address with the path behind it.
fn uris(form: &Form) -> Result<Vec<String>, Remark> {
    let path = &form.endpoint_uri.0;
    if !path.starts_with('/') {
        let found = quoted(path);
        let message = format!("found {found}, allowed: a path such as /loki/api/v1/push");
        return Err(Remark::new("endpoint_uri", message));
    }
    let all = logger::endpoints(None, Some(&form.endpoint_addrs), true)?;
    Ok(all.into_iter().map(|address| address + path).collect())
}

/// Says what is not read, and refuses headers that nothing is in the place of.
fn warn(form: &Form, warnings: &mut Vec<Remark>) -> Result<(), Remark> {
    logger::check_headers(form.headers.as_ref(), warnings)?;
    let kept = [
        ("keepalive", form.keepalive.is_some()),
        ("keepalive_timeout", form.keepalive_timeout.is_some()),
        ("keepalive_pool", form.keepalive_pool.is_some()),
    ];
    for (field, _) in kept.iter().filter(|(_, written)| *written) {
        warnings.push(Remark::new(*field, KEPT));
    }
    Ok(())
}

fn check_labels(labels: &BTreeMap<String, String>) -> Result<(), Remark> {
    for (name, text) in labels {
        let said = match text.rfind('$') {
            None if text.is_empty() => {
                "found an empty text, allowed: at least one character".to_owned()
            }
            Some(1..) => {
                let found = quoted(text);
                format!(
                    "found {found}, allowed: a text without `$`, or `$` and the name of a variable alone"
                )
            }
            None | Some(0) => continue,
        };
        let field = format!("log_labels.{}", decode::shown(name));
        return Err(Remark::new(field, said));
    }
    let text = |(name, text): (&String, &String)| (name.clone(), Field::Text(text.clone()));
    logger::check_fields("log_labels", &labels.iter().map(text).collect())
}

#[cfg(test)]
mod tests;
