//! Requests that `chancery logs` is told of. The filter stands before all others, so that it meets each request as it came, also
//! one that another filter answers, and each answer as it goes.

use std::collections::BTreeSet;

use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::extensions::filters::http::lua::v3::LuaPerRoute;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;
use envoy_types::pb::google::protobuf::value::Kind;
use envoy_types::pb::google::protobuf::{Any, Value};
use prost::{Message, Name};
use serde_json::{Map, json};

use super::script;
use crate::envoy::canonical;
use crate::envoy::filter::Whose;
use crate::model::log_target::{LogTarget, TO};

pub const FILTER: &str = "chancery.logs";

/// That the filter is told all targets, in the place of those of filters before it.
const WHOLE: &str = "whole";

pub fn filter() -> HttpFilter {
    script::disabled(FILTER, include_str!("logged.lua"))
}

/// Whether it is this one, whosever.
pub fn is_one(filter: &HttpFilter) -> bool {
    let mut all = [Whose::Routes, Whose::Rules, Whose::Consumers].into_iter();
    all.any(|whose| filter.name == whose.name(FILTER))
}

/// Has a route's requests be told of, for this target as well.
pub fn log(route: &mut Route, target: &LogTarget) {
    let before = route.typed_per_filter_config.remove(FILTER);
    let told = Map::from_iter([(TO.to_owned(), json!(target.line()))]);
    script::enable(route, FILTER, &told);
    join(route, FILTER, before.as_ref());
}

/// Has one of these filters go by what it was told before as well.
pub fn join(route: &mut Route, filter: &str, before: Option<&Any>) {
    let configs = &mut route.typed_per_filter_config;
    if let Some(now) = configs.get_mut(filter)
        && let Some(both) = before.and_then(|before| together(before, now))
    {
        *now = both;
    }
}

/// Says of consumers' requests once more where they are told, where that is not the same for all: the route that was chosen first may
/// have said otherwise.
pub fn settle(of_consumers: &mut [Route], of_others: &[Route]) {
    let usual: BTreeSet<String> = of_others.iter().map(everywhere).collect();
    let is_usual = |route: &Route| usual.contains(&everywhere(route));
    if usual.len() <= 1 && of_consumers.iter().all(is_usual) {
        return;
    }
    for route in of_consumers {
        let whole = [(TO, json!(everywhere(route))), (WHOLE, json!(true))];
        let told = whole.into_iter();
        let told = told.map(|(name, value)| (name.to_owned(), value));
        script::enable(route, &Whose::Consumers.name(FILTER), &told.collect());
    }
}

/// The targets of a route's requests, of all three filters.
fn everywhere(route: &Route) -> String {
    let all = [Whose::Rules, Whose::Routes, Whose::Consumers].into_iter();
    let all = all.filter_map(|whose| {
        let config = route.typed_per_filter_config.get(&whose.name(FILTER))?;
        Some(targets(&told(config)?)?.to_owned())
    });
    all.collect::<Vec<_>>().join("\n")
}

/// What the filter is told by two plugins, or by two global rules: the targets of both.
pub fn together(earlier: &Any, later: &Any) -> Option<Any> {
    let (mut both, other) = (told(earlier)?, told(later)?);
    let (before, more) = (targets(&both)?.to_owned(), targets(&other)?);
    let text = Value {
        kind: Some(Kind::StringValue(format!("{before}\n{more}"))),
    };
    let context = both.filter_context.as_mut()?;
    context.fields.insert(TO.to_owned(), text);
    Some(Any {
        type_url: LuaPerRoute::type_url(),
        value: canonical(&both).to_vec(),
    })
}

fn told(config: &Any) -> Option<LuaPerRoute> {
    let is_script = config.type_url == LuaPerRoute::type_url();
    is_script.then(|| LuaPerRoute::decode(config.value.as_slice()).ok())?
}

/// Nothing where it is another script that was told something.
fn targets(told: &LuaPerRoute) -> Option<&str> {
    let fields = &told.filter_context.as_ref()?.fields;
    match fields.get(TO)?.kind.as_ref()? {
        Kind::StringValue(text) if fields.len() == 1 => Some(text),
        _ => None,
    }
}
