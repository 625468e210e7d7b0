//! `grpc-web`: browsers talk to a gRPC service.

use std::sync::Arc;

use envoy_types::pb::envoy::config::route::v3::route::Action;
use envoy_types::pb::envoy::config::route::v3::{
    DirectResponseAction, Route, route_match::PathSpecifier,
};
use envoy_types::pb::envoy::extensions::filters::http::grpc_web::v3::GrpcWeb as Filter;
use envoy_types::pb::envoy::r#type::matcher::v3::{RegexMatchAndSubstitute, RegexMatcher};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::contract::{Definition, Plugin, Reading, refused, schema};
use super::shared::header;
use super::shared::narrow::by_headers;
use crate::cohort::Ability;
use crate::envoy::place;
use crate::model::problem::Remark;
use crate::model::upstream::Cluster;
use crate::model::{Path, decode};

const FILTER: &str = "chancery.grpc-web";

pub(super) const ENTRY: Definition = Definition {
    name: "grpc-web",
    read,
    schema: schema::<Form>,
    refused: refused::<Form>,
    differs: &[("", "trailers always stand in the body")],
    http_filters: || vec![place::empty(FILTER)],
};

/// Lets browsers talk to a gRPC service.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// Whether the service sees the whole path, and not only what follows the route's prefix.
    #[serde(default)]
    strip_path: bool,
    /// Whether trailers stand in the body. Envoy always puts them there, as browsers need it.
    #[serde(default)]
    #[expect(dead_code, reason = "both mean what Envoy does")]
    enable_in_body_trailers_on_success: bool,
    /// The request headers that pages of other origins may send, with commas between them.
    #[serde(default = "usual")]
    cors_allow_headers: String,
}

impl decode::Form for Form {}

fn usual() -> String {
    "content-type,x-grpc-web,x-user-agent,grpc-accept-encoding".to_owned()
}

#[derive(Debug)]
struct GrpcWeb {
    strip_path: bool,
    allowed: String,
}

fn read(value: &Value, _: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let form: Form = decode::read(value)?;
    let wrong = |said| Remark::new("cors_allow_headers", said);
    Ok(Arc::new(GrpcWeb {
        strip_path: form.strip_path,
        allowed: header::text(&form.cors_allow_headers).map_err(wrong)?,
    }))
}

impl Plugin for GrpcWeb {
    fn needs(&self) -> Vec<Ability> {
        vec![Ability::Places]
    }

    fn check(&self, paths: &[Path]) -> Result<(), Remark> {
        let exact = paths.iter().find(|path| !matches!(path, Path::Prefix(_)));
        exact.map_or(Ok(()), |path| {
            let message = format!("is for routes with a prefix, such as `/grpc/*`; found {path}");
            Err(Remark::whole(message))
        })
    }

    /// A preflight is answered, and a call goes on.
    fn branch(&self, route: &Route, _: &[Arc<Cluster>]) -> Vec<Route> {
        let mut preflight = by_headers(route, [(":method", "OPTIONS")]);
        answer(&mut preflight, 204);
        for (name, value) in [
            ("access-control-allow-methods", "POST, OPTIONS"),
            ("access-control-allow-headers", &self.allowed),
        ] {
            let headers = &mut preflight.response_headers_to_add;
            headers.push(header::set(name, value));
        }
        let types = r"application/grpc-web(-text)?(\+proto)?";
        let mut call = by_headers(route, [(":method", "POST"), ("content-type", types)]);
        place::fill(&mut call, FILTER, &Filter {});
        if !self.strip_path {
            without_prefix(&mut call);
        }
        for route in [&mut preflight, &mut call] {
            readable(route);
        }
        vec![preflight, call]
    }

    /// Anything else is a mistake.
    fn apply(&self, route: &mut Route, _: &[Arc<Cluster>]) {
        answer(route, 400);
        readable(route);
    }
}

/// For pages of any origin, unless `cors` says which.
fn readable(route: &mut Route) {
    route.response_headers_to_add.extend([
        header::default("access-control-allow-origin", "*"),
        header::set("access-control-expose-headers", "grpc-status,grpc-message"),
    ]);
}

fn answer(route: &mut Route, status: u32) {
    route.action = Some(Action::DirectResponse(DirectResponseAction {
        status,
        ..DirectResponseAction::default()
    }));
}

/// The service sees what follows the route's prefix, unless `proxy-rewrite` has said what it sees.
fn without_prefix(route: &mut Route) {
    let path = route
        .r#match
        .as_ref()
        .and_then(|m| m.path_specifier.as_ref());
    let (Some(PathSpecifier::Prefix(prefix)), Some(Action::Route(action))) =
        (path, &mut route.action)
    else {
        return;
    };
    let rewrite = action.regex_rewrite.take();
    action.regex_rewrite = rewrite.or_else(|| {
        Some(RegexMatchAndSubstitute {
            pattern: Some(RegexMatcher {
                regex: format!("^{}/?", regex::escape(prefix)),
                ..RegexMatcher::default()
            }),
            substitution: "/".to_owned(),
        })
    });
}

#[cfg(test)]
mod tests;
