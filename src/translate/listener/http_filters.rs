//! The chain of HTTP filters, which is the same whatever routes and plugins there are.

use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    HttpFilter, http_filter::ConfigType,
};

use crate::cohort::{Ability, Envoy};
use crate::envoy::{any, place};
use crate::plugin;
use crate::plugin::shared::router;
use crate::translate::retry;

/// The plugins' filters, then that which lets requests be repeated, all disabled; then the place for a router of a route's
/// own, and the one that serves every route.
///
/// An Envoy that has no places has nothing there, and no route that needs one.
pub(super) fn http_filters(envoy: Envoy) -> Vec<HttpFilter> {
    let shared = HttpFilter {
        name: "envoy.filters.http.router".to_owned(),
        config_type: Some(ConfigType::TypedConfig(any(&router::shared()))),
        ..HttpFilter::default()
    };
    let last = [retry::disabled(), router::place(), shared];
    let all = plugin::http_filters().into_iter().chain(last);
    all.filter(|filter| envoy.can(Ability::Places) || !place::is_one(filter))
        .collect()
}
