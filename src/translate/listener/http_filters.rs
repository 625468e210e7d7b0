//! The chain of HTTP filters, which is the same whatever routes and plugins there are.

use envoy_types::pb::envoy::extensions::filters::http::router::v3::Router;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    HttpFilter, http_filter,
};

use super::super::{any, retry};
use crate::model::plugin;

/// The plugins' filters, all disabled, then the two that serve every route.
pub(super) fn http_filters() -> Vec<HttpFilter> {
    let router = Router {
        suppress_envoy_headers: true,
        ..Router::default()
    };
    let last = [
        ("chancery.retry_idempotent", any(&retry::filter())),
        ("envoy.filters.http.router", any(&router)),
    ];
    let last = last.map(|(name, config)| HttpFilter {
        name: name.to_owned(),
        config_type: Some(http_filter::ConfigType::TypedConfig(config)),
        ..HttpFilter::default()
    });
    plugin::http_filters().into_iter().chain(last).collect()
}
