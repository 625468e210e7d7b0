//! Plugins: one file each, with its fields and what it adds to an Envoy route; nothing else knows it.
//!
//! To add one: write its file with an [`Entry`], and name the entry in [`ALL`].

mod header;
mod mocking;
mod pattern;
mod proxy_rewrite;
mod redirect;
mod uri;
mod variable;

use std::fmt;
use std::sync::Arc;

use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::config::route::v3::route::Action;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;

use super::decode::{self, kind_of, quoted, shown};
use super::key::Key;
use super::problem::Remark;
use super::route::Path;
use super::upstream::{self, Cluster, Target};

/// Every plugin, in the order in which APISIX runs them: by its priority there, the highest first.
const ALL: &[Entry] = &[mocking::ENTRY, proxy_rewrite::ENTRY, redirect::ENTRY];

/// The longest body that a plugin answers with by itself. A route table must allow it: Envoy's own bound is 4 KiB.
pub const ANSWER_BYTES: u32 = 1024 * 1024;

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

    /// Whether it answers every request by itself, so that none goes to an upstream.
    fn answers(&self) -> bool {
        false
    }

    /// Refuses the paths of a route on which Envoy would not do what the configuration says.
    fn check(&self, _paths: &[Path]) -> Result<(), Remark> {
        Ok(())
    }
}

/// Where the configuration of a plugin is read from, and what is said of it on the way.
struct Reading<'a> {
    /// The document that holds it.
    key: &'a Key,
    /// The plugin's name.
    name: &'static str,
    /// How many upstreams it has told of.
    upstreams: usize,
    /// What Envoy does not do exactly; fields as seen from within the configuration.
    warnings: Vec<Remark>,
}

impl Reading<'_> {
    /// Reads an upstream that stands in the configuration, at `field`. Its cluster is named after the document and the
    /// plugin: `route/echo/traffic-split/0`.
    #[expect(dead_code, reason = "the plugins that have upstreams follow")]
    fn upstream(&mut self, field: &str, value: &Value) -> Result<Target, Remark> {
        let plugin = format!("{}/{}", self.name, self.upstreams);
        self.upstreams += 1;
        let mut warnings = Vec::new();
        let cluster = upstream::form::read_for_plugin(self.key, &plugin, value, &mut warnings)
            .map_err(|remark| remark.under(field))?;
        let warnings = warnings.into_iter().map(|remark| remark.under(field));
        self.warnings.extend(warnings);
        Ok(Target::Inline(Arc::new(cluster)))
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

/// The plugins of one document, parsed; or of a route with those of all documents that it refers to.
#[derive(Debug, Clone, Default)]
pub struct Plugins {
    /// By the place in [`ALL`], ascending.
    configured: Vec<Configured>,
}

#[derive(Debug, Clone)]
struct Configured {
    /// Its place in [`ALL`].
    at: usize,
    /// Nothing where a document switched it off.
    plugin: Option<Arc<dyn Plugin>>,
    /// Of its targets, in order, once they are looked up.
    clusters: Arc<[Arc<Cluster>]>,
}

impl Plugins {
    /// Reads a document's `plugins`.
    pub(super) fn read(
        key: &Key,
        plugins: Option<&Value>,
        warnings: &mut Vec<Remark>,
    ) -> Result<Self, Remark> {
        let fields = match plugins {
            None => return Ok(Self::default()),
            Some(Value::Object(fields)) => fields,
            Some(other) => {
                let message = format!("found {}, allowed: an object", kind_of(other));
                return Err(Remark::new("plugins", message));
            }
        };
        let mut configured = Vec::new();
        for (name, value) in fields {
            let place = format!("plugins.{}", shown(name));
            let Some(at) = ALL.iter().position(|entry| entry.name == name) else {
                return Err(unknown(name));
            };
            let mut reading = Reading {
                key,
                name: ALL[at].name,
                upstreams: 0,
                warnings: Vec::new(),
            };
            let plugin =
                read(&ALL[at], value, &mut reading).map_err(|remark| remark.under(&place))?;
            let said = reading.warnings.into_iter();
            warnings.extend(said.map(|remark| remark.under(&place)));
            configured.push(Configured {
                at,
                plugin,
                clusters: Arc::default(),
            });
        }
        configured.sort_by_key(|configured| configured.at);
        Ok(Self { configured })
    }

    /// These plugins, and those of `below` that these do not name.
    pub(super) fn over(&self, below: &Self) -> Self {
        let mut configured = self.configured.clone();
        let named = |at: usize| self.configured.iter().any(|own| own.at == at);
        let unnamed = below.configured.iter().filter(|other| !named(other.at));
        configured.extend(unnamed.cloned());
        configured.sort_by_key(|configured| configured.at);
        Self { configured }
    }

    /// Where they send requests beside the route's own upstream.
    pub(super) fn targets(&self) -> impl Iterator<Item = &Target> {
        let enabled = self.enabled();
        enabled.flat_map(|configured| configured.targets())
    }

    /// These plugins with the clusters of their targets looked up.
    pub(super) fn resolved(
        &self,
        cluster: impl Fn(&Target) -> Result<Arc<Cluster>, Remark>,
    ) -> Result<Self, Remark> {
        let mut resolved = self.clone();
        for configured in &mut resolved.configured {
            let clusters: Result<Vec<_>, _> = configured.targets().iter().map(&cluster).collect();
            configured.clusters = clusters
                .map_err(|remark| remark.under(&configured.place()))?
                .into();
        }
        Ok(resolved)
    }

    /// The clusters that they send requests to, beside the route's own.
    pub fn clusters(&self) -> impl Iterator<Item = &Arc<Cluster>> {
        let enabled = self.enabled();
        enabled.flat_map(|configured| configured.clusters.iter())
    }

    /// Refuses the paths of a route on which a plugin would not do what its configuration says.
    pub(super) fn check(&self, paths: &[Path]) -> Result<(), Remark> {
        for configured in self.enabled() {
            if let Some(plugin) = &configured.plugin {
                plugin
                    .check(paths)
                    .map_err(|remark| remark.under(&configured.place()))?;
            }
        }
        Ok(())
    }

    /// Whether one of them answers every request by itself.
    pub fn answers(&self) -> bool {
        let plugins = self.enabled().filter_map(|own| own.plugin.as_ref());
        plugins.into_iter().any(|plugin| plugin.answers())
    }

    /// What a route of Envoy, which already has its match, its cluster and its time-outs, becomes with them: one or several,
    /// of which the first that matches a request is meant. Where a plugin answers by itself, the ones after it never run.
    pub fn apply(&self, route: Route) -> Vec<Route> {
        let mut routes = vec![route];
        for own in self.enabled() {
            let Some(plugin) = &own.plugin else { continue };
            for mut route in std::mem::take(&mut routes) {
                if is_answered(&route) {
                    routes.push(route);
                    continue;
                }
                routes.extend(plugin.branch(&route, &own.clusters));
                plugin.apply(&mut route, &own.clusters);
                routes.push(route);
            }
        }
        routes
    }

    fn enabled(&self) -> impl Iterator<Item = &Configured> {
        self.configured.iter().filter(|own| own.plugin.is_some())
    }
}

impl Configured {
    fn targets(&self) -> &[Target] {
        self.plugin.as_deref().map_or(&[], Plugin::targets)
    }

    fn place(&self) -> String {
        format!("plugins.{}", ALL[self.at].name)
    }
}

/// Whether Envoy answers the requests of a route by itself.
fn is_answered(route: &Route) -> bool {
    matches!(
        route.action,
        Some(Action::DirectResponse(_) | Action::Redirect(_))
    )
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

/// The schema of a plugin's form.
fn schema<F: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<F>()
}

fn unknown(name: &str) -> Remark {
    let names: Vec<_> = names().collect();
    let message = format!(
        "this version does not have the plugin {}; it has {}",
        quoted(name),
        names.join(", ")
    );
    Remark::new("plugins", message)
}

/// What every plugin may say of itself, whatever it does.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Meta {
    /// Whether it is switched off: also what documents further away say of it.
    #[serde(default)]
    disable: bool,
}

impl decode::Form for Meta {
    const NOT_SERVED: &'static [&'static str] =
        &["error_response", "filter", "pre_function", "priority"];
}

fn read(
    entry: &Entry,
    value: &Value,
    reading: &mut Reading,
) -> Result<Option<Arc<dyn Plugin>>, Remark> {
    let Value::Object(fields) = value else {
        let message = format!("found {}, allowed: an object", kind_of(value));
        return Err(Remark::whole(message));
    };
    let mut own = fields.clone();
    let meta: Meta = match own.remove("_meta") {
        None => Meta::default(),
        Some(meta) => decode::read(&meta).map_err(|remark| remark.under("_meta"))?,
    };
    let plugin = (entry.read)(&Value::Object(own), reading)?;
    Ok(Some(plugin).filter(|_| !meta.disable))
}

#[cfg(test)]
mod tests;
