//! Plugins: one file each, with its fields and what it adds to an Envoy route; nothing else knows it.
//!
//! To add one: write its file with an [`Entry`], and name the entry in [`ALL`].

mod answer;
mod api_breaker;
mod basic_auth;
mod brotli;
mod client_control;
mod compression;
mod condition;
mod configured;
mod consumer_restriction;
mod cors;
mod csrf;
mod denial;
mod fault;
mod fault_injection;
mod file_logger;
mod filter;
mod forward_auth;
mod grpc_web;
mod gzip;
mod header;
pub mod identity;
mod ip_restriction;
mod jwt_auth;
mod key_auth;
mod limit;
mod limit_count;
mod limit_req;
mod message;
mod mocking;
mod opentelemetry;
pub(super) mod pattern;
mod place;
mod prometheus;
mod proxy_buffering;
mod proxy_mirror;
mod proxy_rewrite;
mod reading;
mod real_ip;
mod redirect;
mod referer_restriction;
pub mod reply;
mod request_id;
mod response_rewrite;
pub mod router;
mod share;
mod span;
mod traffic_split;
mod ua_restriction;
mod uri;
mod uri_blocker;
mod variable;
mod zipkin;

use std::fmt;
use std::sync::Arc;

use envoy_types::pb::envoy::config::route::v3::{Route, RouteAction};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use super::problem::Remark;
use super::route::Path;
use super::upstream::{Breaker, Cluster, Target};
pub use configured::Plugins;
use reading::{META, Meta, Reading};

/// Every plugin, in the order in which APISIX runs them: by its priority there, the highest first.
const ALL: &[Entry] = &[
    real_ip::ENTRY,
    client_control::ENTRY,
    request_id::ENTRY,
    zipkin::ENTRY,
    opentelemetry::ENTRY,
    fault_injection::ENTRY,
    mocking::ENTRY,
    cors::ENTRY,
    ip_restriction::ENTRY,
    ua_restriction::ENTRY,
    referer_restriction::ENTRY,
    csrf::ENTRY,
    uri_blocker::ENTRY,
    basic_auth::ENTRY,
    jwt_auth::ENTRY,
    key_auth::ENTRY,
    consumer_restriction::ENTRY,
    forward_auth::ENTRY,
    proxy_mirror::ENTRY,
    proxy_rewrite::ENTRY,
    api_breaker::ENTRY,
    limit_count::ENTRY,
    limit_req::ENTRY,
    brotli::ENTRY,
    gzip::ENTRY,
    traffic_split::ENTRY,
    redirect::ENTRY,
    response_rewrite::ENTRY,
    grpc_web::ENTRY,
    prometheus::ENTRY,
    file_logger::ENTRY,
    proxy_buffering::ENTRY,
];

/// Plugins of APISIX that Envoy has nothing for, and what to do.
const NOT_IN_ENVOY: &[(&str, &str)] = &[
    (
        "hmac-auth",
        "Envoy does not verify these signatures; let a service of yours do it, with forward-auth",
    ),
    (
        "http-logger",
        "Envoy does not post logs; write `access_log` of the gateway, and have the log shipped from there",
    ),
    (
        "limit-conn",
        "Envoy does not count requests in flight by key; limit-req and limit-count bound how many come",
    ),
    (
        "opa",
        "Envoy cannot ask an Open Policy Agent with the input document of APISIX; put a service before the agent that \
         does, with forward-auth",
    ),
    (
        "tcp-logger",
        "Envoy does not write logs to a connection; write `access_log` of the gateway, and have the log shipped from there",
    ),
];

/// The longest body that a plugin answers with by itself. A route table must allow it: Envoy's own bound is 4 KiB.
pub const ANSWER_BYTES: u32 = 1024 * 1024;

/// What a route is called in statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CountedBy {
    /// Its id.
    Id,
    /// Its `name`, where it has one.
    Name,
}

/// A plugin as documents configured it.
trait Plugin: fmt::Debug + Send + Sync {
    /// Adds what it does to a route of Envoy, which already has its match, its cluster and its time-outs. `clusters` are
    /// those of its [`targets`](Self::targets), in order.
    fn apply(&self, route: &mut Route, clusters: &[Arc<Cluster>]);

    /// The routes to go before this one, for those of its requests with which it does something else than
    /// [`apply`](Self::apply) says: each with a narrower match, and with what it does already added.
    fn branch(&self, _route: &Route, _clusters: &[Arc<Cluster>]) -> Vec<Route> {
        Vec::new()
    }

    /// Where it sends requests beside the route's own upstream.
    fn targets(&self) -> &[Target] {
        &[]
    }

    /// Whether it sends every request to one of its [`targets`](Self::targets), so that the route needs no upstream.
    fn sends_all(&self) -> bool {
        false
    }

    /// The routes to go before the route itself and its branches, for requests that go to one of its
    /// [`targets`](Self::targets) in the place of the route's own upstream: what the route does with those stands in
    /// `actions`, in order. All plugins are then applied to each of these routes.
    fn detours(&self, _route: &Route, _actions: &[RouteAction]) -> Vec<Route> {
        Vec::new()
    }

    /// Whether it answers every request for these paths by itself, so that none goes to an upstream.
    fn answers(&self, _paths: &[Path]) -> bool {
        false
    }

    /// Whether it tells requests for these paths apart by a pattern, as `vars` about `uri` do: a route of Envoy's has one.
    fn asks_for_paths(&self, _paths: &[Path]) -> bool {
        false
    }

    /// What a route is called in statistics of its own; it has none when no plugin says.
    fn counted_by(&self) -> Option<CountedBy> {
        None
    }

    /// What it demands of the route's own cluster.
    fn breaker(&self) -> Option<&Breaker> {
        None
    }

    /// Refuses the paths of a route on which Envoy would not do what the configuration says.
    fn check(&self, _paths: &[Path]) -> Result<(), Remark> {
        Ok(())
    }
}

type Read = fn(&Value, &mut Reading) -> Result<Arc<dyn Plugin>, Remark>;

/// A plugin as it is known without any document.
struct Entry {
    /// The name that documents use.
    name: &'static str,
    /// Reads its configuration.
    read: Read,
    /// The schema of its configuration: `schema::<Form>`.
    schema: fn(&mut SchemaGenerator) -> Schema,
    /// The filters that it needs in every listener's chain, disabled until a route enables them.
    http_filters: fn() -> Vec<HttpFilter>,
}

/// The filters that the plugins need in the chain of every listener, each `disabled`; in the order of the plugins.
pub fn http_filters() -> Vec<HttpFilter> {
    ALL.iter()
        .flat_map(|entry| (entry.http_filters)())
        .collect()
}

/// The schema of a document's `plugins`.
pub(super) fn plugins_schema(generator: &mut SchemaGenerator) -> Schema {
    let fields = ALL.iter().map(|entry| {
        let schema = (entry.schema)(generator);
        (entry.name.to_owned(), Value::from(schema))
    });
    let fields: serde_json::Map<_, _> = fields.collect();
    json_schema!({"type": "object", "properties": fields, "additionalProperties": false})
}

/// The names of all plugins, in the order in which they run.
pub fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|entry| entry.name)
}

/// What makes the schema of the plugin of that name.
pub(super) fn schema_of(name: &str) -> Option<fn(&mut SchemaGenerator) -> Schema> {
    let mut all = ALL.iter();
    all.find(|entry| entry.name == name)
        .map(|entry| entry.schema)
}

/// The schema of a plugin's form, and of what every plugin has beside it.
fn schema<F: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = generator.subschema_for::<F>();
    let meta = generator.subschema_for::<Meta>();
    if let Some(Value::Object(fields)) = schema.get_mut("properties") {
        fields.insert(META.to_owned(), meta.into());
    }
    schema
}

#[cfg(test)]
mod tests;
