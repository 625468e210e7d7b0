//! `opa`: an Open Policy Agent is asked whether a request may pass.
//!
//! A script asks, by Envoy's own call to a cluster: the request waits for it, and the thread does not. Where it fails, it turns the
//! request away.

use std::sync::Arc;

use envoy_types::pb::envoy::config::route::v3::Route;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::contract::{Definition, Grown, Plugin, Reading, Shown, refused, schema};
use super::shared::asked::ASKS;
use super::shared::server::{Server, Uri};
use super::shared::{header, script};
use crate::model::decode::{self, quoted};
use crate::model::problem::Remark;
use crate::model::scalar::Quantity;
use crate::model::upstream::{Cluster, Target};

pub(super) const ENTRY: Definition = Definition {
    name: "opa",
    read,
    schema: schema::<Form>,
    refused: refused::<Form>,
    differs: &[
        (
            "with_route",
            "the document without `plugins`, `upstream` and `vars`, which may hold secrets; where it has a service, with all fields of \
            its own over the service's",
        ),
        ("with_service", "without `plugins` and `upstream`, likewise"),
        (
            "with_consumer",
            "`username`, `consumer_name`, `credential_id`, `group_id`, `desc` (up to 256 characters) and `labels`: no credential and no \
            plugin",
        ),
        (
            "",
            "`input.request` is the request before `proxy-rewrite` and other plugins behind `opa`, with the headers that Envoy \
            adds (`x-forwarded-for`, `x-forwarded-proto`, `x-request-id`, `x-envoy-external-address`)",
        ),
        (
            "",
            "an answer above 1 MiB, with more than 100 levels or with a name twice in an object is none that can be read: 503",
        ),
    ],
    http_filters: || vec![script::discovered(ASKS)],
};

/// Asks an Open Policy Agent whether a request may pass.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// Where the agent is, as `http://opa.example.com:8181`.
    host: String,
    /// What it is asked for: a path below `/v1/data/`.
    policy: String,
    /// Whether its certificate is verified.
    #[serde(default = "yes")]
    ssl_verify: bool,
    /// How long it may take, in milliseconds; 3000 if not written.
    timeout: Option<Quantity>,
    /// Whether connections to it are kept.
    #[serde(default = "yes")]
    keepalive: bool,
    /// For how long, in milliseconds.
    keepalive_timeout: Option<Quantity>,
    /// How many.
    keepalive_pool: Option<Quantity>,
    /// Headers of its result that the upstream is sent, in the place of the client's.
    send_headers_upstream: Option<Vec<String>>,
    /// Whether it is told the route's document, as `input.route`: without its plugins, conditions and upstream.
    #[serde(default)]
    with_route: bool,
    /// Whether it is told the service's document, as `input.service`: without its plugins and upstream.
    #[serde(default)]
    with_service: bool,
    /// Whether it is told who sends the request, as `input.consumer`: without credentials and plugins.
    #[serde(default)]
    with_consumer: bool,
}

impl decode::Form for Form {}

fn yes() -> bool {
    true
}

impl Form {
    fn server(&self) -> Server {
        Server {
            verify: self.ssl_verify,
            timeout: self.timeout,
            keepalive: self.keepalive,
            keepalive_timeout: self.keepalive_timeout,
            keepalive_pool: self.keepalive_pool,
        }
    }

    /// The agent, with the path that it is asked for.
    fn uri(&self) -> Result<Uri, Remark> {
        let agent = Uri::read(&self.host).map_err(|said| Remark::new("host", said))?;
        if agent.path.contains('?') || self.host.contains('#') {
            let message = "found a query or a fragment, allowed: none";
            return Err(Remark::new("host", message));
        }
        let whole = format!("{}/v1/data/{}", self.host, self.policy);
        let uri = Uri::read(&whole).ok();
        let uri = uri.filter(|_| !self.policy.is_empty() && !self.policy.contains('#'));
        uri.ok_or_else(|| {
            let found = quoted(&self.policy);
            let message = format!("found {found}, allowed: a path such as example/allow");
            Remark::new("policy", message)
        })
    }

    /// The headers that the upstream is sent, as they are written: the agent's result has them by that name.
    fn upstream(&self) -> Result<&[String], Remark> {
        const FIELD: &str = "send_headers_upstream";
        let Some(names) = &self.send_headers_upstream else {
            return Ok(&[]);
        };
        if names.is_empty() {
            return Err(Remark::new(FIELD, "is empty, allowed: at least one"));
        }
        for (at, name) in names.iter().enumerate() {
            let here = || format!("{FIELD}[{at}]");
            let checked = header::changeable(name).map_err(|said| Remark::new(here(), said))?;
            if checked == "host" {
                let message = "found \"host\", which `host` of `proxy-rewrite` is for";
                return Err(Remark::new(here(), message));
            }
        }
        Ok(names)
    }
}

#[derive(Debug, Clone)]
struct Opa {
    /// Where the agent is.
    target: Target,
    /// What the script goes by, but the cluster.
    told: Map<String, Value>,
}

const WITH_ROUTE: &str = "with_route";
const WITH_SERVICE: &str = "with_service";
const WITH_CONSUMER: &str = "with_consumer";

fn read(value: &Value, reading: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let form: Form = decode::read(value)?;
    let uri = form.uri()?;
    let server = form.server();
    let timeout = server.timeout()?.as_millis();
    let told = [
        ("host", json!(uri.authority)),
        ("path", json!(uri.path)),
        ("timeout", json!(u64::try_from(timeout).unwrap_or(u64::MAX))),
        ("upstream", json!(form.upstream()?)),
    ];
    // Those that say so: two global rules that differ in it are not the same.
    let with = [
        (WITH_ROUTE, form.with_route),
        (WITH_SERVICE, form.with_service),
        (WITH_CONSUMER, form.with_consumer),
    ];
    let with = with.into_iter().filter(|(_, is_so)| *is_so);
    let with = with.map(|(name, is_so)| (name, json!(is_so)));
    let told = told.into_iter().chain(with);
    Ok(Arc::new(Opa {
        target: server.target("host", &uri, reading)?,
        told: told.map(|(name, value)| (name.to_owned(), value)).collect(),
    }))
}

impl Plugin for Opa {
    fn targets(&self) -> &[Target] {
        std::slice::from_ref(&self.target)
    }

    fn runs(&self) -> Vec<&'static str> {
        vec![ASKS]
    }

    fn tells_documents(&self) -> bool {
        [WITH_ROUTE, WITH_SERVICE]
            .iter()
            .any(|name| self.told.contains_key(*name))
    }

    fn with_documents(&self, shown: &Shown) -> Option<Grown> {
        let all = [
            (WITH_ROUTE, "route", Some(&shown.route)),
            (WITH_SERVICE, "service", shown.service.as_ref()),
        ];
        let mut other = self.clone();
        let mut bytes = 0;
        for (with, name, text) in all {
            if let Some(text) = text.filter(|_| self.told.contains_key(with)) {
                bytes += text.len();
                other.told.insert(name.to_owned(), json!(**text));
            }
        }
        (bytes > 0).then(|| (Arc::new(other) as Arc<dyn Plugin>, bytes))
    }

    fn apply(&self, route: &mut Route, clusters: &[Arc<Cluster>]) {
        let mut told = self.told.clone();
        // There is none where it is only asked what it says to filters.
        let cluster = clusters.first().map_or("", |cluster| &*cluster.name);
        told.insert("cluster".to_owned(), json!(cluster));
        script::enable(route, ASKS, &told);
    }
}

#[cfg(test)]
mod tests;
