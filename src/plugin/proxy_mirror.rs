//! `proxy-mirror`: another server gets a copy of each request; what it answers is thrown away.

use std::sync::Arc;

use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::config::route::v3::route::Action;
use envoy_types::pb::envoy::config::route::v3::route_action::RequestMirrorPolicy;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::contract::{Definition, Plugin, Reading, refused, schema};
use super::shared::share;
use crate::model::decode::{self, quoted};
use crate::model::problem::Remark;
use crate::model::upstream::{Cluster, Target};

pub(super) const ENTRY: Definition = Definition {
    name: "proxy-mirror",
    read,
    schema: schema::<Form>,
    refused: refused::<Form>,
    differs: &[],
    http_filters: Vec::new,
};

/// Sends a copy of each request to another server, and throws its answers away.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// The server, such as `http://10.0.0.1:8080`.
    host: String,
    /// The share of the requests that are copied, 0.00001–1; all if not written.
    #[serde(default)]
    sample_ratio: Ratio,
}

impl decode::Form for Form {
    const NOT_IN_ENVOY: &'static [(&'static str, &'static str)] = &[
        ("path", "Envoy's copies have the path of the request"),
        (
            "path_concat_mode",
            "Envoy's copies have the path of the request",
        ),
    ];
}

/// In millionths.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(try_from = "f64")]
struct Ratio(#[schemars(with = "f64", range(min = 0.00001, max = 1))] u32);

impl Default for Ratio {
    fn default() -> Self {
        Self(share::ALL)
    }
}

impl TryFrom<f64> for Ratio {
    type Error = String;

    fn try_from(ratio: f64) -> Result<Self, String> {
        if !(0.00001..=1.0).contains(&ratio) {
            return Err(format!("found {ratio}, allowed: 0.00001–1"));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the range was checked"
        )]
        let millionths = (ratio * f64::from(share::ALL)).round() as u32;
        Ok(Self(millionths))
    }
}

#[derive(Debug)]
struct ProxyMirror {
    ratio: Ratio,
    target: Target,
}

fn read(value: &Value, reading: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let form: Form = decode::read(value)?;
    let (scheme, address) = address(&form.host).ok_or_else(|| {
        let message = format!(
            "found {}, allowed: a scheme, a host and a port, such as \"http://10.0.0.1:8080\"",
            quoted(&form.host)
        );
        Remark::new("host", message)
    })?;
    let upstream = json!({"scheme": scheme, "nodes": {address: 1}});
    // The upstream's fields are not the reader's: they wrote a host.
    let host = |remark: Remark| Remark::new("host", remark.message);
    let target = reading.upstream("host", &upstream).map_err(host)?;
    for remark in &mut reading.warnings {
        "host".clone_into(&mut remark.field);
    }
    Ok(Arc::new(ProxyMirror {
        ratio: form.sample_ratio,
        target,
    }))
}

/// The scheme, and the host with its port.
fn address(host: &str) -> Option<(&str, String)> {
    let (scheme, address) = host.split_once("://")?;
    let port = match scheme {
        "http" | "grpc" => 80,
        "https" | "grpcs" => 443,
        _ => return None,
    };
    let bare = !address.is_empty() && !address.contains(['/', '?', '#', '@']);
    let with_port = match address.rsplit_once(':') {
        Some((_, port)) if !port.ends_with(']') => address.to_owned(),
        _ => format!("{address}:{port}"),
    };
    bare.then_some((scheme, with_port))
}

impl Plugin for ProxyMirror {
    fn targets(&self) -> &[Target] {
        std::slice::from_ref(&self.target)
    }

    fn apply(&self, route: &mut Route, clusters: &[Arc<Cluster>]) {
        let Some(Action::Route(action)) = &mut route.action else {
            return;
        };
        let policies = clusters.iter().map(|cluster| RequestMirrorPolicy {
            cluster: cluster.name.to_string(),
            runtime_fraction: Some(share::fixed(self.ratio.0)),
            // The copy is for the same host as the request.
            disable_shadow_host_suffix_append: true,
            ..RequestMirrorPolicy::default()
        });
        // A request has one copy: the route's own plugin has the word, and not a global rule's.
        action.request_mirror_policies = policies.collect();
    }
}

#[cfg(test)]
mod tests;
