//! `opentelemetry`: which of a route's requests become spans, and what these say of them. Their collector is the gateway's.

use std::sync::Arc;

use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::r#type::tracing::v3::{CustomTag, custom_tag};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::contract::{Definition, Plugin, Reading, refused, schema};
use super::shared::header;
use super::shared::span::{self, Ratio};
use super::shared::variable::{self, Piece};
use crate::cohort::Ability;
use crate::model::decode;
use crate::model::problem::Remark;
use crate::model::upstream::Cluster;

pub(super) const ENTRY: Definition = Definition {
    name: "opentelemetry",
    read,
    schema: schema::<Form>,
    refused: refused::<Form>,
    differs: &[
        ("", "spans go where `tracing` of the gateway says"),
        ("sampler", "a request's `traceparent` decides before it"),
        ("additional_header_prefix_attributes", "no `*`"),
    ],
    http_filters: Vec::new,
};

/// Which requests leave spans with OpenTelemetry.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// Which requests; none by default.
    #[serde(default)]
    sampler: SamplerForm,
    /// Variables that a span carries, by their names.
    #[serde(default)]
    additional_attributes: Vec<String>,
    /// Headers that a span carries, by their names.
    #[serde(default)]
    additional_header_prefix_attributes: Vec<String>,
}

impl decode::Form for Form {}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct SamplerForm {
    /// `always_on`, `always_off`, `trace_id_ratio` or `parent_base`.
    #[serde(default)]
    name: Sampler,
    /// What the sampler goes by.
    #[serde(default)]
    options: OptionsForm,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Sampler {
    AlwaysOn,
    #[default]
    AlwaysOff,
    TraceIdRatio,
    /// As the client decided; as `options.root` says, where it did not.
    ParentBase,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct OptionsForm {
    /// The share of the requests, for `trace_id_ratio`.
    #[serde(default)]
    fraction: Ratio,
    /// For `parent_base`.
    #[serde(default)]
    root: RootForm,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct RootForm {
    /// `always_on`, `always_off` or `trace_id_ratio`.
    #[serde(default)]
    name: Root,
    /// What it goes by.
    #[serde(default)]
    options: FractionForm,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Root {
    AlwaysOn,
    #[default]
    AlwaysOff,
    TraceIdRatio,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct FractionForm {
    /// The share of the requests, for `trace_id_ratio`.
    #[serde(default)]
    fraction: Ratio,
}

impl SamplerForm {
    fn ratio(&self) -> Ratio {
        let root = &self.options.root;
        match (self.name, root.name) {
            (Sampler::AlwaysOn, _) | (Sampler::ParentBase, Root::AlwaysOn) => Ratio::ALL,
            (Sampler::AlwaysOff, _) | (Sampler::ParentBase, Root::AlwaysOff) => Ratio::default(),
            (Sampler::TraceIdRatio, _) => self.options.fraction,
            (Sampler::ParentBase, Root::TraceIdRatio) => root.options.fraction,
        }
    }
}

#[derive(Debug)]
struct OpenTelemetry {
    ratio: Ratio,
    /// Attributes of a span, with the format strings of their values.
    tags: Vec<(String, String)>,
}

fn read(value: &Value, reading: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let form: Form = decode::read(value)?;
    let mut tags = Vec::new();
    for (at, name) in form.additional_attributes.into_iter().enumerate() {
        let field = format!("additional_attributes[{at}]");
        let operator = variable::operator(&name).map_err(|said| Remark::new(&field, said))?;
        if let Some(said) = variable::warning(&[Piece::Variable(&name)]) {
            reading.warnings.push(Remark::new(field, said));
        }
        tags.push((name, operator));
    }
    let headers = form.additional_header_prefix_attributes;
    for (at, name) in headers.into_iter().enumerate() {
        let said = |said| Remark::new(format!("additional_header_prefix_attributes[{at}]"), said);
        if name.ends_with('*') {
            let message = format!(
                "found {name:?}, allowed: the whole name of a header, as Envoy does not look for headers by a prefix"
            );
            return Err(said(message));
        }
        let header = header::name(&name).map_err(said)?;
        tags.push((name, format!("%REQ({header})%")));
    }
    reading.warnings.push(Remark::whole(span::WHERE));
    if form.sampler.name != Sampler::ParentBase {
        let message = "holds where the request has no `traceparent`: else Envoy does as that says, as with `parent_base`";
        reading.warnings.push(Remark::new("sampler", message));
    }
    Ok(Arc::new(OpenTelemetry {
        ratio: form.sampler.ratio(),
        tags,
    }))
}

impl Plugin for OpenTelemetry {
    fn needs(&self) -> Vec<Ability> {
        let tags = (!self.tags.is_empty()).then_some(Ability::SpanTags);
        tags.into_iter().collect()
    }

    fn apply(&self, route: &mut Route, _: &[Arc<Cluster>]) {
        let tags = self.tags.iter().map(|(name, value)| CustomTag {
            tag: name.clone(),
            r#type: Some(custom_tag::Type::Value(value.clone())),
        });
        span::trace(route, self.ratio, tags);
    }
}

#[cfg(test)]
mod tests;
