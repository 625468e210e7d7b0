//! Places in the chain of every listener for filters of which Envoy lets a route say nothing, or too little: a route puts a
//! whole filter there.

use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::extensions::filters::http::filter_chain::v3::{
    FilterChain, FilterChainConfig, FilterChainConfigPerRoute,
};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    HttpFilter, http_filter::ConfigType,
};
use prost::{Message, Name};

use super::filter;
use super::proto::extension;

/// The place as it stands in the chain.
pub fn empty(name: &str) -> HttpFilter {
    filter::disabled(name, &FilterChainConfig::default())
}

/// Whether a filter of the chain is a place.
pub fn is_one(filter: &HttpFilter) -> bool {
    match &filter.config_type {
        Some(ConfigType::TypedConfig(config)) => config.type_url == FilterChainConfig::type_url(),
        _ => false,
    }
}

/// What a route has put in the place `name`.
pub fn filled<M: Message + Name + Default>(route: &Route, name: &str) -> Option<M> {
    let config = route.typed_per_filter_config.get(name)?;
    let config = FilterChainConfigPerRoute::decode(config.value.as_slice()).ok()?;
    let filter = config.filter_chain?.filters.pop()?.typed_config?;
    M::decode(filter.value.as_slice()).ok()
}

/// Puts a filter in the place `name`, for a route.
pub fn fill<M: Message + Name>(route: &mut Route, name: &str, filter: &M) {
    let chain = FilterChain {
        filters: vec![extension(name, filter)],
    };
    let config = FilterChainConfigPerRoute {
        filter_chain: Some(chain),
    };
    filter::enable(route, name, &config);
}
