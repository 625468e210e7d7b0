//! `tcp-logger`: what a route's requests were, and what became of them, as JSON on a connection. Envoy tells `chancery logs`, which
//! sends it.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::contract::{Definition, Plugin, Reading, refused};
use super::shared::logger;
use crate::model::bounds::LongText;
use crate::model::decode;
use crate::model::log_target::{Tcp, Tls, To};
use crate::model::problem::Remark;
use crate::model::scalar::{Port, Within};

pub(super) const ENTRY: Definition = Definition {
    name: "tcp-logger",
    read,
    schema: logger::schema::<Form>,
    refused: refused::<Form>,
    differs: logger::differs![(
        "host",
        "sent to by `chancery logs`, which `logs` of the gateway names; refused without it",
    )],
    // Its filter stands before those of all plugins.
    http_filters: Vec::new,
};

/// What became of each request, sent in batches, each by a connection of its own: an array, or an object where `batch_max_size` is 1.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// The server's name or address.
    host: LongText<253>,
    /// Its port.
    port: Port,
    /// Milliseconds that it may take to connect, and as many to send a batch.
    #[serde(default = "second")]
    timeout: Within<1, 3_600_000>,
    /// Whether the connection is encrypted; the server's certificate is not looked at.
    #[serde(default)]
    tls: bool,
    /// The name that a server is asked for by TLS (SNI); none when absent.
    tls_options: Option<LongText<253>>,
}

impl decode::Form for Form {
    const NOT_IN_ENVOY: &'static [(&'static str, &'static str)] = logger::BODIES;
}

fn second() -> Within<1, 3_600_000> {
    Within(1000)
}

fn read(value: &Value, _: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let (form, fields) = logger::read::<Form>(value)?;
    let name = form
        .tls_options
        .map(|name| logger::host("tls_options", &name.0));
    let name = name.transpose()?;
    fields.to(To::Tcp(Tcp {
        host: logger::host("host", &form.host.0)?,
        port: form.port.0,
        millis: form.timeout.0,
        tls: form.tls.then_some(Tls { name }),
    }))
}

#[cfg(test)]
mod tests;
