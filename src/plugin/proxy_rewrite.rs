//! `proxy-rewrite`: another path, host or other headers on the way to the upstream.

use std::sync::Arc;

use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::config::route::v3::route::Action;
use envoy_types::pb::envoy::config::route::v3::route_action::HostRewriteSpecifier;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::contract::{Definition, Plugin, Reading, schema};
use super::shared::header::{self, Checked, Headers};
use super::shared::pattern::{Among, Rewrite};
use super::shared::variable;
use super::shared::{script, uri};
use crate::cohort::Ability;
use crate::model::Path;
use crate::model::decode::{self, kind_of, quoted};
use crate::model::problem::Remark;
use crate::model::upstream::{Cluster, HostName};

/// Gives requests another method.
const METHOD: &str = "chancery.proxy-rewrite.method";

pub(super) const ENTRY: Definition = Definition {
    name: "proxy-rewrite",
    read,
    schema: schema::<Form>,
    http_filters: || {
        vec![script::disabled(
            METHOD,
            include_str!("proxy_rewrite/method.lua"),
        )]
    },
};

/// Gives requests another path, host or other headers on the way to the upstream.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// The path that the upstream sees, with variables as the client wrote them; the query stays.
    uri: Option<String>,
    /// Pairs of a pattern of paths and what to put in place of what it matches, `$1` for its groups; the first pattern that
    /// matches is meant.
    regex_uri: Option<Vec<String>>,
    host: Option<HostName>,
    /// The method that the upstream sees.
    method: Option<Method>,
    /// Headers of the request to add, set and remove, or just to set.
    #[serde(default)]
    #[schemars(schema_with = "header::changes::<HeadersForm>")]
    headers: Option<Value>,
    /// Concerns nginx alone: false.
    #[serde(default)]
    set_ngx_uri: bool,
    /// Whether the path goes on as the client wrote it: false, as the listener normalises it.
    #[serde(default)]
    use_real_request_uri_unsafe: bool,
}

impl decode::Form for Form {
    const NOT_SERVED: &'static [&'static str] = &["scheme"];
}

#[derive(Debug, Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
enum Method {
    Get,
    Post,
    Put,
    Head,
    Delete,
    Options,
    Mkcol,
    Copy,
    Move,
    Propfind,
    Lock,
    Unlock,
    Patch,
    Trace,
}

/// `headers` as it is written today.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct HeadersForm {
    /// Headers to add to those of the same name.
    #[serde(default)]
    add: Headers,
    /// Headers to set in the place of those of the same name.
    #[serde(default)]
    set: Headers,
    /// Names of headers to remove.
    #[serde(default)]
    remove: Vec<String>,
}

impl decode::Form for HeadersForm {}

/// `headers` as it was written once: headers to set.
#[derive(Debug, Deserialize)]
struct OlderHeaders(Headers);

impl decode::Form for OlderHeaders {}

#[derive(Debug)]
struct ProxyRewrite {
    /// The first that matches is meant; none leaves the path as it is.
    paths: Vec<Rewrite>,
    /// Every path becomes this, one of Envoy's format strings.
    format: Option<String>,
    host: Option<Arc<str>>,
    /// What the script goes by that writes the method.
    method: Option<Map<String, Value>>,
    add: Checked,
    set: Checked,
    remove: Vec<String>,
}

fn read(value: &Value, reading: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let warnings = &mut reading.warnings;
    let form: Form = decode::read(value)?;
    let switches = [
        ("set_ngx_uri", form.set_ngx_uri),
        (
            "use_real_request_uri_unsafe",
            form.use_real_request_uri_unsafe,
        ),
    ];
    if let Some((name, _)) = switches.into_iter().find(|(_, on)| *on) {
        return Err(Remark::new(name, "found true, allowed: false"));
    }
    let (headers, set_in) = headers(form.headers.as_ref())?;
    let add = header::checked("headers.add", &headers.add, warnings)?;
    let (set, emptied) = header::set_or_removed(set_in, headers.set, warnings)?;
    let mut remove = removed(&headers.remove)?;
    remove.extend(emptied);
    if let Some(host) = add
        .keys()
        .chain(set.keys())
        .chain(&remove)
        .find(|name| *name == "host")
    {
        let message = format!("found the name \"{host}\", which the field `host` is for");
        return Err(Remark::new("headers", message));
    }
    let (paths, format) = paths(form.uri.as_deref(), form.regex_uri.as_deref(), warnings)?;
    Ok(Arc::new(ProxyRewrite {
        paths,
        format,
        host: form.host.map(|host| host.0),
        method: form
            .method
            .map(|method| Map::from_iter([("method".to_owned(), json!(method))])),
        // APISIX adds, then removes, then sets; Envoy removes, then adds. Without what the later steps undo, both are one.
        add: add
            .into_iter()
            .filter(|(name, _)| !remove.contains(name) && !set.contains_key(name))
            .collect(),
        set,
        remove,
    }))
}

/// `uri` and `regex_uri`, of which `uri` wins: rewrites, or a format string where `uri` has variables.
fn paths(
    uri: Option<&str>,
    regex_uri: Option<&[String]>,
    warnings: &mut Vec<Remark>,
) -> Result<(Vec<Rewrite>, Option<String>), Remark> {
    let rewrites = regex_uri.map(Rewrite::read_several).transpose()?;
    let Some(uri) = uri else {
        return Ok((rewrites.unwrap_or_default(), None));
    };
    if rewrites.is_some() {
        warnings.push(Remark::new("regex_uri", "has no effect beside `uri`"));
    }
    if !uri.starts_with('/') || uri.contains('?') {
        let message = format!(
            "found {}, allowed: a path that starts with `/`, without a query; the client's query is kept",
            quoted(uri)
        );
        return Err(Remark::new("uri", message));
    }
    let pieces = variable::pieces(uri).map_err(|said| Remark::new("uri", said))?;
    if !variable::is_among(&pieces) {
        return Ok((vec![Rewrite::everything(uri)], None));
    }
    variable::format(&pieces, uri::escape)
        .map(|format| (Vec::new(), Some(format)))
        .map_err(|said| Remark::new("uri", said))
}

/// The headers, and where those to set are written.
fn headers(value: Option<&Value>) -> Result<(HeadersForm, &'static str), Remark> {
    let fields = match value {
        None => return Ok((HeadersForm::default(), "headers.set")),
        Some(Value::Object(fields)) => fields,
        Some(other) => {
            let message = format!("found {}, allowed: an object", kind_of(other));
            return Err(Remark::new("headers", message));
        }
    };
    let is = |name: &str, kind: fn(&Value) -> bool| fields.get(name).is_some_and(kind);
    let today = is("add", Value::is_object) || is("set", Value::is_object);
    let written = Value::Object(fields.clone());
    if today || is("remove", Value::is_array) {
        let form = decode::read(&written).map_err(|remark| remark.under("headers"))?;
        return Ok((form, "headers.set"));
    }
    let OlderHeaders(set) = decode::read(&written).map_err(|remark| remark.under("headers"))?;
    let form = HeadersForm {
        set,
        ..HeadersForm::default()
    };
    Ok((form, "headers"))
}

fn removed(names: &[String]) -> Result<Vec<String>, Remark> {
    names
        .iter()
        .enumerate()
        .map(|(at, name)| {
            header::changeable(name)
                .map_err(|said| Remark::new(format!("headers.remove[{at}]"), said))
        })
        .collect()
}

impl Plugin for ProxyRewrite {
    fn needs(&self) -> Vec<Ability> {
        let format = self.format.iter().map(|_| Ability::PathFormat);
        format.collect()
    }

    fn check(&self, paths: &[Path]) -> Result<(), Remark> {
        let asked = self
            .asked()
            .flat_map(|rewrite| paths.iter().map(move |path| (rewrite, path)));
        asked
            .into_iter()
            .try_for_each(|(rewrite, path)| rewrite.check(path))
    }

    fn asks_for_paths(&self, paths: &[Path]) -> bool {
        self.asked().any(|rewrite| rewrite.asks_for(paths))
    }

    /// A route for each pattern but the last: Envoy leaves a path as it is that does not match.
    fn branch(&self, route: &Route, _: &[Arc<Cluster>]) -> Vec<Route> {
        let mut branches = Vec::new();
        for rewrite in self.asked() {
            let (mut branch, all) = match rewrite.among(route) {
                Among::None => continue,
                Among::Some(branch) => (*branch, false),
                Among::All => (route.clone(), true),
            };
            self.rewrite(&mut branch, Some(rewrite));
            branches.push(branch);
            if all {
                break;
            }
        }
        branches
    }

    fn apply(&self, route: &mut Route, _: &[Arc<Cluster>]) {
        self.rewrite(route, self.paths.last());
    }
}

impl ProxyRewrite {
    /// The patterns that a request has to be asked about.
    fn asked(&self) -> impl Iterator<Item = &Rewrite> {
        let last = self.paths.len().saturating_sub(1);
        self.paths.iter().take(last)
    }

    fn rewrite(&self, route: &mut Route, path: Option<&Rewrite>) {
        // Envoy removes first, so what a global rule added would stay.
        let added = &mut route.request_headers_to_add;
        added.retain(|option| {
            let name = option.header.as_ref().map(|header| &header.key);
            name.is_none_or(|name| !self.remove.contains(name))
        });
        route
            .request_headers_to_remove
            .extend(self.remove.iter().cloned());
        let added = self
            .add
            .iter()
            .map(|(name, value)| header::add(name, value));
        let set = self
            .set
            .iter()
            .map(|(name, value)| header::set(name, value));
        route.request_headers_to_add.extend(added.chain(set));
        if let Some(method) = &self.method {
            script::enable(route, METHOD, method);
        }
        let Some(Action::Route(action)) = &mut route.action else {
            return;
        };
        if let Some(format) = &self.format {
            action.path_rewrite = format.clone();
        }
        if let Some(path) = path {
            action.regex_rewrite = Some(path.to_envoy());
        }
        if let Some(host) = &self.host {
            action.host_rewrite_specifier =
                Some(HostRewriteSpecifier::HostRewriteLiteral(host.to_string()));
        }
    }
}

#[cfg(test)]
mod tests;
