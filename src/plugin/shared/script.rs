//! A plugin's script in Lua: it stands in the chain once, and each route that enables it gives it what it goes by.

use envoy_types::pb::envoy::config::core::v3::{DataSource, data_source::Specifier};
use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::extensions::filters::http::lua::v3::{Lua, LuaPerRoute};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;
use envoy_types::pb::google::protobuf::Any;
use prost::Name;
use serde_json::{Map, Value};

use crate::envoy::proto::{boolean, structure};
use crate::envoy::{canonical, filter};

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
    // Two of the same are the same bytes, as global rules are compared by them.
    let config = Any {
        type_url: LuaPerRoute::type_url(),
        value: canonical(&script).to_vec(),
    };
    let configs = &mut route.typed_per_filter_config;
    configs.insert(name.to_owned(), config);
}
