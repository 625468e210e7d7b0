//! What plugins of consumers do by filters that stand before those which find the consumer: the same, by the same filters once more
//! behind these. Which of the filters run is settled by the first choice of a route, so each route that is chosen anew has something
//! to say to all of them.

use std::collections::{BTreeMap, BTreeSet};

use envoy_types::pb::envoy::config::common::mutation_rules::v3::header_mutation::Action;
use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::extensions::filters::http::header_mutation::v3::HeaderMutationPerRoute;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;
use envoy_types::pb::google::protobuf::Any;
use prost::{Message, Name};

use super::logged;
use crate::envoy::any;
use crate::envoy::filter::Whose;

/// The filter of consumers beside that of routes.
pub fn filter(of_routes: HttpFilter) -> HttpFilter {
    HttpFilter {
        name: Whose::Consumers.name(&of_routes.name),
        ..of_routes
    }
}

/// What a route says to filters that are doubled.
pub type Said = BTreeMap<String, Any>;

/// Takes away what a route says to filters that are doubled, until a plugin was applied.
pub fn aside(route: &mut Route, doubled: &BTreeSet<String>) -> Said {
    let configs = &mut route.typed_per_filter_config;
    let said = doubled.iter();
    said.filter_map(|filter| configs.remove_entry(filter))
        .collect()
}

/// Has a plugin that was just applied be a consumer's: what it says to filters that are doubled, it says to those behind. What was said
/// before is said again.
pub fn take(route: &mut Route, before: &Said, doubled: &BTreeSet<String>) {
    for (filter, config) in aside(route, doubled) {
        let config = renamed(config, doubled, Whose::Consumers);
        let name = Whose::Consumers.name(&filter);
        let earlier = route.typed_per_filter_config.insert(name.clone(), config);
        if filter == logged::FILTER {
            logged::join(route, &name, earlier.as_ref());
        }
    }
    route.typed_per_filter_config.extend(before.clone());
}

/// What headers of answers are made of that one of these filters left behind under its own name, under that of the one beside it.
pub fn renamed(config: Any, filters: &BTreeSet<String>, whose: Whose) -> Any {
    const LEFT: &str = "%DYNAMIC_METADATA(";
    if config.type_url != HeaderMutationPerRoute::type_url() {
        return config;
    }
    let Ok(mut said) = HeaderMutationPerRoute::decode(&*config.value) else {
        return config;
    };
    let mutations = said.mutations.iter_mut();
    for mutation in mutations.flat_map(|all| &mut all.response_mutations) {
        let Some(Action::Append(option)) = &mut mutation.action else {
            continue;
        };
        let Some(header) = &mut option.header else {
            continue;
        };
        for filter in filters {
            let own = format!("{LEFT}{filter}:");
            let other = format!("{LEFT}{}:", whose.name(filter));
            header.value = header.value.replace(&own, &other);
        }
    }
    any(&said)
}
