//! A plugin's own filter: it stands in the chain of every listener, disabled, and the routes that have the plugin enable it
//! with what they configure.

use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    HttpFilter, http_filter::ConfigType,
};
use prost::{Message, Name};

use super::any;

/// The filter as it stands in the chain.
pub fn disabled<M: Message + Name>(name: &str, config: &M) -> HttpFilter {
    HttpFilter {
        name: name.to_owned(),
        disabled: true,
        config_type: Some(ConfigType::TypedConfig(any(config))),
        ..HttpFilter::default()
    }
}

/// Enables the filter `name` for a route.
pub fn enable<M: Message + Name>(route: &mut Route, name: &str, config: &M) {
    let configs = &mut route.typed_per_filter_config;
    configs.insert(name.to_owned(), any(config));
}
