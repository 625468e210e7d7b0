//! An upstream as it is written, in a document of its own or inside a route or a service.

use std::sync::Arc;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::Value;

use crate::registry::{Discovery, ServiceKey};

use super::super::decode::{self, quoted};
use super::super::key::{Id, Key};
use super::super::problem::Remark;
use super::super::route::form::TimeoutForm;
use super::super::scalar::{Count, Labels, Quantity, Seconds, Timestamp, same_id};
use super::nodes::{HostName, NodesForm};
use super::{
    Balancer, Cluster, Discovered, HashKey, KeepalivePool, Members, PassHost, Scheme, Upstream,
};

/// The fields, as APISIX names them. Those with `_` are checked and kept in the store; nothing here reads them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    id: Option<Id>,
    #[serde(rename = "name")]
    _name: Option<String>,
    #[serde(rename = "desc")]
    _desc: Option<String>,
    #[serde(rename = "labels")]
    _labels: Option<Labels>,
    #[serde(rename = "create_time")]
    _create_time: Option<Timestamp>,
    #[serde(rename = "update_time")]
    _update_time: Option<Timestamp>,
    #[schemars(with = "Option<Value>")]
    nodes: Option<NodesForm>,
    service_name: Option<String>,
    discovery_type: Option<DiscoveryForm>,
    #[serde(default, rename = "type")]
    balancer: BalancerForm,
    #[serde(default)]
    hash_on: HashOn,
    key: Option<String>,
    #[serde(default)]
    scheme: SchemeForm,
    #[serde(default)]
    pass_host: PassHostForm,
    upstream_host: Option<HostName>,
    retries: Option<Count>,
    retry_timeout: Option<RetryTimeout>,
    timeout: Option<TimeoutForm>,
    keepalive_pool: Option<KeepalivePoolForm>,
}

impl decode::Form for Form {
    const NOT_SERVED: &'static [&'static str] =
        &["checks", "discovery_args", "slow_start", "subset", "tls"];
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum DiscoveryForm {
    Consul,
    File,
}

#[derive(Debug, Default, Clone, Copy, Deserialize, JsonSchema)]
enum BalancerForm {
    #[default]
    #[serde(rename = "roundrobin")]
    RoundRobin,
    #[serde(rename = "least_conn")]
    LeastConnections,
    #[serde(rename = "chash")]
    Hash,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum HashOn {
    #[default]
    Vars,
    Header,
    Cookie,
}

#[derive(Debug, Default, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum SchemeForm {
    #[default]
    Http,
    Https,
    Grpc,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum PassHostForm {
    #[default]
    Pass,
    Node,
    Rewrite,
}

/// A bound in seconds; 0 is none.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(try_from = "f64")]
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
    size: Option<Quantity>,
    idle_timeout: Option<Seconds>,
    requests: Option<Quantity>,
}

/// The schema of the fields.
pub(crate) fn schema(generator: &mut SchemaGenerator) -> Schema {
    Form::json_schema(generator)
}

/// Reads and checks the document `key`.
pub(crate) fn read(
    key: &Key,
    value: &Value,
    warnings: &mut Vec<Remark>,
) -> Result<Cluster, Remark> {
    let form: Form = decode::read(value)?;
    same_id(form.id.as_ref(), &key.id)?;
    Ok(Cluster::new(key, check(&form, warnings)?))
}

/// Reads and checks the upstream inside the document `key`; its own `id`, if it has one, means nothing there.
pub(crate) fn read_inline(
    key: &Key,
    value: &Value,
    warnings: &mut Vec<Remark>,
) -> Result<Cluster, Remark> {
    let form: Form = decode::read(value)?;
    Ok(Cluster::new(key, check(&form, warnings)?))
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
    Ok(Upstream {
        members: members(form)?,
        balancer: balancer(form)?,
        scheme: scheme(form, warnings),
        pass_host: pass_host(form, warnings)?,
        retries: form.retries.map(|retries| retries.0),
        retry_timeout: retry_timeout(form, warnings),
        timeout: form.timeout.map(TimeoutForm::checked).unwrap_or_default(),
        keepalive_pool: form
            .keepalive_pool
            .as_ref()
            .map(|pool| keepalive_pool(pool, warnings)),
    })
}

fn members(form: &Form) -> Result<Members, Remark> {
    match (&form.nodes, &form.service_name) {
        (Some(_), Some(_)) => Err(Remark::new(
            "service_name",
            "found beside `nodes`, allowed: one of the two",
        )),
        (None, None) => Err(Remark::whole(
            "names no instances: `nodes`, or `service_name` with `discovery_type`, is missing",
        )),
        (Some(nodes), None) if form.discovery_type.is_none() => {
            let port = match form.scheme {
                SchemeForm::Http | SchemeForm::Grpc => 80,
                SchemeForm::Https => 443,
            };
            nodes.checked(port).map(Members::Nodes)
        }
        (Some(_), None) => Err(Remark::new(
            "discovery_type",
            "found beside `nodes`, allowed: only with `service_name`",
        )),
        (None, Some(name)) => {
            let discovery = match form.discovery_type {
                Some(DiscoveryForm::Consul) => Discovery::Consul,
                Some(DiscoveryForm::File) => Discovery::File,
                None => {
                    return Err(Remark::new(
                        "discovery_type",
                        "is missing beside `service_name`, allowed: consul, file",
                    ));
                }
            };
            let name = service_name(name)?;
            Ok(Members::Service(Discovered::all(ServiceKey::new(
                discovery, name,
            ))))
        }
    }
}

/// A name that can stand in a URL of Consul and be a file's name: no way out of the folder, nothing that hides.
fn service_name(name: &str) -> Result<Arc<str>, Remark> {
    let fits = |c: char| !c.is_control() && !c.is_whitespace() && !matches!(c, '/' | '\\');
    if (1..=256).contains(&name.len()) && name.chars().all(fits) && !name.starts_with('.') {
        return Ok(name.into());
    }
    Err(Remark::new(
        "service_name",
        format!(
            "found {}, allowed: 1 to 256 bytes without `/`, `\\` and spaces, not starting with `.`",
            quoted(name)
        ),
    ))
}

fn balancer(form: &Form) -> Result<Balancer, Remark> {
    match form.balancer {
        BalancerForm::RoundRobin => Ok(Balancer::RoundRobin),
        BalancerForm::LeastConnections => Ok(Balancer::LeastConnections),
        BalancerForm::Hash => hash_key(form).map(Balancer::Hash),
    }
}

fn hash_key(form: &Form) -> Result<HashKey, Remark> {
    let missing = |what: &str| Remark::new("key", format!("is missing, allowed: {what}"));
    match (form.hash_on, form.key.as_deref()) {
        (HashOn::Vars, None) => Ok(HashKey::RemoteAddress),
        (HashOn::Vars, Some(key)) => variable(key),
        (HashOn::Header, None) => Err(missing("the name of a header")),
        (HashOn::Header, Some(key)) => token(key).map(|name| HashKey::Header(header_name(name))),
        (HashOn::Cookie, None) => Err(missing("the name of a cookie")),
        (HashOn::Cookie, Some(key)) => token(key).map(|name| HashKey::Cookie(name.into())),
    }
}

fn variable(key: &str) -> Result<HashKey, Remark> {
    if key == "remote_addr" {
        return Ok(HashKey::RemoteAddress);
    }
    if let Some(name) = key.strip_prefix("http_") {
        return token(name).map(|name| HashKey::Header(header_name(name)));
    }
    if let Some(name) = key.strip_prefix("cookie_") {
        return token(name).map(|name| HashKey::Cookie(name.into()));
    }
    if let Some(name) = key.strip_prefix("arg_") {
        return token(name).map(|name| HashKey::Argument(name.into()));
    }
    Err(Remark::new(
        "key",
        format!(
            "found {}, allowed: remote_addr, http_NAME, cookie_NAME, arg_NAME",
            quoted(key)
        ),
    ))
}

/// nginx's variables write a header's name with `_` for `-`, and so do those who know them.
fn header_name(name: &str) -> Arc<str> {
    name.to_ascii_lowercase().replace('_', "-").into()
}

fn token(name: &str) -> Result<&str, Remark> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if !name.is_empty() && name.bytes().all(fits) {
        return Ok(name);
    }
    Err(Remark::new(
        "key",
        format!(
            "found the name {}, allowed: letters, digits, `-`, `_` and `.`",
            quoted(name)
        ),
    ))
}

fn scheme(form: &Form, warnings: &mut Vec<Remark>) -> Scheme {
    match form.scheme {
        SchemeForm::Http => Scheme::Http,
        SchemeForm::Grpc => Scheme::Grpc,
        SchemeForm::Https => {
            let message = "the certificates of the nodes are not verified";
            warnings.push(Remark::new("scheme", message));
            Scheme::Https
        }
    }
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
