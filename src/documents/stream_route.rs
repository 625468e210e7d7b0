//! A stream route as it is written.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::documents::route::form::target;
use crate::model::bounds::{GATEWAYS, List};
use crate::model::gateway::listener::Address;
use crate::model::key::{Id, Key};
use crate::model::problem::Remark;
use crate::model::scalar::{Net, Port, each_once};
use crate::model::stream_route::{Clients, Matching};
use crate::model::upstream::{self, Balancer, HashKey, Scheme, Target};
use crate::model::{Host, Upstream, bookkeeping, decode};
use crate::plugin::restricted_connections;

/// Which connections are meant, and where their bytes go.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// The port of the gateway; any when absent.
    server_port: Option<Port>,
    /// The address of the gateway that the client connected to; any when absent.
    server_addr: Option<Address>,
    /// The name that the client asks for in TLS: `www.example.com` or `*.example.com`.
    sni: Option<Host>,
    /// Where the client is: an address or a range.
    remote_addr: Option<Net>,
    /// `ip-restriction`, whose `message` nobody is told, and `prometheus`, which is on in any case. No other is served.
    plugins: Option<Map<String, Value>>,
    /// Where connections go; in place of `upstream_id`.
    #[serde(default)]
    #[schemars(schema_with = "upstream::form::schema")]
    upstream: Option<Value>,
    /// The upstream document that says where connections go.
    upstream_id: Option<Id>,
    /// The service whose upstream is meant.
    service_id: Option<Id>,
    /// The gateways that take it; `default` when absent.
    #[serde(default)]
    gateways: List<Id, GATEWAYS>,
}

impl decode::Form for Form {
    const NOT_IN_ENVOY: &'static [(&'static str, &'static str)] = &[(
        "protocol",
        "Envoy does not run the protocols of APISIX's xRPC",
    )];
}

impl bookkeeping::Kept for Form {}

/// A stream route, checked for itself; what it refers to is looked up when it is resolved.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub gateways: Vec<Id>,
    pub matching: Matching,
    pub clients: Option<Clients>,
    pub target: Option<Target>,
    pub service: Option<Id>,
}

pub(crate) fn schema(generator: &mut SchemaGenerator) -> Schema {
    bookkeeping::schema::<Form>(generator)
}

pub(crate) fn read(key: &Key, value: &Value, warnings: &mut Vec<Remark>) -> Result<Draft, Remark> {
    let (form, _) = bookkeeping::read::<Form>(key, value)?;
    each_once("gateways", &form.gateways.0)?;
    let mut clients = None;
    for (name, value) in form.plugins.iter().flatten() {
        let place = format!("plugins.{}", decode::shown(name));
        let mut said = Vec::new();
        let read = match name.as_str() {
            "ip-restriction" => {
                restricted_connections(value, &mut said).map(|some| clients = Some(some))
            }
            "prometheus" => counted(value, &mut said),
            _ => Err(Remark::whole(
                "is not served for stream routes, allowed: ip-restriction, prometheus; `remote_addr` says whose connections they take",
            )),
        };
        read.map_err(|remark| remark.under(&place))?;
        warnings.extend(said.into_iter().map(|remark| remark.under(&place)));
    }
    let target = target(key, form.upstream.as_ref(), form.upstream_id, warnings)?;
    if target.is_none() && form.service_id.is_none() {
        let message =
            "has nowhere to send bytes: `upstream`, `upstream_id` or `service_id` is missing";
        return Err(Remark::whole(message));
    }
    Ok(Draft {
        gateways: match form.gateways.0 {
            none if none.is_empty() => vec![Id::default_gateway()],
            some => some,
        },
        matching: Matching {
            port: form.server_port.map(|port| port.0),
            address: form.server_addr.map(|address| address.0),
            sni: form.sni,
            source: form.remote_addr.map(|range| range.0.trunc()),
        },
        clients,
        target,
        service: form.service_id,
    })
}

/// How connections are counted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Counted {
    #[serde(default, rename = "prefer_name")]
    _prefer_name: bool,
}

impl decode::Form for Counted {}

/// Says how connections are counted in any case.
fn counted(value: &Value, warnings: &mut Vec<Remark>) -> Result<(), Remark> {
    decode::read::<Counted>(value)?;
    let message = "counts as Envoy does: `envoy_tcp_…` at /stats/prometheus of its admin port, also without it";
    warnings.push(Remark::whole(message));
    Ok(())
}

/// Refuses an upstream that needs requests to do its work.
pub(super) fn check(upstream: &Upstream, sni: Option<&Host>) -> Result<(), Remark> {
    match upstream.scheme {
        Scheme::Tls if sni.is_some() => Err(Remark::new(
            "scheme",
            "found \"tls\" beside `sni`, allowed: tcp, as TLS passes through unopened",
        )),
        // What APISIX writes where nobody said anything.
        Scheme::Http | Scheme::Tcp | Scheme::Tls => balancer(&upstream.balancer),
        other => Err(Remark::new(
            "scheme",
            format!(
                "found \"{}\", which is for routes, allowed: tcp, tls",
                other.as_str()
            ),
        )),
    }
}

fn balancer(balancer: &Balancer) -> Result<(), Remark> {
    match balancer {
        Balancer::Hash(hash) if hash.keys.iter().any(|key| *key != HashKey::RemoteAddress) => {
            let message = "needs a request, which a stream has none of, allowed: remote_addr";
            Err(Remark::new("key", message))
        }
        _ => Ok(()),
    }
}
