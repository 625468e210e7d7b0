//! The filter that sends requests to instances. All routes share one, which stands last in the chain of every listener. A route
//! may have one of its own in a place before it, for what only this filter can be told.

use envoy_types::pb::envoy::config::accesslog::v3::AccessLog;
use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::extensions::filters::http::router::v3::Router;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;

use crate::envoy::place;

/// A route's own.
const OWN: &str = "chancery.router";

/// As all routes share it.
pub fn shared() -> Router {
    Router {
        suppress_envoy_headers: true,
        ..Router::default()
    }
}

/// The place for a route's own: it passes nothing on, so it comes after every other filter.
pub fn place() -> HttpFilter {
    place::empty(OWN)
}

/// Whether a filter is this place: one for routes and global rules, as nothing comes after a router.
pub fn is_own(filter: &str) -> bool {
    filter == OWN
}

/// Gives a route one that writes down each attempt to send a request to an instance, beside what it writes already.
pub fn log(route: &mut Route, log: AccessLog) {
    let mut own: Router = place::filled(route, OWN).unwrap_or_else(shared);
    own.upstream_log.push(log);
    place::fill(route, OWN, &own);
}
