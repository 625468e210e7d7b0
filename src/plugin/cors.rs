//! `cors`: which pages of other origins a browser lets read the answers.

mod origins;

use std::sync::Arc;

use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::extensions::filters::http::cors::v3::{Cors as Filter, CorsPolicy};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::contract::{Definition, Plugin, Reading, schema};
use super::shared::header;
use crate::envoy::filter;
use crate::envoy::proto::boolean;
use crate::model::decode;
use crate::model::problem::Remark;
use crate::model::upstream::Cluster;

const FILTER: &str = "chancery.cors";

pub(super) const ENTRY: Definition = Definition {
    name: "cors",
    read,
    schema: schema::<Form>,
    http_filters: || vec![filter::disabled(FILTER, &Filter {})],
};

/// Tells browsers which pages of other origins may read the answers.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// Origins with commas between them; `*` is any without credentials, `**` any.
    #[serde(default = "any")]
    allow_origins: String,
    /// Patterns of origins, in place of `allow_origins`.
    allow_origins_by_regex: Option<Vec<String>>,
    /// Methods, likewise.
    #[serde(default = "any")]
    allow_methods: String,
    /// Request headers, likewise.
    #[serde(default = "any")]
    allow_headers: String,
    /// Response headers that a page may read.
    expose_headers: Option<String>,
    /// How many seconds a browser may remember this; -1 is not at all.
    #[serde(default = "max_age")]
    max_age: i64,
    /// Whether requests may have cookies.
    #[serde(default)]
    allow_credential: bool,
}

impl decode::Form for Form {
    const NOT_SERVED: &'static [&'static str] = &[
        "allow_origins_by_metadata",
        "timing_allow_origins",
        "timing_allow_origins_by_regex",
    ];
}

fn any() -> String {
    "*".to_owned()
}

fn max_age() -> i64 {
    5
}

/// What `**` is for methods.
const METHODS: &str = "GET,POST,PUT,DELETE,PATCH,HEAD,OPTIONS,CONNECT,TRACE";

#[derive(Debug)]
struct Cors {
    policy: CorsPolicy,
}

fn read(value: &Value, reading: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let form: Form = decode::read(value)?;
    without_star(&form)?;
    let origins = match &form.allow_origins_by_regex {
        Some(patterns) => origins::patterns(patterns)?,
        None => origins::listed(&form.allow_origins)?,
    };
    let plain = |field: &str, text: &str| {
        let bad = !text.bytes().all(|b| matches!(b, b' '..=b'~'));
        let message = "found something else, allowed: names in printable ASCII with commas between";
        if bad {
            Err(Remark::new(field, message))
        } else {
            Ok(text.to_owned())
        }
    };
    reading.warnings.push(Remark::whole(
        "answers only an OPTIONS that is a preflight (with `Origin` and `Access-Control-Request-Method`), and adds headers only \
         where there is an `Origin`; `*` becomes the origin, method or headers that the request names",
    ));
    let policy = CorsPolicy {
        allow_origin_string_match: origins,
        allow_methods: match form.allow_methods.as_str() {
            "**" => METHODS.to_owned(),
            methods => plain("allow_methods", methods)?,
        },
        // Envoy's `*` is what the request asks for, which is what `**` means.
        allow_headers: match form.allow_headers.as_str() {
            "**" => any(),
            headers => plain("allow_headers", headers)?,
        },
        expose_headers: plain(
            "expose_headers",
            form.expose_headers.as_deref().unwrap_or(""),
        )?,
        max_age: form.max_age.to_string(),
        allow_credentials: Some(boolean(form.allow_credential)),
        // The instance is not asked, as with APISIX.
        forward_not_matching_preflights: Some(boolean(false)),
        ..CorsPolicy::default()
    };
    Ok(Arc::new(Cors { policy }))
}

/// Browsers take no `*` with credentials.
fn without_star(form: &Form) -> Result<(), Remark> {
    let mut fields = vec![
        ("allow_methods", form.allow_methods.as_str()),
        ("allow_headers", &form.allow_headers),
        (
            "expose_headers",
            form.expose_headers.as_deref().unwrap_or(""),
        ),
    ];
    if form.allow_origins_by_regex.is_none() {
        fields.insert(0, ("allow_origins", &form.allow_origins));
    }
    let star = fields.into_iter().find(|(_, text)| *text == "*");
    match star.filter(|_| form.allow_credential) {
        None => Ok(()),
        Some((field, _)) => Err(Remark::new(
            field,
            "is \"*\" beside `allow_credential`, allowed: names, or \"**\" for all",
        )),
    }
}

impl Plugin for Cors {
    fn apply(&self, route: &mut Route, _: &[Arc<Cluster>]) {
        filter::enable(route, FILTER, &self.policy);
        // Envoy names the origin in its answer and leaves this to others: caches must know.
        let vary = header::add("vary", "Origin");
        if !route.response_headers_to_add.contains(&vary) {
            route.response_headers_to_add.push(vary);
        }
    }
}

#[cfg(test)]
mod tests;
