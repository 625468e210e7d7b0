//! An upstream as it is written, in a document of its own or inside a route or a service.

use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::checks::form::ChecksForm;
use super::discovery::form::{ArgumentsForm, DiscoveryForm, Written};
use super::hash::{self, HashOn};
use super::nodes::{HostName, NodesForm};
use super::slow_start::SlowStartForm;
use super::tls::TlsForm;
use super::{
    Balancer, Checks, Cluster, Hash, HashAlgorithm, KeepalivePool, Members, Node, PassHost, Scheme,
    SlowStart, Tls, Upstream,
};
use crate::model::key::Key;
use crate::model::problem::Remark;
use crate::model::scalar::{Count, Quantity, Seconds};
use crate::model::timeout::TimeoutForm;
use crate::model::{bookkeeping, decode};

/// Instances, and how they are chosen, asked and talked to.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// The instances, by hand: `{"host:port": weight}`, or a list of nodes.
    nodes: Option<NodesForm>,
    /// The service whose instances they are; for `dns` a name and a port, `name:port`.
    service_name: Option<String>,
    /// Who knows the service.
    discovery_type: Option<DiscoveryForm>,
    /// Where the service is looked up, and which of its instances are meant.
    discovery_args: Option<ArgumentsForm>,
    /// How an instance is chosen.
    #[serde(default, rename = "type")]
    balancer: BalancerForm,
    /// For `chash`: where `key` is looked up; `vars` if not written.
    hash_on: Option<HashOn>,
    /// For `chash`: what is hashed; the client's address if not written.
    key: Option<String>,
    /// For `chash`: how a hash finds an instance; `ring_hash` if not written.
    hash_algorithm: Option<HashAlgorithm>,
    /// How Envoy talks to the instances.
    #[serde(default)]
    scheme: Scheme,
    /// Which Host the instances see: the client's, their own, or `upstream_host`.
    #[serde(default)]
    pass_host: PassHostForm,
    /// For `pass_host: rewrite`: the Host that they see.
    upstream_host: Option<HostName>,
    /// Further attempts after the first; if not written one less than there are nodes, at most 3.
    retries: Option<Count>,
    /// Seconds for all attempts together; 0 is no bound.
    retry_timeout: Option<RetryTimeout>,
    /// How long Envoy waits; a route's own wins.
    timeout: Option<TimeoutForm>,
    /// How long connections live.
    keepalive_pool: Option<KeepalivePoolForm>,
    /// How ill instances are found out.
    checks: Option<ChecksForm>,
    /// How new instances get their share.
    slow_start: Option<SlowStartForm>,
    /// For schemes over TLS: who instances must prove to be, and what they are shown.
    tls: Option<TlsForm>,
}

impl decode::Form for Form {
    const NOT_SERVED: &'static [&'static str] = &["subset"];
}

impl bookkeeping::Kept for Form {}

#[derive(Debug, Default, Clone, Copy, Deserialize, Serialize, JsonSchema)]
enum BalancerForm {
    /// In turn, by weight.
    #[default]
    #[serde(rename = "roundrobin")]
    RoundRobin,
    /// Whoever has the fewest requests in flight.
    #[serde(rename = "least_conn")]
    LeastConnections,
    /// Served as `least_conn`.
    #[serde(rename = "ewma")]
    Ewma,
    /// By consistent hash.
    #[serde(rename = "chash")]
    Hash,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum PassHostForm {
    /// The client's.
    #[default]
    Pass,
    /// The instance's own.
    Node,
    /// `upstream_host`.
    Rewrite,
}

/// A bound in seconds; 0 is none.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(try_from = "f64")]
#[schemars(with = "f64")]
struct RetryTimeout(Option<Duration>);

impl TryFrom<f64> for RetryTimeout {
    type Error = String;

    fn try_from(seconds: f64) -> Result<Self, String> {
        match seconds {
            0.0 => Ok(Self(None)),
            0.001..=31_536_000.0 => Ok(Self(Some(Duration::from_secs_f64(seconds)))),
            _ => Err(format!(
                "found {seconds}, allowed: seconds, 0 (no bound) or 0.001–31536000"
            )),
        }
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct KeepalivePoolForm {
    /// Has no effect: Envoy bounds a pool by time and requests, not by size.
    size: Option<Quantity>,
    /// Seconds after which an idle connection is closed; 60 if not written.
    idle_timeout: Option<Seconds>,
    /// Requests after which a connection is closed; 1000 if not written.
    requests: Option<Quantity>,
}

pub(crate) fn schema(generator: &mut SchemaGenerator) -> Schema {
    bookkeeping::schema::<Form>(generator)
}

pub(crate) fn read(
    key: &Key,
    value: &Value,
    warnings: &mut Vec<Remark>,
) -> Result<Cluster, Remark> {
    registry(value)?;
    let (form, _) = bookkeeping::read::<Form>(key, value)?;
    Ok(Cluster::new(key, check(&form, warnings)?))
}

/// Reads and checks the upstream inside the document `key`; its own `id`, if it has one, means nothing there.
pub(crate) fn read_inline(
    key: &Key,
    value: &Value,
    warnings: &mut Vec<Remark>,
) -> Result<Cluster, Remark> {
    registry(value)?;
    let (form, _) = bookkeeping::read_part::<Form>(value)?;
    Ok(Cluster::new(key, check(&form, warnings)?))
}

/// Refuses another registry before its arguments are looked at, of which each has others.
fn registry(value: &Value) -> Result<(), Remark> {
    let named = value.get("discovery_type").filter(|named| !named.is_null());
    let read = named.map(decode::read::<DiscoveryForm>).transpose();
    read.map(|_| ())
        .map_err(|remark| remark.under("discovery_type"))
}

/// Reads and checks an upstream that a plugin of the document `key` has beside the document's own; `plugin` tells which.
pub(crate) fn read_for_plugin(
    key: &Key,
    plugin: &str,
    value: &Value,
    warnings: &mut Vec<Remark>,
) -> Result<Cluster, Remark> {
    let cluster = read_inline(key, value, warnings)?;
    Ok(Cluster {
        name: format!("{}/{plugin}", cluster.name).into(),
        ..cluster
    })
}

fn check(form: &Form, warnings: &mut Vec<Remark>) -> Result<Upstream, Remark> {
    let mut members = members(form, warnings)?;
    let pass_host = pass_host(form, warnings)?;
    let tls = tls(form, &members, &pass_host, warnings)?;
    let checks = match &form.checks {
        None => Checks::default(),
        Some(checks) => checks.checked(&mut members, tls.as_ref(), &pass_host, warnings)?,
    };
    if pass_host == PassHost::Node {
        name_with_port(form.scheme, &mut members, warnings);
    }
    Ok(Upstream {
        members,
        balancer: balancer(form, warnings)?,
        scheme: form.scheme,
        pass_host,
        retries: form.retries.map(|retries| retries.0),
        retry_timeout: retry_timeout(form, warnings),
        timeout: form.timeout.map(TimeoutForm::checked).unwrap_or_default(),
        keepalive_pool: form
            .keepalive_pool
            .as_ref()
            .map(|pool| keepalive_pool(pool, warnings)),
        checks,
        slow_start: slow_start(form)?,
        tls,
    })
}

/// Has instances be called by their own names with their ports, unless it is the scheme's. With TLS Envoy asks for the name
/// that it calls them by, and no port can be in that.
fn name_with_port(scheme: Scheme, members: &mut Members, warnings: &mut Vec<Remark>) {
    let usual = scheme.port();
    let is_unusual = |node: &Node| Some(node.port) != usual;
    match members {
        Members::Service(service) if !scheme.is_tls() => service.selection.unnamed_port = usual,
        Members::Nodes(nodes) if !scheme.is_tls() => {
            let nodes = nodes.iter_mut().filter(|node| is_unusual(node));
            nodes.for_each(|node| node.is_named_with_port = true);
        }
        Members::Nodes(nodes) if !nodes.iter().any(is_unusual) => {}
        Members::Service(_) | Members::Nodes(_) => {
            let message =
                "is \"node\" beside a scheme with TLS: instances see their names without a port";
            warnings.push(Remark::new("pass_host", message));
        }
    }
}

fn members(form: &Form, warnings: &mut Vec<Remark>) -> Result<Members, Remark> {
    match (&form.nodes, &form.service_name) {
        (Some(_), Some(_)) => Err(Remark::new(
            "service_name",
            "found beside `nodes`, allowed: one of the two",
        )),
        (None, None) => Err(Remark::whole(
            "names no instances: `nodes`, or `service_name` with `discovery_type`, is missing",
        )),
        (Some(nodes), None) if form.discovery_type.is_none() && form.discovery_args.is_none() => {
            nodes.checked(form.scheme.port()).map(Members::Nodes)
        }
        (Some(_), None) if form.discovery_type.is_none() => Err(Remark::new(
            "discovery_args",
            "found beside `nodes`, allowed: only with `service_name`",
        )),
        (Some(_), None) => Err(Remark::new(
            "discovery_type",
            "found beside `nodes`, allowed: only with `service_name`",
        )),
        (None, Some(name)) => {
            let written = Written {
                name,
                discovery: form.discovery_type,
                arguments: form.discovery_args.as_ref(),
            };
            written.checked(warnings)
        }
    }
}

fn balancer(form: &Form, warnings: &mut Vec<Remark>) -> Result<Balancer, Remark> {
    if let BalancerForm::Hash = form.balancer {
        return Ok(Balancer::Hash(Hash {
            keys: hash::keys(form.hash_on.unwrap_or_default(), form.key.as_deref())?,
            algorithm: form.hash_algorithm.unwrap_or_default(),
        }));
    }
    for (field, written) in [
        ("hash_on", form.hash_on.is_some()),
        ("key", form.key.is_some()),
        ("hash_algorithm", form.hash_algorithm.is_some()),
    ] {
        if written {
            let message = "has no effect: `type` is not `chash`";
            warnings.push(Remark::new(field, message));
        }
    }
    match form.balancer {
        BalancerForm::LeastConnections => Ok(Balancer::LeastConnections),
        BalancerForm::Ewma => {
            let message = "Envoy does not measure how fast nodes are: `ewma` is served as `least_conn`, which slow nodes get less of too";
            warnings.push(Remark::new("type", message));
            Ok(Balancer::LeastConnections)
        }
        BalancerForm::RoundRobin | BalancerForm::Hash => Ok(Balancer::RoundRobin),
    }
}

fn slow_start(form: &Form) -> Result<Option<SlowStart>, Remark> {
    match form.slow_start {
        None => Ok(None),
        Some(_) if matches!(form.balancer, BalancerForm::Hash) => Err(Remark::new(
            "slow_start",
            "found beside the `type` chash, allowed: with roundrobin, least_conn and ewma",
        )),
        Some(slow_start) => slow_start.checked().map(Some),
    }
}

fn tls(
    form: &Form,
    members: &Members,
    pass_host: &PassHost,
    warnings: &mut Vec<Remark>,
) -> Result<Option<Tls>, Remark> {
    if form.scheme.is_tls() {
        let written = form.tls.as_ref();
        let default = TlsForm::default();
        return written
            .unwrap_or(&default)
            .checked(members, form.scheme, pass_host, warnings)
            .map(Some);
    }
    if form.tls.is_some() {
        let message = format!("has no effect: `scheme` is {}", form.scheme.as_str());
        warnings.push(Remark::new("tls", message));
    }
    Ok(None)
}

fn pass_host(form: &Form, warnings: &mut Vec<Remark>) -> Result<PassHost, Remark> {
    if form.upstream_host.is_some() && form.pass_host != PassHostForm::Rewrite {
        let message = "has no effect: `pass_host` is not `rewrite`";
        warnings.push(Remark::new("upstream_host", message));
    }
    match (form.pass_host, &form.upstream_host) {
        (PassHostForm::Pass, _) => Ok(PassHost::Pass),
        (PassHostForm::Node, _) => Ok(PassHost::Node),
        (PassHostForm::Rewrite, Some(host)) => Ok(PassHost::Rewrite(host.0.clone())),
        (PassHostForm::Rewrite, None) => Err(Remark::new(
            "upstream_host",
            "is missing: `pass_host` is `rewrite`",
        )),
    }
}

fn retry_timeout(form: &Form, warnings: &mut Vec<Remark>) -> Option<Duration> {
    let bound = form.retry_timeout.as_ref().and_then(|bound| bound.0)?;
    let message = "bounds how many attempts there are, by the longest that each may take: Envoy has no bound on all of them";
    warnings.push(Remark::new("retry_timeout", message));
    Some(bound)
}

fn keepalive_pool(form: &KeepalivePoolForm, warnings: &mut Vec<Remark>) -> KeepalivePool {
    if form.size.is_some() {
        let message = "has no effect: Envoy bounds a pool by time and requests, not by size";
        warnings.push(Remark::new("keepalive_pool.size", message));
    }
    KeepalivePool {
        idle_timeout: form
            .idle_timeout
            .map_or(Duration::from_secs(60), |idle| idle.0),
        requests: form.requests.map_or(1000, |requests| requests.0),
    }
}
