//! The filter that logs people in. Every listener has it, of Envoys that can, and it does nothing of its own: a route says all.

use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::extensions::filters::http::oauth2::v3::{
    OAuth2, OAuth2Config, OAuth2PerRoute,
};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    HttpFilter, http_filter::ConfigType,
};
use prost::Name;

use crate::envoy::filter;

const FILTER: &str = "chancery.openid-connect.login";

pub fn filter() -> HttpFilter {
    filter::disabled(FILTER, &OAuth2::default())
}

/// Whether it is this one, of routes or of global rules.
pub fn is_one(filter: &HttpFilter) -> bool {
    match &filter.config_type {
        Some(ConfigType::TypedConfig(config)) => config.type_url == OAuth2::type_url(),
        _ => false,
    }
}

/// Has a route log people in.
pub fn enable(route: &mut Route, config: OAuth2Config) {
    let config = OAuth2PerRoute {
        config: Some(config),
    };
    filter::enable(route, FILTER, &config);
}
