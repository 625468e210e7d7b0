//! `real-ip`: where the client's address stands. Envoy decides that before it looks for a route, so a global rule may say it, and it
//! becomes a part of gateways.

use std::collections::BTreeSet;
use std::sync::Arc;

use envoy_types::pb::envoy::config::route::v3::Route;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::contract::{Definition, Plugin, Reading, refused, schema};
use crate::model::bounds::{List, RANGES};
use crate::model::decode::{self, quoted};
use crate::model::gateway::RealIp;
use crate::model::gateway::real_ip::By;
use crate::model::key::Kind;
use crate::model::problem::Remark;
use crate::model::scalar::Net;
use crate::model::upstream::Cluster;

pub(super) const ENTRY: Definition = Definition {
    name: "real-ip",
    read,
    schema: schema::<Form>,
    refused: refused::<Form>,
    differs: &[
        (
            "",
            "in global rules only; a gateway's own `real_ip` holds in its place, and a rule that \
            says otherwise is told",
        ),
        (
            "",
            "listeners change when it comes, changes or goes, so their connections drain",
        ),
        (
            "source",
            "is a header, which names an address without a port",
        ),
        (
            "trusted_addresses",
            "these also say whether a client came over TLS, and `X-Forwarded-For` gains the \
            proxy's address",
        ),
    ],
    http_filters: Vec::new,
};

/// In a global rule: where the address of clients stands, at every gateway that has no `real_ip` of its own.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// Where the client's address stands: `http_x_forwarded_for`, or another header.
    #[schemars(with = "String")]
    source: Source,
    /// The proxies that may say so; everybody when absent.
    trusted_addresses: Option<List<Net, RANGES>>,
    /// Whether the last address in `X-Forwarded-For` that is not a trusted proxy's is meant, and not simply the last.
    #[serde(default)]
    recursive: bool,
}

impl decode::Form for Form {}

/// A header's name, in lower case.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Source(String);

impl TryFrom<String> for Source {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        let name = text.strip_prefix("http_").unwrap_or_default();
        if (1..=64).contains(&name.len()) && name.bytes().all(fits) {
            return Ok(Self(name.replace('_', "-")));
        }
        Err(format!(
            "found {}, allowed: `http_x_forwarded_for`, or `http_` and another header's name such as `http_x_real_ip`: Envoy \
             looks for the client's address nowhere else",
            quoted(&text)
        ))
    }
}

#[derive(Debug)]
struct Client(RealIp);

fn read(value: &Value, reading: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let form: Form = decode::read(value)?;
    if reading.key.kind != Kind::GlobalRule {
        return Err(Remark::whole(
            "is not served here: Envoy decides who the client is before it looks for a route, so it cannot differ between \
             routes; write it in a global rule, or `real_ip` of the gateway",
        ));
    }
    let trusted = form.trusted_addresses.map(|all| all.0);
    if trusted.as_ref().is_some_and(Vec::is_empty) {
        let message = "found an empty list, allowed: at least one";
        return Err(Remark::new("trusted_addresses", message));
    }
    let ranges = trusted.unwrap_or_default().into_iter();
    let ranges: BTreeSet<_> = ranges.map(|range| range.0).collect();
    if ranges.is_empty() {
        let message = "is missing: so every client can say that it is another one";
        let remark = Remark::new("trusted_addresses", message);
        reading.warnings.push(remark);
    }
    let by = match form.source.0 {
        name if name != "x-forwarded-for" => By::Header(name),
        _ if form.recursive && !ranges.is_empty() => By::TrustedAddresses,
        _ => By::Last,
    };
    Ok(Arc::new(Client(RealIp {
        trusted_addresses: ranges.into_iter().collect(),
        by,
    })))
}

impl Plugin for Client {
    fn apply(&self, _: &mut Route, _: &[Arc<Cluster>]) {}

    fn client(&self) -> Option<&RealIp> {
        Some(&self.0)
    }
}

#[cfg(test)]
mod tests;
