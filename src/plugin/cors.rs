//! `cors`: which pages of other origins a browser lets read the answers.
//!
//! A script of ours rather than Envoy's filter for it, which adds nothing where a request names no origin, answers preflights
//! alone, and tells of methods and headers only there: a cache would keep answers that no browser shows.

mod origins;

use std::collections::BTreeMap;
use std::sync::Arc;

use envoy_types::pb::envoy::config::route::v3::Route;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::contract::{Definition, Plugin, Reading, refused, schema};
use super::shared::metadata::Metadata;
use super::shared::narrow::by_headers;
use super::shared::script;
use crate::model::decode;
use crate::model::problem::Remark;
use crate::model::upstream::Cluster;
use origins::Origins;

const FILTER: &str = "chancery.cors";

pub(super) const ENTRY: Definition = Definition {
    name: "cors",
    read,
    schema: schema::<Form>,
    refused: refused::<Form>,
    differs: &[],
    http_filters: || vec![script::discovered(FILTER)],
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
    /// Names of origins in `plugin_metadata/cors`, which are allowed as well.
    allow_origins_by_metadata: Option<Vec<String>>,
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
    /// Origins whose pages may read how long an answer took, likewise.
    timing_allow_origins: Option<String>,
    /// Patterns of such origins, in place of `timing_allow_origins`.
    timing_allow_origins_by_regex: Option<Vec<String>>,
}

impl decode::Form for Form {}

fn any() -> String {
    "*".to_owned()
}

fn max_age() -> i64 {
    5
}

/// What `**` is for methods.
const METHODS: &str = "GET,POST,PUT,DELETE,PATCH,HEAD,OPTIONS,CONNECT,TRACE";

#[derive(Debug, Clone)]
struct Cors {
    origins: Origins,
    /// What the metadata has more of them under these names.
    named: Vec<String>,
    timing: Option<Origins>,
    /// The rest of what the script goes by.
    context: Map<String, Value>,
}

fn read(value: &Value, reading: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let form: Form = decode::read(value)?;
    without_star(&form)?;
    let origins = match &form.allow_origins_by_regex {
        Some(patterns) => origins::patterns("allow_origins_by_regex", patterns)?,
        None => origins::listed("allow_origins", &form.allow_origins)?,
    };
    let timing = match (
        &form.timing_allow_origins_by_regex,
        &form.timing_allow_origins,
    ) {
        (Some(patterns), _) => Some(origins::patterns(
            "timing_allow_origins_by_regex",
            patterns,
        )?),
        (None, Some(listed)) => Some(origins::listed("timing_allow_origins", listed)?),
        (None, None) => None,
    };
    let named = form.allow_origins_by_metadata.as_ref();
    if matches!(named, Some(names) if names.is_empty()) {
        let message = "found an empty list, allowed: at least one name";
        return Err(Remark::new("allow_origins_by_metadata", message));
    }
    if named.is_some() && matches!(origins, Origins::Any(_)) {
        let message = "is of no use, as `allow_origins` allows every origin: write one there, such as \"null\"";
        let remark = Remark::new("allow_origins_by_metadata", message);
        reading.warnings.push(remark);
    }
    Ok(Arc::new(Cors {
        origins,
        named: named.cloned().unwrap_or_default(),
        timing,
        context: context(&form)?,
    }))
}

/// What the script goes by beside origins.
fn context(form: &Form) -> Result<Map<String, Value>, Remark> {
    let expose = form.expose_headers.as_deref().unwrap_or("");
    let methods = match form.allow_methods.as_str() {
        "**" => METHODS,
        methods => methods,
    };
    let plain = |field: &str, text: &str| {
        let bad = !text.bytes().all(|b| matches!(b, b' '..=b'~'));
        let message = "found something else, allowed: names in printable ASCII with commas between";
        if bad {
            Err(Remark::new(field, message))
        } else {
            Ok(Some(json!(text)))
        }
    };
    let headers = plain("allow_headers", &form.allow_headers)?;
    let told = [
        ("methods", plain("allow_methods", methods)?),
        // Without them the script tells those that the request asks for.
        ("headers", headers.filter(|names| names != "**")),
        (
            "expose",
            plain("expose_headers", expose)?.filter(|_| !expose.is_empty()),
        ),
        ("max_age", Some(json!(form.max_age.to_string()))),
        ("credentials", form.allow_credential.then(|| json!("true"))),
        ("vary", (form.allow_origins != "*").then_some(json!(true))),
    ];
    let told = told.into_iter();
    Ok(told
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect())
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

impl Cors {
    /// `page` and `timing`: whether the origin of the route's requests fits the pattern of each.
    fn enable(&self, route: &mut Route, page: bool, timing: bool) {
        let mut context = self.context.clone();
        context.insert("origins".to_owned(), self.origins.written(page));
        if let Some(origins) = &self.timing {
            context.insert("timing".to_owned(), origins.written(timing));
        }
        script::enable(route, FILTER, &context);
    }
}

/// Refuses metadata whose origins, by names that routes have in common, are none.
pub(super) fn check_metadata(fields: &BTreeMap<String, String>) -> Result<(), Remark> {
    let mut all = fields.iter();
    all.try_for_each(|(name, text)| origins_of(name, text).map(|_| ()))
}

fn origins_of(name: &str, text: &str) -> Result<Vec<String>, Remark> {
    let field = format!("allow_origins.{}", decode::shown(name));
    let others = "; for any origin write `allow_origins` of the plugin";
    origins::several(&field, text, others)
}

impl Plugin for Cors {
    fn asks_for_metadata(&self) -> bool {
        !self.named.is_empty()
    }

    fn with_metadata(&self, metadata: &Metadata) -> Option<Arc<dyn Plugin>> {
        let mut own = self.clone();
        for name in &self.named {
            // Checked as the metadata was read.
            let found = metadata.origins.get(name);
            let found = found.and_then(|text| origins_of(name, text).ok());
            own.origins.extend(found.into_iter().flatten());
        }
        Some(Arc::new(own))
    }

    /// A route for each pattern that an origin may fit, as there are no patterns in Lua.
    fn branch(&self, route: &Route, _: &[Arc<Cluster>]) -> Vec<Route> {
        let page = self.origins.pattern();
        let timing = self.timing.as_ref().and_then(Origins::pattern);
        let fits = |pattern| by_headers(route, [("origin", pattern)]);
        let both = page.zip(timing).map(|(page, timing)| {
            let both = by_headers(route, [("origin", page), ("origin", timing)]);
            (both, true, true)
        });
        let one = page.map(|page| (fits(page), true, false));
        let other = timing.map(|timing| (fits(timing), false, true));
        let parts = both.into_iter().chain(one).chain(other);
        let enabled = parts.map(|(mut part, page, timing)| {
            self.enable(&mut part, page, timing);
            part
        });
        enabled.collect()
    }

    fn runs(&self) -> Vec<&'static str> {
        vec![FILTER]
    }

    fn apply(&self, route: &mut Route, _: &[Arc<Cluster>]) {
        self.enable(route, false, false);
    }
}

#[cfg(test)]
mod tests;
