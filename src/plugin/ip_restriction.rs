//! `ip-restriction`: only some addresses may send requests, or all but some.
//!
//! The address is the trusted one: what `X-Forwarded-For` says counts as far as the listener trusts the proxies before it.

use std::net::IpAddr;
use std::sync::Arc;

use envoy_types::pb::envoy::config::rbac::v3::{Principal, principal::Identifier};
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::contract::{Definition, Plugin, Reading, refused, schema};
use super::shared::denial::{self, Denial, Status};
use super::shared::message::Message;
use crate::envoy::proto::cidr_range;
use crate::model::bounds::{List, RANGES};
use crate::model::decode::{self, quoted};
use crate::model::problem::Remark;
use crate::model::stream_route::Clients;

const NAME: &str = "ip-restriction";

pub(super) const ENTRY: Definition = Definition {
    name: NAME,
    read,
    schema: schema::<Form>,
    refused: refused::<Form>,
    differs: &[(
        "",
        "the address is the one that the gateway trusts, by its `real_ip`",
    )],
    http_filters: || vec![denial::filter(NAME)],
};

/// Lets only some addresses send requests, or all but some.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// Who may send requests; one of the two lists.
    whitelist: Option<List<Addresses, RANGES>>,
    /// Who may not.
    blacklist: Option<List<Addresses, RANGES>>,
    /// What the others are told.
    #[serde(default = "message")]
    message: Message,
    /// With which status, 403 or 404; 403 if not written.
    #[serde(default)]
    response_code: Status,
}

impl decode::Form for Form {}

fn message() -> Message {
    Message("Your IP address is not allowed".to_owned())
}

/// An address, or those of a network: `10.0.0.1`, `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
struct Addresses(#[schemars(with = "String")] IpNet);

impl TryFrom<String> for Addresses {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let one = text.parse::<IpAddr>().map(IpNet::from);
        one.or_else(|_| text.parse()).map(Self).map_err(|_| {
            format!(
                "found {}, allowed: an IP address or a network such as 10.0.0.0/8",
                quoted(&text)
            )
        })
    }
}

fn read(value: &Value, _: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let form: Form = decode::read(value)?;
    let denied = denial::unfit(
        ("whitelist", form.whitelist.as_ref().map(|list| &list.0[..])),
        ("blacklist", form.blacklist.as_ref().map(|list| &list.0[..])),
        "address",
        |addresses| Ok(remote(addresses.0)),
    )?;
    Ok(Arc::new(Denial {
        plugin: NAME,
        denied,
        status: form.response_code,
        message: form.message.0,
    }))
}

/// The same of connections: nobody is told anything there.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct OfConnections {
    whitelist: Option<List<Addresses, RANGES>>,
    blacklist: Option<List<Addresses, RANGES>>,
    message: Option<Message>,
    response_code: Option<Status>,
}

impl decode::Form for OfConnections {}

/// What it says in a stream route, by the same lists.
pub(crate) fn of_connections(value: &Value, warnings: &mut Vec<Remark>) -> Result<Clients, Remark> {
    let form: OfConnections = decode::read(value)?;
    denial::unfit(
        ("whitelist", form.whitelist.as_ref().map(|list| &list.0[..])),
        ("blacklist", form.blacklist.as_ref().map(|list| &list.0[..])),
        "address",
        |addresses| Ok(remote(addresses.0)),
    )?;
    let unsaid = [
        ("message", form.message.is_some()),
        ("response_code", form.response_code.is_some()),
    ];
    for (field, _) in unsaid.iter().filter(|(_, written)| *written) {
        let message = "is told nobody: a connection is closed without a word";
        warnings.push(Remark::new(*field, message));
    }
    let go_on = form.whitelist.is_some();
    let listed = form.whitelist.or(form.blacklist).unwrap_or_default();
    let listed = listed.0.iter().map(|addresses| addresses.0.trunc());
    Ok(Clients {
        listed: listed.collect(),
        go_on,
    })
}

fn remote(addresses: IpNet) -> Principal {
    denial::principal(Identifier::RemoteIp(cidr_range(&addresses)))
}

#[cfg(test)]
mod tests;
