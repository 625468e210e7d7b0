//! Requests that `chancery logs` is told of. The filter stands before all others, so that it meets each request as it came, also
//! one that another filter answers, and each answer as it goes.

use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::extensions::filters::http::lua::v3::LuaPerRoute;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;
use envoy_types::pb::google::protobuf::value::Kind;
use envoy_types::pb::google::protobuf::{Any, Value};
use prost::{Message, Name};
use serde_json::{Map, json};

use super::script;
use crate::envoy::canonical;
use crate::envoy::filter::of_rules;
use crate::model::log_target::{LogTarget, TO};

const FILTER: &str = "chancery.logs";

pub fn filter() -> HttpFilter {
    script::disabled(FILTER, include_str!("logged.lua"))
}

/// Whether it is this one, of routes or of global rules.
pub fn is_one(filter: &HttpFilter) -> bool {
    filter.name == FILTER || filter.name == of_rules(FILTER)
}

/// Has a route's requests be told of, for this target as well.
pub fn log(route: &mut Route, target: &LogTarget) {
    let before = route.typed_per_filter_config.remove(FILTER);
    let told = Map::from_iter([(TO.to_owned(), json!(target.line()))]);
    script::enable(route, FILTER, &told);
    let configs = &mut route.typed_per_filter_config;
    let now = configs.get(FILTER);
    let both = before
        .zip(now)
        .and_then(|(before, now)| together(&before, now));
    configs.extend(both.map(|both| (FILTER.to_owned(), both)));
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
