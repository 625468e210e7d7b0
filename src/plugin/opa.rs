//! `opa`: an Open Policy Agent is asked whether a request may pass.
//!
//! A script asks, by Envoy's own call to a cluster: the request waits for it, and the thread does not. Where it fails, it turns the
//! request away.

use std::sync::Arc;

use envoy_types::pb::envoy::config::route::v3::Route;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::contract::{Definition, Plugin, Reading, refused, schema};
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
            "not `true`: documents hold secrets, which Envoy would show",
        ),
        ("with_service", "not `true`, likewise"),
        (
            "with_consumer",
            "not `true`: `input.request.headers` has the name, as `x-consumer-username`",
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
    /// Whether it is told the route's document: no other than `false`.
    #[serde(default)]
    with_route: bool,
    /// Whether it is told the service's document: no other than `false`.
    #[serde(default)]
    with_service: bool,
    /// Whether it is told the consumer's document: no other than `false`.
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

    /// Refuses to tell documents.
    fn check_told(&self) -> Result<(), Remark> {
        let by_policy =
            "write a `policy` for each, as Envoy would show what secrets a document holds";
        let by_header = "`input.request.headers` has the name as `x-consumer-username`; its secrets are for nobody";
        let told = [
            ("with_route", self.with_route, by_policy),
            ("with_service", self.with_service, by_policy),
            ("with_consumer", self.with_consumer, by_header),
        ];
        match told.into_iter().find(|(_, is_told, _)| *is_told) {
            None => Ok(()),
            Some((field, _, instead)) => {
                let message = format!("found true, allowed: false; {instead}");
                Err(Remark::new(field, message))
            }
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

#[derive(Debug)]
struct Opa {
    /// Where the agent is.
    target: Target,
    /// What the script goes by, but the cluster.
    told: Map<String, Value>,
}

fn read(value: &Value, reading: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let form: Form = decode::read(value)?;
    form.check_told()?;
    let uri = form.uri()?;
    let server = form.server();
    let timeout = server.timeout()?.as_millis();
    let told = [
        ("host", json!(uri.authority)),
        ("path", json!(uri.path)),
        ("timeout", json!(u64::try_from(timeout).unwrap_or(u64::MAX))),
        ("upstream", json!(form.upstream()?)),
    ];
    let told = told.into_iter();
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
