//! The plugins of a document, read: each by its own reader, with what every plugin may say beside.

use std::collections::BTreeSet;
use std::sync::Arc;

use envoy_types::pb::envoy::config::route::v3::Route;
use serde_json::{Map, Value};

use super::{Configured, Plugins};
use crate::cohort::Ability;
use crate::model::decode::{self, kind_of, quoted, shown};
use crate::model::key::Key;
use crate::model::problem::Remark;
use crate::plugin::all::{ALL, NOT_IN_ENVOY, OF_CONSUMERS, names, not_of_consumers};
use crate::plugin::contract::{Helper, Plugin, Reading};
use crate::plugin::meta::{META, Meta};
use crate::plugin::shared::condition::Condition;
use crate::plugin::shared::reply;

impl Plugins {
    /// Reads a document's `plugins`.
    pub(crate) fn read(
        key: &Key,
        plugins: Option<&Value>,
        warnings: &mut Vec<Remark>,
    ) -> Result<Self, Remark> {
        let fields = match plugins {
            None => return Ok(Self::default()),
            Some(Value::Object(fields)) => fields,
            Some(other) => {
                let message = format!("found {}, allowed: an object", kind_of(other));
                return Err(Remark::new("plugins", message));
            }
        };
        let mut configured = Vec::new();
        for (name, value) in fields {
            let place = format!("plugins.{}", shown(name));
            let Some(at) = ALL.iter().position(|entry| entry.name == name) else {
                return Err(unknown(name));
            };
            let mut reading = Reading {
                key,
                name: ALL[at].name,
                upstreams: 0,
                warnings: Vec::new(),
            };
            let read = read_one(at, value, &mut reading).map_err(|remark| remark.under(&place))?;
            let said = reading.warnings.into_iter();
            warnings.extend(said.map(|remark| remark.under(&place)));
            configured.push(read);
        }
        configured.sort_by_key(|configured| configured.at);
        Ok(Self {
            configured,
            ..Self::default()
        })
    }

    /// Reads those of a consumer or a group that are no credentials.
    pub(crate) fn of_consumer(
        key: &Key,
        plugins: Map<String, Value>,
        warnings: &mut Vec<Remark>,
    ) -> Result<Self, Remark> {
        let plugins = Self::read(key, Some(&Value::Object(plugins)), warnings)?;
        let name = |own: &Configured| ALL[own.at].name;
        let mut all = plugins.configured.iter();
        if let Some(other) = all.find(|own| !OF_CONSUMERS.contains(&name(own))) {
            let reason = not_of_consumers(name(other));
            let allowed = OF_CONSUMERS.join(", ");
            let message = format!("is not for a consumer or a group{reason}, allowed: {allowed}");
            return Err(Remark::new(other.place(), message));
        }
        let logs_in = |own: &&Configured| {
            let plugin = own.plugin.as_ref();
            plugin.is_some_and(|plugin| plugin.needs().contains(&Ability::Logins))
        };
        if let Some(login) = plugins.configured.iter().find(logs_in) {
            let message = "found where it is known who sends a request, allowed for a consumer or a group: true; people log in at \
                           routes";
            return Err(Remark::new(
                format!("{}.bearer_only", login.place()),
                message,
            ));
        }
        let counts = plugins.helped().find(|(one, _)| *one == Helper::Counts);
        if let Some((_, field)) = counts {
            let message = "counts in Redis, which this version does for routes only, allowed: `policy: local`";
            return Err(Remark::new(field, message));
        }
        Ok(plugins)
    }
}

fn unknown(name: &str) -> Remark {
    let reason = NOT_IN_ENVOY.iter().find(|(other, _)| *other == name);
    if let Some((_, reason)) = reason {
        return Remark::new(
            format!("plugins.{name}"),
            format!("is not served: {reason}"),
        );
    }
    let names: Vec<_> = names().collect();
    let message = format!(
        "this version does not have the plugin {}; it has {}",
        quoted(name),
        names.join(", ")
    );
    Remark::new("plugins", message)
}

fn read_one(at: usize, value: &Value, reading: &mut Reading) -> Result<Configured, Remark> {
    let Value::Object(fields) = value else {
        let message = format!("found {}, allowed: an object", kind_of(value));
        return Err(Remark::whole(message));
    };
    let mut own = fields.clone();
    let meta: Meta = match own.remove(META) {
        None => Meta::default(),
        Some(meta) => decode::read(&meta).map_err(|remark| remark.under(META))?,
    };
    meta.bounded()?;
    let plugin = (ALL[at].read)(&Value::Object(own), reading)?;
    let mut warnings = Vec::new();
    let told = said_by(&meta, plugin.as_ref(), &mut warnings);
    let (condition, error) = told.map_err(|remark| remark.under(META))?;
    let said = warnings.into_iter().map(|remark| remark.under(META));
    reading.warnings.extend(said);
    Ok(Configured {
        at,
        of_rule: false,
        late: false,
        plugin: Some(plugin).filter(|_| !meta.disable),
        condition: Arc::new(condition),
        error: error.map(Arc::from),
        bytes: value.to_string().len(),
        clusters: Arc::default(),
    })
}

/// Which requests a plugin is for, and what it tells those whom it turns away, where it can be told so.
fn said_by(
    meta: &Meta,
    plugin: &dyn Plugin,
    warnings: &mut Vec<Remark>,
) -> Result<(Condition, Option<String>), Remark> {
    let condition = meta.condition(warnings)?;
    let of_route = plugin.breaker().is_some() || plugin.counted_by().is_some();
    if plugin.client().is_some() && !condition.is_always() {
        let message =
            "is not served for this plugin: what it does is for all requests of a gateway";
        return Err(Remark::new("filter", message));
    }
    if of_route && !condition.is_always() {
        let message = "is not served for this plugin: what it does is for all requests of a route";
        return Err(Remark::new("filter", message));
    }
    let error = meta.error()?;
    let mut route = Route::default();
    let mut made = plugin.branch(&route, &[]);
    plugin.apply(&mut route, &[]);
    made.push(route);
    let mut replaced = made.iter_mut();
    let none = BTreeSet::new();
    if error.is_some() && !replaced.any(|route| reply::replace_bodies(route, &none, "")) {
        let message = "is not served for this plugin: Envoy answers in words of its own";
        return Err(Remark::new("error_response", message));
    }
    Ok((condition, error))
}
