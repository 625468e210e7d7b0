//! The chain of HTTP filters, which is the same whatever routes and plugins there are.

use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    HttpFilter, http_filter,
};

use crate::cohort::{Ability, Envoy};
use crate::envoy::{any, place};
use crate::plugin;
use crate::plugin::shared::router;
use crate::translate::retry;

/// The plugins' filters, all disabled, then the two that serve every route; between these the place for a router of a route's
/// own.
///
/// An Envoy that has no places has nothing there, and no route that needs one.
pub(super) fn http_filters(envoy: Envoy) -> Vec<HttpFilter> {
    let always = |name: &str, config| HttpFilter {
        name: name.to_owned(),
        config_type: Some(http_filter::ConfigType::TypedConfig(config)),
        ..HttpFilter::default()
    };
    let last = [
        always("chancery.retry_idempotent", any(&retry::filter())),
        router::place(),
        always("envoy.filters.http.router", any(&router::shared())),
    ];
    let all = plugin::http_filters().into_iter().chain(last);
    all.filter(|filter| envoy.can(Ability::Places) || !place::is_one(filter))
        .collect()
}
