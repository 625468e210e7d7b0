//! `zipkin`: which of a route's requests become spans. Its collector is the gateway's.

use std::net::Ipv4Addr;
use std::sync::Arc;

use envoy_types::pb::envoy::config::route::v3::Route;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::contract::{Definition, Plugin, Reading, refused, schema};
use super::shared::span::{self, Ratio};
use crate::model::decode;
use crate::model::problem::Remark;
use crate::model::upstream::Cluster;

pub(super) const ENTRY: Definition = Definition {
    name: "zipkin",
    read,
    schema: schema::<Form>,
    refused: refused::<Form>,
    differs: &[
        ("", "spans go where `tracing` of the gateway says"),
        (
            "sample_ratio",
            "a request's own trace context decides before it; of `opentelemetry` and `zipkin` on \
            one route the larger share holds",
        ),
        ("endpoint", "is not used"),
        ("service_name", "is not used"),
        ("server_addr", "is not used"),
        ("span_version", "is not used"),
    ],
    http_filters: Vec::new,
};

/// Which requests leave spans with Zipkin.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// Where APISIX sends spans; here the gateway's `tracing` says it.
    #[serde(rename = "endpoint")]
    _endpoint: String,
    /// The share of the requests, where the client has not decided.
    sample_ratio: Sampled,
    /// What APISIX's spans say they come from; here the gateway's do.
    service_name: Option<String>,
    /// What APISIX's spans give for its address; here it is Envoy's own.
    #[schemars(with = "Option<String>")]
    server_addr: Option<Ipv4Addr>,
    /// The version of APISIX's spans; here it is 2.
    #[serde(default)]
    span_version: Version,
}

impl decode::Form for Form {}

/// As in APISIX, never none.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(try_from = "f64")]
struct Sampled(#[schemars(with = "f64", range(min = 0.00001, max = 1))] Ratio);

impl TryFrom<f64> for Sampled {
    type Error = String;

    fn try_from(ratio: f64) -> Result<Self, String> {
        match ratio {
            0.000_01..=1.0 => Ratio::try_from(ratio).map(Self),
            _ => Err(format!("found {ratio}, allowed: 0.00001–1")),
        }
    }
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(try_from = "i64")]
struct Version(#[schemars(range(min = 1, max = 2))] i64);

impl Default for Version {
    fn default() -> Self {
        Self(2)
    }
}

impl TryFrom<i64> for Version {
    type Error = String;

    fn try_from(version: i64) -> Result<Self, String> {
        match version {
            1 | 2 => Ok(Self(version)),
            _ => Err(format!("found {version}, allowed: 1, 2")),
        }
    }
}

#[derive(Debug)]
struct Zipkin(Ratio);

fn read(value: &Value, reading: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let form: Form = decode::read(value)?;
    let unused = [
        (true, "endpoint", span::WHERE),
        (
            form.service_name.is_some(),
            "service_name",
            "is not used: spans carry the name that `tracing` of the gateway gives, or that Envoy is started with",
        ),
        (
            form.server_addr.is_some(),
            "server_addr",
            "is not used: spans carry Envoy's own address",
        ),
        (
            form.span_version.0 == 1,
            "span_version",
            "is not used: spans are of version 2",
        ),
    ];
    let found = unused.into_iter().filter(|(found, ..)| *found);
    let said = found.map(|(_, field, message)| Remark::new(field, message));
    reading.warnings.extend(said);
    Ok(Arc::new(Zipkin(form.sample_ratio.0)))
}

impl Plugin for Zipkin {
    fn apply(&self, route: &mut Route, _: &[Arc<Cluster>]) {
        span::trace(route, self.0, []);
    }
}

#[cfg(test)]
mod tests;
