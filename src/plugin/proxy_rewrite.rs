//! `proxy-rewrite`: another path, host or other headers on the way to the upstream.

use std::sync::Arc;

use envoy_types::pb::envoy::config::core::v3::HeaderValueOption;
use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::config::route::v3::route::Action;
use envoy_types::pb::envoy::config::route::v3::route_action::HostRewriteSpecifier;
use envoy_types::pb::envoy::extensions::filters::http::header_mutation::v3::{
    HeaderMutation, HeaderMutationPerRoute, Mutations,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::contract::{Definition, Plugin, Reading, refused, schema};
use super::shared::header::{self, Checked, Headers};
use super::shared::pattern::{Among, Rewrite};
use super::shared::variable;
use super::shared::{script, uri};
use crate::cohort::Ability;
use crate::envoy::filter;
use crate::model::Path;
use crate::model::decode::{self, kind_of, quoted};
use crate::model::key::Kind;
use crate::model::problem::Remark;
use crate::model::upstream::{Cluster, HostName};

/// Gives requests other headers where the router is too late for it: there the path may be another already.
const HEADERS: &str = "chancery.proxy-rewrite.headers";
/// Gives requests another method, or a path with a query of its own, which the filter before says.
const LINE: &str = "chancery.proxy-rewrite.line";
const PATH_HEADER: &str = "x-chancery-path";

pub(super) const ENTRY: Definition = Definition {
    name: "proxy-rewrite",
    read,
    schema: schema::<Form>,
    refused: refused::<Form>,
    differs: &[
        (
            "uri",
            "variables as the client wrote them; no query of its own in a global rule",
        ),
        ("regex_uri", "patterns that PCRE and RE2 mean alike"),
        (
            "headers",
            "one that is set to a variable that is not there is empty, where APISIX sends none",
        ),
    ],
    http_filters: || {
        vec![
            filter::disabled(HEADERS, &HeaderMutation::default()),
            script::discovered(LINE),
        ]
    },
};

/// Gives requests another path, host or other headers on the way to the upstream.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// The path that the upstream sees, with variables as the client wrote them; the query stays, behind one that stands here.
    uri: Option<String>,
    /// Pairs of a pattern of paths and what to put in place of what it matches, `$1` for its groups, which headers may have
    /// too; the first pattern that matches is meant.
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
    const NOT_IN_ENVOY: &'static [(&'static str, &'static str)] =
        &[("scheme", "write `scheme` of the upstream, as for APISIX 3")];
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
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
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
    /// The same with a query of its own.
    with_query: Option<String>,
    host: Option<Arc<str>>,
    /// What the script goes by that writes the method.
    method: Option<Map<String, Value>>,
    /// One for each of the paths where they have groups of these, else one for all.
    headers: Vec<Changed>,
    remove: Vec<String>,
    /// Whether a filter changes headers, and not the router.
    by_filter: bool,
}

/// Headers that are added and set.
#[derive(Debug)]
struct Changed {
    add: Checked,
    set: Checked,
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
    let written = paths(form.uri.as_deref(), form.regex_uri.as_deref(), warnings)?;
    if written.have_query() && reading.key.kind == Kind::GlobalRule {
        let message = "found `?`, allowed: a path without a query in global rules, as routes may write paths too";
        return Err(Remark::new(written.field, message));
    }
    let (form_of_headers, set_in) = headers(form.headers.as_ref())?;
    let has_groups = {
        let HeadersForm { add, set, .. } = &form_of_headers;
        add.values()
            .chain(set.values())
            .any(header::Text::has_groups)
    };
    let mut remove = removed(&form_of_headers.remove)?;
    let mut changed = Vec::new();
    let of_each = written.rewrites.iter().map(Some).filter(|_| has_groups);
    let of_all = Some(None).filter(|_| !has_groups || written.rewrites.is_empty());
    for rewrite in of_each.chain(of_all) {
        let mut said = Vec::new();
        let headers = form_of_headers.clone();
        let (one, emptied) = change(headers, set_in, rewrite, &mut said)?;
        if changed.is_empty() {
            warnings.append(&mut said);
            remove.extend(emptied);
        }
        changed.push(one);
    }
    for one in &mut changed {
        one.check(&remove)?;
    }
    Ok(Arc::new(ProxyRewrite {
        by_filter: has_groups || written.have_query(),
        paths: written.rewrites,
        format: written.format,
        with_query: written.with_query,
        host: form.host.map(|host| host.0),
        method: form
            .method
            .map(|method| Map::from_iter([("method".to_owned(), json!(method))])),
        headers: changed,
        remove,
    }))
}

/// Headers to add and set, with groups of this pattern, and those to take away as they are set to nothing.
fn change(
    headers: HeadersForm,
    set_in: &str,
    rewrite: Option<&Rewrite>,
    warnings: &mut Vec<Remark>,
) -> Result<(Changed, Vec<String>), Remark> {
    let operator = |name: &str| match (rewrite, name.parse::<u32>()) {
        (Some(rewrite), Ok(group)) => rewrite.group(group),
        _ => variable::operator_of_request(name),
    };
    let add = header::checked_by("headers.add", &headers.add, &operator, warnings)?;
    let (set, emptied) = header::set_or_removed(set_in, headers.set, &operator, warnings)?;
    Ok((Changed { add, set }, emptied))
}

impl Changed {
    /// APISIX adds, then removes, then sets; Envoy removes, then adds. Without what the later steps undo, both are one.
    fn check(&mut self, remove: &[String]) -> Result<(), Remark> {
        let names = self.add.keys().chain(self.set.keys()).chain(remove);
        if let Some(host) = names.into_iter().find(|name| *name == "host") {
            let message = format!("found the name \"{host}\", which the field `host` is for");
            return Err(Remark::new("headers", message));
        }
        let values = self.add.values().chain(self.set.values());
        if values.into_iter().any(|value| value.len() > LONGEST) {
            let message =
                "found a pattern with groups that is too long for headers, allowed: a shorter one";
            return Err(Remark::new("regex_uri", message));
        }
        let Self { add, set } = self;
        add.retain(|name, _| !remove.contains(name) && !set.contains_key(name));
        Ok(())
    }

    fn added(&self) -> impl Iterator<Item = HeaderValueOption> {
        let added = self
            .add
            .iter()
            .map(|(name, value)| header::add(name, value));
        let set = self
            .set
            .iter()
            .map(|(name, value)| match is_of_groups(value) {
                // Taken away before, as is that of a group that is not there.
                true => header::set(name, value),
                false => header::set_in_any_case(name, value),
            });
        added.chain(set)
    }
}

/// Whether a header's value has groups of a pattern.
fn is_of_groups(value: &str) -> bool {
    value.contains("re.extract(request.url_path")
}

/// Bytes of a header's value that Envoy takes.
const LONGEST: usize = 16 * 1024;

/// What `uri` and `regex_uri` say, of which `uri` wins.
#[derive(Default)]
struct Written {
    rewrites: Vec<Rewrite>,
    /// A format string, where `uri` has variables.
    format: Option<String>,
    /// The same, where it has a query.
    with_query: Option<String>,
    field: &'static str,
}

impl Written {
    fn have_query(&self) -> bool {
        let mut rewrites = self.rewrites.iter();
        self.with_query.is_some() || rewrites.any(|one| one.with_query().is_some())
    }
}

fn paths(
    uri: Option<&str>,
    regex_uri: Option<&[String]>,
    warnings: &mut Vec<Remark>,
) -> Result<Written, Remark> {
    let rewrites = regex_uri.map(Rewrite::read_several).transpose()?;
    let Some(uri) = uri else {
        return Ok(Written {
            rewrites: rewrites.unwrap_or_default(),
            field: "regex_uri",
            ..Written::default()
        });
    };
    if rewrites.is_some() {
        warnings.push(Remark::new("regex_uri", "has no effect beside `uri`"));
    }
    let wrong = |said: String| Remark::new("uri", said);
    let (path, query) = uri.split_at(uri.find('?').unwrap_or(uri.len()));
    if !path.starts_with('/') || !query.bytes().all(|b| b.is_ascii_graphic()) {
        let message = format!(
            "found {}, allowed: a path that starts with `/`, and perhaps a query in ASCII without spaces; the client's query is kept",
            quoted(uri)
        );
        return Err(wrong(message));
    }
    let pieces = variable::pieces(path).map_err(wrong)?;
    let in_query = variable::pieces(query).map_err(wrong)?;
    let of_path = || variable::format(&pieces, uri::escape).map_err(wrong);
    let mut written = Written {
        field: "uri",
        ..Written::default()
    };
    if !query.is_empty() {
        let query = variable::format(&in_query, str::to_owned).map_err(wrong)?;
        written.with_query = Some(of_path()? + &query);
    } else if variable::is_among(&pieces) {
        written.format = Some(of_path()?);
    } else {
        written.rewrites = vec![Rewrite::everything(uri)];
    }
    Ok(written)
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
        for (at, rewrite) in self.asked().enumerate() {
            let (mut branch, all) = match rewrite.among(route) {
                Among::None => continue,
                Among::Some(branch) => (*branch, false),
                Among::All => (route.clone(), true),
            };
            self.rewrite(&mut branch, at);
            branches.push(branch);
            if all {
                break;
            }
        }
        branches
    }

    fn runs(&self) -> Vec<&'static str> {
        let mut paths = self.paths.iter();
        let writes = self.method.is_some()
            || self.with_query.is_some()
            || paths.any(|path| path.with_query().is_some());
        writes.then_some(LINE).into_iter().collect()
    }

    fn apply(&self, route: &mut Route, _: &[Arc<Cluster>]) {
        self.rewrite(route, self.paths.len().saturating_sub(1));
    }
}

impl ProxyRewrite {
    /// The patterns that a request has to be asked about.
    fn asked(&self) -> impl Iterator<Item = &Rewrite> {
        let last = self.paths.len().saturating_sub(1);
        self.paths.iter().take(last)
    }

    /// Does it for the requests of the path at that place.
    fn rewrite(&self, route: &mut Route, at: usize) {
        let path = self.paths.get(at);
        let with_query = self.with_query.clone();
        let with_query = with_query.or_else(|| path.and_then(Rewrite::with_query));
        if let Some(changed) = self.headers.get(at).or(self.headers.first()) {
            self.change(route, changed, with_query.as_deref());
        }
        if with_query.is_some() || self.method.is_some() {
            script::enable(route, LINE, &self.method.clone().unwrap_or_default());
        }
        let Some(Action::Route(action)) = &mut route.action else {
            return;
        };
        if let Some(host) = &self.host {
            action.host_rewrite_specifier =
                Some(HostRewriteSpecifier::HostRewriteLiteral(host.to_string()));
        }
        if with_query.is_some() {
            // What a global rule does to paths, this one does instead.
            action.regex_rewrite = None;
            action.path_rewrite.clear();
            return;
        }
        if let Some(format) = &self.format {
            action.path_rewrite = format.clone();
        }
        if let Some(path) = path {
            action.regex_rewrite = Some(path.to_envoy());
        }
    }

    /// Changes headers; the path that the script writes comes as one.
    fn change(&self, route: &mut Route, changed: &Changed, path: Option<&str>) {
        // Envoy removes first, so what a global rule added would stay.
        let gone = |name: &String| {
            self.remove.contains(name) || self.by_filter && changed.set.contains_key(name)
        };
        let added = &mut route.request_headers_to_add;
        added.retain(|option| {
            let name = option.header.as_ref().map(|header| &header.key);
            !name.is_some_and(gone)
        });
        if !self.by_filter {
            let remove = self.remove.iter().cloned();
            route.request_headers_to_remove.extend(remove);
            return route.request_headers_to_add.extend(changed.added());
        }
        // A group that is not there leaves a header without a value, and not the client's.
        let varying = changed.set.iter().filter(|(_, value)| is_of_groups(value));
        let removed = self.remove.iter().chain(varying.map(|(name, _)| name));
        let path = path.map(|path| header::set(PATH_HEADER, path));
        let mutations = removed
            .map(|name| header::removal(name))
            .chain(changed.added().chain(path).map(header::mutation));
        let config = HeaderMutationPerRoute {
            mutations: Some(Mutations {
                request_mutations: mutations.collect(),
                ..Mutations::default()
            }),
        };
        filter::enable(route, HEADERS, &config);
    }
}

#[cfg(test)]
mod tests;
