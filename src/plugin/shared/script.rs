//! A plugin's script in Lua: it stands in the chain once, and each route that enables it gives it what it goes by.

use envoy_types::pb::envoy::config::core::v3::{DataSource, data_source::Specifier};
use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::extensions::filters::http::lua::v3::{Lua, LuaPerRoute};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;
use serde_json::{Map, Value};

use crate::envoy::filter;
use crate::envoy::proto::{boolean, structure};

/// The filter as it stands in the chain. The route that was chosen stays, whatever the script changes.
pub fn disabled(name: &str, script: &str) -> HttpFilter {
    let script = Lua {
        default_source_code: Some(DataSource {
            specifier: Some(Specifier::InlineString(script.to_owned())),
            ..DataSource::default()
        }),
        clear_route_cache: Some(boolean(false)),
        ..Lua::default()
    };
    filter::disabled(name, &script)
}

/// Runs it for a route, with this as its `filterContext`.
pub fn enable(route: &mut Route, name: &str, context: &Map<String, Value>) {
    let script = LuaPerRoute {
        filter_context: Some(structure(context)),
        ..LuaPerRoute::default()
    };
    filter::enable(route, name, &script);
}
