//! `forward-auth` as it is written.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ForwardAuth;
use crate::model::decode;
use crate::model::problem::Remark;
use crate::model::scalar::{AnswerStatus, Quantity, Within};
use crate::model::upstream::{Check, Cluster, Target};
use crate::plugin::contract::Reading;
use crate::plugin::shared::header::{self, Headers};
use crate::plugin::shared::server::{Server, Uri};

/// Asks a service whether a request may pass.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(super) struct Form {
    /// Where the service is asked.
    uri: String,
    /// Whether requests pass while it does not answer.
    #[serde(default)]
    allow_degradation: bool,
    /// The status while it does not answer.
    #[serde(default = "forbidden")]
    status_on_error: AnswerStatus,
    /// Whether its certificate is verified.
    #[serde(default = "yes")]
    ssl_verify: bool,
    /// The method that it is asked with; by `POST` it is sent the client's body.
    #[serde(default)]
    request_method: Method,
    /// Headers of the client that it is sent.
    #[serde(default)]
    request_headers: Vec<String>,
    /// Further headers that it is sent, with variables.
    #[serde(default)]
    extra_headers: Headers,
    /// Headers of its answer that the upstream is sent, in the place of the client's.
    #[serde(default)]
    upstream_headers: Vec<String>,
    /// Headers of its answer that the client is sent whose request does not pass.
    #[serde(default)]
    client_headers: Vec<String>,
    /// How long it may take, in milliseconds; 3000 if not written.
    timeout: Option<Quantity>,
    /// Whether connections to it are kept.
    #[serde(default = "yes")]
    keepalive: bool,
    /// For how long, in milliseconds.
    keepalive_timeout: Option<Quantity>,
    /// How many.
    keepalive_pool: Option<Quantity>,
}

impl decode::Form for Form {
    const NOT_IN_ENVOY: &'static [(&'static str, &'static str)] = &[(
        "consumer_header",
        "Envoy knows no consumer by the word of a service; have `upstream_headers` tell the instance who it is",
    )];
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
}

/// What Envoy answers by itself.
pub(super) const FORBIDDEN: u32 = 403;

fn forbidden() -> AnswerStatus {
    Within(FORBIDDEN)
}

fn yes() -> bool {
    true
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
enum Method {
    #[default]
    #[serde(rename = "GET")]
    Get,
    #[serde(rename = "POST")]
    Post,
}

pub(super) fn read(value: &Value, reading: &mut Reading) -> Result<ForwardAuth, Remark> {
    let form: Form = decode::read(value)?;
    let server = form.server();
    let timeout = server.timeout()?;
    let uri = Uri::read(&form.uri).map_err(|said| Remark::new("uri", said))?;
    let upstream = names("upstream_headers", &form.upstream_headers)?;
    if upstream.iter().any(|name| name == "host") {
        let message = "found \"host\", which `host` of `proxy-rewrite` is for";
        return Err(Remark::new("upstream_headers", message));
    }
    let client = names("client_headers", &form.client_headers)?;
    let posts = form.request_method == Method::Post;
    let mut request = forwarded();
    if posts {
        request.push(passed_on("content-encoding"));
    }
    let extra = header::checked("extra_headers", &form.extra_headers, &mut reading.warnings)?;
    for (name, format) in extra {
        refuse_host("extra_headers", &name)?;
        request.retain(|(other, _)| *other != name);
        request.push((name, format));
    }
    for name in names("request_headers", &form.request_headers)? {
        refuse_host("request_headers", &name)?;
        if !request.iter().any(|(other, _)| *other == name) {
            request.push(passed_on(&name));
        }
    }
    let target = server.target("uri", &uri, reading)?;
    let failure = "an answer of 5xx counts as none: the status is this one, or the request passes with `allow_degradation`";
    reading
        .warnings
        .push(Remark::new("status_on_error", failure));
    Ok(ForwardAuth {
        target: asking(target, &uri, posts, &upstream, &client),
        path: uri.path,
        timeout,
        posts,
        pass_on_failure: form.allow_degradation,
        status_on_error: form.status_on_error.0,
        request,
        upstream,
        client,
    })
}

/// What the service is told of the request in any case.
fn forwarded() -> Vec<(String, String)> {
    [
        ("x-forwarded-proto", "%REQ(:SCHEME)%"),
        ("x-forwarded-method", "%REQ(:METHOD)%"),
        ("x-forwarded-host", "%REQ(:AUTHORITY)%"),
        ("x-forwarded-uri", "%REQ(:PATH)%"),
        (
            "x-forwarded-for",
            "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
        ),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// A header of the client's.
fn passed_on(name: &str) -> (String, String) {
    (name.to_owned(), format!("%REQ({name})%"))
}

/// The service as an upstream that is told that its requests are checks.
fn asking(
    target: Target,
    uri: &Uri,
    posts: bool,
    upstream: &[String],
    client: &[String],
) -> Target {
    let Target::Inline(cluster) = target else {
        return target;
    };
    let shown = |name: &&str| !client.iter().any(|listed| listed == name);
    let hidden = ["location", "www-authenticate"].into_iter().filter(shown);
    Target::Inline(Arc::new(Cluster {
        check: Some(Arc::new(Check {
            method: if posts { "POST" } else { "GET" },
            host: uri.authority.clone(),
            replaced: upstream.to_vec(),
            hidden: hidden.map(str::to_owned).collect(),
        })),
        ..(*cluster).clone()
    }))
}

fn names(field: &str, names: &[String]) -> Result<Vec<String>, Remark> {
    let checked = names.iter().enumerate().map(|(at, name)| {
        header::changeable(name).map_err(|said| Remark::new(format!("{field}[{at}]"), said))
    });
    checked.collect()
}

fn refuse_host(field: &str, name: &str) -> Result<(), Remark> {
    match name {
        "host" => Err(Remark::new(
            field,
            "found \"host\", which is the one of `uri`; the client's is sent as `x-forwarded-host`",
        )),
        _ => Ok(()),
    }
}
