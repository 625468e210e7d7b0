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
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;
use serde::Deserialize;
use serde_json::Value;

use super::decode::{self, kind_of, quoted, shown};
use super::problem::Remark;
use super::route::Path;

/// Every plugin, in the order in which APISIX runs them: by its priority there, the highest first.
const ALL: &[Entry] = &[mocking::ENTRY, proxy_rewrite::ENTRY, redirect::ENTRY];

/// The longest body that a plugin answers with by itself. A route table must allow it: Envoy's own bound is 4 KiB.
pub const ANSWER_BYTES: u32 = 1024 * 1024;

/// A plugin as documents configured it.
trait Plugin: fmt::Debug + Send + Sync {
    /// Adds what it does to a route of Envoy, which already has its match, its cluster and its time-outs.
    fn apply(&self, route: &mut Route);

    /// Whether it answers every request by itself, so that none goes to an upstream.
    fn answers(&self) -> bool {
        false
    }

    /// Refuses the paths of a route on which Envoy would not do what the configuration says.
    fn check(&self, _paths: &[Path]) -> Result<(), Remark> {
        Ok(())
    }
}

type Read = fn(&Value, &mut Vec<Remark>) -> Result<Arc<dyn Plugin>, Remark>;

/// A plugin as it is known without any document.
struct Entry {
    /// The name that documents use.
    name: &'static str,
    /// Reads its configuration.
    read: Read,
    /// The filters that it needs in every listener's chain, disabled until a route enables them.
    http_filters: fn() -> Vec<HttpFilter>,
}

/// The filters that the plugins need in the chain of every listener, each `disabled`; in the order of the plugins.
pub fn http_filters() -> Vec<HttpFilter> {
    ALL.iter()
        .flat_map(|entry| (entry.http_filters)())
        .collect()
}

/// The plugins of one route or service, parsed.
#[derive(Debug, Clone, Default)]
pub struct Plugins {
    /// By the place in [`ALL`], ascending; nothing where a document switched the plugin off.
    configured: Vec<(usize, Option<Arc<dyn Plugin>>)>,
}

impl Plugins {
    /// Reads a document's `plugins`.
    pub(super) fn read(
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
            let mut own = Vec::new();
            let plugin = read(&ALL[at], value, &mut own).map_err(|remark| remark.under(&place))?;
            warnings.extend(own.into_iter().map(|remark| remark.under(&place)));
            configured.push((at, plugin));
        }
        configured.sort_by_key(|(at, _)| *at);
        Ok(Self { configured })
    }

    /// These plugins, and those of `below` that these do not name.
    pub(super) fn over(&self, below: &Self) -> Self {
        let mut configured = self.configured.clone();
        let named = |at: usize| self.configured.iter().any(|(own, _)| *own == at);
        configured.extend(
            below
                .configured
                .iter()
                .filter(|(at, _)| !named(*at))
                .cloned(),
        );
        configured.sort_by_key(|(at, _)| *at);
        Self { configured }
    }

    /// Refuses the paths of a route on which a plugin would not do what its configuration says.
    pub(super) fn check(&self, paths: &[Path]) -> Result<(), Remark> {
        for (at, plugin) in self.enabled() {
            plugin
                .check(paths)
                .map_err(|remark| remark.under(&format!("plugins.{}", ALL[at].name)))?;
        }
        Ok(())
    }

    /// Whether one of them answers every request by itself.
    pub fn answers(&self) -> bool {
        self.enabled().any(|(_, plugin)| plugin.answers())
    }

    /// Adds what they do to a route of Envoy that already has its match, its cluster and its time-outs. Where a plugin
    /// answers by itself, the ones after it never run.
    pub fn apply(&self, route: &mut Route) {
        for (_, plugin) in self.enabled() {
            plugin.apply(route);
            if plugin.answers() {
                break;
            }
        }
    }

    fn enabled(&self) -> impl Iterator<Item = (usize, &dyn Plugin)> {
        self.configured
            .iter()
            .filter_map(|(at, plugin)| Some((*at, plugin.as_deref()?)))
    }
}

fn unknown(name: &str) -> Remark {
    let names: Vec<_> = ALL.iter().map(|entry| entry.name).collect();
    let message = format!(
        "this version does not have the plugin {}; it has {}",
        quoted(name),
        names.join(", ")
    );
    Remark::new("plugins", message)
}

/// What every plugin may say of itself, whatever it does.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Meta {
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
    warnings: &mut Vec<Remark>,
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
    let plugin = (entry.read)(&Value::Object(own), warnings)?;
    Ok(Some(plugin).filter(|_| !meta.disable))
}

#[cfg(test)]
mod tests;
