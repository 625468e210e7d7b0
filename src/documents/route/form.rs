//! A route as it is written.

use std::collections::BTreeSet;
use std::sync::Arc;

use ipnet::IpNet;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::Value;

use super::size;
use crate::model::bounds::{GATEWAYS, List, RANGES};
use crate::model::decode::{self, quoted};
use crate::model::key::{Id, Key};
use crate::model::problem::Remark;
use crate::model::scalar::{Net, Priority, Status, each_once};
use crate::model::timeout::TimeoutForm;
use crate::model::upstream::{self, Target};
use crate::model::vars::Vars;
use crate::model::{Host, Path, Timeout, bookkeeping};
use crate::plugin::{Plugins, plugins_schema};

/// Which requests are meant, and where they go.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// The path of the requests that are meant: exact (`/a`), a prefix (`/a/*`), or with parameters (`/user/:id`).
    uri: Option<Path>,
    /// Several paths, in place of `uri`. Paths × hosts × what `vars` and plugins make of each are 4096 routes of Envoy's at most.
    uris: Option<Vec<Path>>,
    /// The host that is meant, or with `*.` before it all below it; any if not written.
    host: Option<Host>,
    /// Several hosts, in place of `host`.
    hosts: Option<Vec<Host>>,
    /// The methods of the requests that are meant; any if not written.
    #[serde(default)]
    methods: Vec<Method>,
    /// The addresses of the clients that are meant; any if not written.
    remote_addr: Option<Net>,
    /// Several ranges, in place of `remote_addr`.
    remote_addrs: Option<List<Net, RANGES>>,
    /// Conditions such as `["arg_a", "==", "1"]`, all of which must hold.
    #[schemars(with = "Option<Vec<Value>>")]
    vars: Option<Value>,
    /// Which route goes first for the same host and path: the higher number; 0 if not written.
    priority: Option<Priority>,
    /// 0 is as if the route were deleted; 1 if not written.
    status: Option<Status>,
    /// How long Envoy waits; the upstream's if not written.
    timeout: Option<TimeoutForm>,
    /// Whether connections may become WebSockets; the service's if not written, and false without it.
    enable_websocket: Option<bool>,
    /// What is done to requests and answers beside passing them on, by the name of the plugin.
    #[serde(default)]
    #[schemars(schema_with = "plugins_schema")]
    plugins: Option<Value>,
    /// The plugin config whose plugins the route has too; its own win.
    plugin_config_id: Option<Id>,
    /// Where requests go; in place of `upstream_id`.
    #[serde(default)]
    #[schemars(schema_with = "upstream::form::schema")]
    upstream: Option<Value>,
    /// The upstream document that says where requests go.
    upstream_id: Option<Id>,
    /// The service that says what the route does not.
    service_id: Option<Id>,
    /// The gateways that have the route; `default` if not written.
    #[serde(default)]
    gateways: List<Id, GATEWAYS>,
}

const LUA: &str = "Envoy does not run the Lua of a document";

impl decode::Form for Form {
    const NOT_SERVED: &'static [&'static str] = &["service_protocol"];
    const NOT_IN_ENVOY: &'static [(&'static str, &'static str)] =
        &[("filter_func", LUA), ("script", LUA), ("script_id", LUA)];
}

impl bookkeeping::Kept for Form {}

/// A route, checked for itself; what it refers to is looked up when it is resolved.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    /// What a person calls it.
    pub name: Option<Arc<str>>,
    /// False is as if deleted.
    pub enabled: bool,
    pub gateways: Vec<Id>,
    pub hosts: Vec<Host>,
    pub paths: Vec<Path>,
    pub methods: BTreeSet<String>,
    pub addresses: Vec<IpNet>,
    pub vars: Option<Arc<Vars>>,
    pub priority: i32,
    pub websocket: Option<bool>,
    pub timeout: Option<Timeout>,
    pub plugins: Plugins,
    pub plugin_config: Option<Id>,
    pub target: Option<Target>,
    pub service: Option<Id>,
}

pub(crate) fn schema(generator: &mut SchemaGenerator) -> Schema {
    bookkeeping::schema::<Form>(generator)
}

pub(crate) fn read(key: &Key, value: &Value, warnings: &mut Vec<Remark>) -> Result<Draft, Remark> {
    let (form, written) = bookkeeping::read::<Form>(key, value)?;
    let paths = one_or_many("uri", form.uri, "uris", form.uris)?;
    if paths.is_empty() {
        return Err(Remark::new("uri", "is missing, and `uris` is as well"));
    }
    each_once("methods", &form.methods)?;
    each_once("gateways", &form.gateways.0)?;
    let addresses = one_or_many(
        "remote_addr",
        form.remote_addr,
        "remote_addrs",
        form.remote_addrs.map(|list| list.0),
    )?;
    let vars = vars(form.vars.as_ref(), warnings)?;
    let plugins = Plugins::read(key, form.plugins.as_ref(), warnings)?;
    plugins.check(&paths)?;
    let hosts = one_or_many("host", form.host, "hosts", form.hosts)?;
    let ranges: Vec<IpNet> = addresses.into_iter().map(|range| range.0).collect();
    size::check(&paths, &hosts, &ranges, vars.as_ref(), &plugins)?;
    let target = target(key, form.upstream.as_ref(), form.upstream_id, warnings)?;
    let elsewhere = form.service_id.is_some() || form.plugin_config_id.is_some();
    let served = plugins.are_enough(&paths) || plugins.sends_all();
    if target.is_none() && !elsewhere && !served {
        let message =
            "has nowhere to send requests: `upstream`, `upstream_id` or `service_id` is missing";
        return Err(Remark::whole(message));
    }
    Ok(Draft {
        name: written.name.map(Arc::from),
        enabled: form.status != Some(Status(0)),
        gateways: match form.gateways.0 {
            none if none.is_empty() => vec![Id::default_gateway()],
            some => some,
        },
        hosts,
        paths,
        methods: form.methods.into_iter().map(|method| method.0).collect(),
        addresses: ranges,
        vars: vars.map(Arc::new),
        priority: form.priority.map_or(0, |priority| priority.0),
        websocket: form.enable_websocket,
        timeout: form.timeout.map(TimeoutForm::checked),
        plugins,
        plugin_config: form.plugin_config_id,
        target,
        service: form.service_id,
    })
}

/// Reads `upstream` and `upstream_id`, of which a document has one at most.
pub(crate) fn target(
    key: &Key,
    inline: Option<&Value>,
    reference: Option<Id>,
    warnings: &mut Vec<Remark>,
) -> Result<Option<Target>, Remark> {
    match (inline, reference) {
        (None, None) => Ok(None),
        (None, Some(id)) => Ok(Some(Target::Reference(id))),
        (Some(_), Some(_)) => Err(Remark::new(
            "upstream_id",
            "found beside `upstream`, allowed: one of the two",
        )),
        (Some(value), None) => {
            let mut own = Vec::new();
            let cluster = upstream::form::read_inline(key, value, &mut own)
                .map_err(|remark| remark.under("upstream"))?;
            warnings.extend(own.into_iter().map(|remark| remark.under("upstream")));
            Ok(Some(Target::Inline(Arc::new(cluster))))
        }
    }
}

fn vars(value: Option<&Value>, warnings: &mut Vec<Remark>) -> Result<Option<Vars>, Remark> {
    let Some(value) = value else { return Ok(None) };
    let mut own = Vec::new();
    let vars = Vars::read(value, &mut own).map_err(|remark| remark.under("vars"))?;
    warnings.extend(own.into_iter().map(|remark| remark.under("vars")));
    Ok(vars)
}

fn one_or_many<T: Ord>(
    single: &str,
    one: Option<T>,
    plural: &str,
    many: Option<Vec<T>>,
) -> Result<Vec<T>, Remark> {
    match (one, many) {
        (Some(_), Some(_)) => Err(Remark::new(
            plural,
            format!("found beside `{single}`, allowed: one of the two"),
        )),
        (Some(one), None) => Ok(vec![one]),
        (None, Some(many)) if many.is_empty() => Err(Remark::new(
            plural,
            "found an empty list, allowed: at least one",
        )),
        (None, Some(many)) => each_once(plural, &many).map(|()| many),
        (None, None) => Ok(Vec::new()),
    }
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
struct Method(String);

impl TryFrom<String> for Method {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        const ALLOWED: &[&str] = &[
            "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "CONNECT", "TRACE", "PURGE",
        ];
        if ALLOWED.contains(&text.as_str()) {
            Ok(Self(text))
        } else {
            Err(format!(
                "found {}, allowed: {}",
                quoted(&text),
                ALLOWED.join(", ")
            ))
        }
    }
}
