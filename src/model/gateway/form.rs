//! A gateway as it is written.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::Value;

use super::{Gateway, access_log, http, listener, logs, rate_limit, real_ip, tracing};
use crate::model::bounds::{GATEWAYS, List};
use crate::model::key::Key;
use crate::model::problem::Remark;
use crate::model::{bookkeeping, decode};

/// A set of proxies, and what they listen on.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// Where the gateway listens, and for what.
    listeners: List<listener::Form, GATEWAYS>,
    /// What its HTTP listeners allow clients.
    #[serde(default)]
    http: http::Form,
    /// What is written down of each request; nothing when absent.
    access_log: Option<access_log::Form>,
    /// Where spans go; nowhere when absent.
    tracing: Option<tracing::Form>,
    /// Who counts requests for all its proxies together; nobody when absent.
    rate_limit: Option<rate_limit::Form>,
    /// Who posts what its proxies write down of requests, for plugins such as `http-logger`; nobody when absent.
    logs: Option<logs::Form>,
    /// Who may say on whose behalf a request comes; nobody when absent.
    real_ip: Option<real_ip::Form>,
}

impl decode::Form for Form {
    const NOT_IN_ENVOY: &'static [(&'static str, &'static str)] = &[(
        "admission",
        "which proxies may act as a gateway is the setting `xds-clients` of Chancery itself, beyond the reach of who writes documents",
    )];
}

impl bookkeeping::Kept for Form {}

pub(crate) fn schema(generator: &mut SchemaGenerator) -> Schema {
    bookkeeping::schema::<Form>(generator)
}

pub(crate) fn read(
    key: &Key,
    value: &Value,
    warnings: &mut Vec<Remark>,
) -> Result<Gateway, Remark> {
    let (form, _) = bookkeeping::read::<Form>(key, value)?;
    Ok(Gateway {
        listeners: listener::read(form.listeners.0)?,
        http: form.http.checked(),
        access_log: form
            .access_log
            .map(|form| form.checked().map_err(|remark| remark.under("access_log")))
            .transpose()?,
        tracing: form
            .tracing
            .map(|form| {
                form.checked(&key.id)
                    .map_err(|remark| remark.under("tracing"))
            })
            .transpose()?,
        rate_limit: form
            .rate_limit
            .map(|form| form.checked().map_err(|remark| remark.under("rate_limit")))
            .transpose()?,
        logs: form.logs.map(logs::Form::checked),
        real_ip: form
            .real_ip
            .map(|form| {
                form.checked(warnings)
                    .map_err(|remark| remark.under("real_ip"))
            })
            .transpose()?,
        ..Gateway::new(key.id.clone(), Vec::new())
    })
}
