//! Requests that Envoy answers by itself, under a limit for which it asks a service. Its filter asks nobody about a route that leads
//! to no cluster, so these are on one first that leads to a cluster of nobody, until a script behind the filter has the route be
//! chosen anew.

use std::sync::Arc;

use envoy_types::pb::envoy::config::route::v3::{
    Route, RouteAction, route::Action, route_action::ClusterSpecifier,
};
use serde_json::Map;

use super::Service;
use crate::envoy::filter;
use crate::model::upstream::Cluster;
use crate::plugin::shared::answer::is_answered;
use crate::plugin::shared::narrow::by_headers;
use crate::plugin::shared::script;

/// The filter of the script.
pub const ANSWERED: &str = "chancery.limit.redis.answered";

/// What the script says of a request behind the filters that ask.
const COUNTED: &str = "x-chancery-counted";

/// The cluster of nobody.
const NOBODY: &str = "chancery.nobody";

/// It is there while a gateway has somebody to ask.
pub fn cluster() -> Arc<Cluster> {
    Arc::new(Cluster::of_nobody(NOBODY))
}

/// The route, or two of which the second is chosen first, where the requests that it answers are counted by a service.
pub fn counted(mut route: Route) -> Vec<Route> {
    let asks = |of_rules: bool| {
        let mut services = Service::ALL.iter().filter(|one| one.of_rules == of_rules);
        services.any(|one| route.typed_per_filter_config.contains_key(&one.name()))
    };
    let (of_routes, of_rules) = (asks(false), asks(true));
    if !is_answered(&route) || !(of_routes || of_rules) {
        return vec![route];
    }
    // Behind the last that asks: the filters of routes stand behind those of rules.
    let script = if of_routes {
        ANSWERED.to_owned()
    } else {
        filter::of_rules(ANSWERED)
    };
    script::enable(&mut route, &script, &Map::new());
    let answered = by_headers(&route, [(COUNTED, "1")]);
    route.action = Some(Action::Route(RouteAction {
        cluster_specifier: Some(ClusterSpecifier::Cluster(NOBODY.to_owned())),
        ..RouteAction::default()
    }));
    vec![answered, route]
}
