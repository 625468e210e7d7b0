//! `prometheus`: a route's requests are counted apart from those of the others, in Envoy's own statistics.

use std::sync::Arc;

use envoy_types::pb::envoy::config::route::v3::Route;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::contract::{CountedBy, Definition, Plugin, Reading, refused, schema};
use crate::model::decode;
use crate::model::problem::Remark;
use crate::model::upstream::Cluster;

pub(super) const ENTRY: Definition = Definition {
    name: "prometheus",
    read,
    schema: schema::<Form>,
    refused: refused::<Form>,
    differs: &[
        (
            "",
            "statistics are Envoy's: `vhost.<host>.route.<id>.…`, `envoy_vhost_…` at \
            `/stats/prometheus` of its admin port",
        ),
        ("", "without requests that Envoy answers by itself"),
        (
            "prefer_name",
            "in ids and names all but letters, digits, `-` and `_` becomes `_`",
        ),
    ],
    http_filters: Vec::new,
};

/// Statistics of the route in Envoy.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// Whether the route's `name`, where it has one, and not its id stands in the statistics.
    #[serde(default)]
    prefer_name: bool,
}

impl decode::Form for Form {}

#[derive(Debug)]
struct Prometheus(CountedBy);

fn read(value: &Value, reading: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let form: Form = decode::read(value)?;
    let message = "counts as Envoy does: `envoy_vhost_…` at /stats/prometheus of its admin port, without requests that Envoy \
                   answers by itself";
    reading.warnings.push(Remark::whole(message));
    Ok(Arc::new(Prometheus(if form.prefer_name {
        CountedBy::Name
    } else {
        CountedBy::Id
    })))
}

impl Plugin for Prometheus {
    fn counted_by(&self) -> Option<CountedBy> {
        Some(self.0)
    }

    /// The route is counted whatever plugins make of it: see [`counted_by`](Self::counted_by).
    fn apply(&self, _: &mut Route, _: &[Arc<Cluster>]) {}
}

#[cfg(test)]
mod tests;
