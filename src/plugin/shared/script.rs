//! A plugin's script in Lua: it stands in the chain once, and each route that enables it gives it what it goes by. A long one
//! comes by name, and only while a route asks for it: every filter chain has each script once for every thread of Envoy's.

use envoy_types::pb::envoy::config::core::v3::{DataSource, data_source::Specifier};
use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::extensions::filters::http::lua::v3::{Lua, LuaPerRoute};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;
use envoy_types::pb::google::protobuf::Any;
use prost::Name;
use serde_json::{Map, Value};

use crate::envoy::proto::{boolean, structure};
use crate::envoy::{canonical, filter};

/// The filter as it stands in the chain.
pub fn disabled(name: &str, script: &str) -> HttpFilter {
    filter::disabled(name, &lua(Some(script)))
}

/// The filter as it stands in the chain where its script comes by name.
pub fn discovered(name: &str) -> HttpFilter {
    filter::discovered(name, Lua::type_url())
}

/// What a filter is told: a script, or nothing to do. The route that was chosen stays, whatever the script changes.
pub fn lua(script: Option<&str>) -> Lua {
    let inline = |script: &str| DataSource {
        specifier: Some(Specifier::InlineString(script.to_owned())),
        ..DataSource::default()
    };
    Lua {
        default_source_code: script.map(inline),
        clear_route_cache: Some(boolean(false)),
        ..Lua::default()
    }
}

/// Runs it for a route, with this as its `filterContext`.
pub fn enable(route: &mut Route, name: &str, context: &Map<String, Value>) {
    let script = LuaPerRoute {
        filter_context: Some(structure(context)),
        ..LuaPerRoute::default()
    };
    // Two of the same are the same bytes, as global rules are compared by them.
    let config = Any {
        type_url: LuaPerRoute::type_url(),
        value: canonical(&script).to_vec(),
    };
    let configs = &mut route.typed_per_filter_config;
    configs.insert(name.to_owned(), config);
}
