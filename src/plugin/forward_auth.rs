//! `forward-auth`: a service of the user's is asked whether a request may pass.
//!
//! Envoy makes the client that asks when the first request comes, and ends the process where it cannot: whatever is not
//! surely right is refused here.

use std::sync::Arc;
use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3::{HeaderValue, HttpUri, http_uri::HttpUpstreamType};
use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::extensions::filters::http::ext_authz::v3::{
    AuthorizationRequest, AuthorizationResponse, BufferSettings, CheckSettings, ExtAuthz,
    ExtAuthzPerRoute, HttpService, check_settings::ServiceOverride, ext_authz::Services,
    ext_authz_per_route::Override,
};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;
use envoy_types::pb::envoy::r#type::matcher::v3::string_matcher::MatchPattern;
use envoy_types::pb::envoy::r#type::matcher::v3::{ListStringMatcher, StringMatcher};
use serde_json::Value;

use super::contract::{Definition, Plugin, Reading, refused, schema};
use super::shared::header::Checked;
use super::shared::instead::UNDECIDED;
use crate::cohort::Ability;
use crate::envoy::{filter, proto};
use crate::model::problem::Remark;
use crate::model::upstream::{Cluster, Target};

mod form;

const NAME: &str = "forward-auth";
/// The filter of routes that pass requests while the service is away: Envoy has that per filter.
const DEGRADED: &str = "forward-auth/degraded";

/// Bytes of a body that the service is sent: Envoy holds all of it until the service has answered.
const LARGEST: u32 = 1 << 20;

pub(super) const ENTRY: Definition = Definition {
    name: NAME,
    read,
    schema: schema::<form::Form>,
    refused: refused::<form::Form>,
    differs: &[
        (
            "request_method",
            "by `POST`, requests with a body above 1 MiB are answered with 413; the service is told `x-envoy-auth-partial-body: false` too, \
            and never `transfer-encoding`",
        ),
        ("status_on_error", "also where the service answers with 5xx"),
    ],
    http_filters: || {
        vec![
            listed(NAME, false),
            listed(DEGRADED, true),
            UNDECIDED.filter(),
        ]
    },
};

/// The filter as it stands in the chain: with a service that is never asked, as each route names its own.
fn listed(name: &str, pass_on_failure: bool) -> HttpFilter {
    let nobody = HttpService {
        server_uri: Some(server("http://forward-auth", NAME, Duration::from_secs(1))),
        ..HttpService::default()
    };
    let config = ExtAuthz {
        services: Some(Services::HttpService(nobody)),
        failure_mode_allow: pass_on_failure,
        // Else the service is sent what it was not meant to see; a route that lists the header adds it.
        disallowed_headers: Some(exactly(&["authorization".to_owned()])),
        stat_prefix: name.to_owned(),
        ..ExtAuthz::default()
    };
    filter::disabled(name, &config)
}

fn server(uri: &str, cluster: &str, timeout: Duration) -> HttpUri {
    HttpUri {
        uri: uri.to_owned(),
        timeout: Some(proto::exactly(timeout)),
        http_upstream_type: Some(HttpUpstreamType::Cluster(cluster.to_owned())),
    }
}

fn exactly(names: &[String]) -> ListStringMatcher {
    let exact = |name: &String| StringMatcher {
        match_pattern: Some(MatchPattern::Exact(name.clone())),
        ignore_case: true,
    };
    ListStringMatcher {
        patterns: names.iter().map(exact).collect(),
    }
}

#[derive(Debug)]
struct ForwardAuth {
    /// Where the service is.
    target: Target,
    /// The path and the query that it is asked for.
    path: String,
    timeout: Duration,
    /// Whether it is sent the client's body.
    posts: bool,
    pass_on_failure: bool,
    /// What clients are told while the service says nothing.
    status_on_error: u32,
    /// What it is sent: names, and Envoy's format strings.
    request: Vec<(String, String)>,
    /// Headers of its answer that the upstream is sent.
    upstream: Vec<String>,
    /// Headers of its answer that the client is sent whose request does not pass.
    client: Vec<String>,
}

fn read(value: &Value, reading: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    form::read(value, reading).map(|plugin| Arc::new(plugin) as Arc<dyn Plugin>)
}

impl Plugin for ForwardAuth {
    fn needs(&self) -> Vec<Ability> {
        vec![Ability::PathOfCheck]
    }

    fn targets(&self) -> &[Target] {
        std::slice::from_ref(&self.target)
    }

    fn runs(&self) -> Vec<&'static str> {
        let other = self.status_on_error != form::FORBIDDEN;
        other.then_some(UNDECIDED.filter).into_iter().collect()
    }

    fn apply(&self, route: &mut Route, clusters: &[Arc<Cluster>]) {
        // There is none where it is only asked what it says to filters.
        let cluster = clusters.first().map_or("", |cluster| &*cluster.name);
        let header = |(name, value): &(String, String)| HeaderValue {
            key: name.clone(),
            value: value.clone(),
            ..HeaderValue::default()
        };
        let service = HttpService {
            server_uri: Some(server("http://forward-auth", cluster, self.timeout)),
            path_override: self.path.clone(),
            authorization_request: Some(AuthorizationRequest {
                headers_to_add: self.request.iter().map(header).collect(),
                ..AuthorizationRequest::default()
            }),
            authorization_response: Some(AuthorizationResponse {
                allowed_upstream_headers: Some(exactly(&self.upstream))
                    .filter(|list| !list.patterns.is_empty()),
                allowed_client_headers: Some(self.for_clients()),
                ..AuthorizationResponse::default()
            }),
            ..HttpService::default()
        };
        let settings = CheckSettings {
            disable_request_body_buffering: !self.posts,
            with_request_body: self.posts.then_some(BufferSettings {
                max_request_bytes: LARGEST,
                pack_as_bytes: true,
                ..BufferSettings::default()
            }),
            service_override: Some(ServiceOverride::HttpService(service)),
            ..CheckSettings::default()
        };
        let per_route = ExtAuthzPerRoute {
            r#override: Some(Override::CheckSettings(settings)),
        };
        let name = if self.pass_on_failure { DEGRADED } else { NAME };
        filter::enable(route, name, &per_route);
        if self.status_on_error != form::FORBIDDEN {
            UNDECIDED.answer(route, self.status_on_error, None, &Checked::new());
        }
    }
}

impl ForwardAuth {
    /// Without a list Envoy would send the client everything; no header is called `-`.
    fn for_clients(&self) -> ListStringMatcher {
        if self.client.is_empty() {
            exactly(&["-".to_owned()])
        } else {
            exactly(&self.client)
        }
    }
}

#[cfg(test)]
mod tests;
