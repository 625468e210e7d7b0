//! What plugins of global rules do: the same as those of routes, by filters of their own. These stand in the chain of every
//! listener before those of routes, so that both run where both have a plugin, the global rule's first; and what changes
//! answers stands behind them, as answers pass the chain the other way round.

use std::collections::{BTreeMap, BTreeSet};

use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::extensions::filters::http::header_mutation::v3::{
    HeaderMutation, HeaderMutationPerRoute,
};
use envoy_types::pb::envoy::extensions::filters::http::rbac::v3::RbacPerRoute;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    HttpFilter, http_filter::ConfigType,
};
use envoy_types::pb::google::protobuf::Any;
use prost::{Message, Name};

use super::{denial, late, logged, reply, router};
use crate::envoy::any;
use crate::envoy::filter::{OF_RULES, Whose, of_rules};
use crate::model::upstream::{Cluster, Target};
use crate::plugin::contract::Plugin;

/// The filter of global rules beside that of routes.
pub fn filter(of_routes: HttpFilter) -> HttpFilter {
    let mut filter = HttpFilter {
        name: of_rules(&of_routes.name),
        ..of_routes
    };
    if let Some(ConfigType::ConfigDiscovery(discovery)) = &mut filter.config_type {
        // What it is while no global rule has the plugin.
        discovery.type_urls.push(HeaderMutation::type_url());
    }
    filter
}

/// Has a plugin that was just applied be a global rule's: what it says to filters of routes, it says to those of rules, beside
/// what an earlier rule does.
pub fn take(route: &mut Route) {
    let is_other = |filter: &String| !filter.starts_with(OF_RULES) && !router::is_own(filter);
    let others = route
        .typed_per_filter_config
        .keys()
        .filter(|filter| is_other(filter));
    let others: BTreeSet<String> = others.cloned().collect();
    for filter in &others {
        let Some(config) = route.typed_per_filter_config.remove(filter) else {
            continue;
        };
        let mut config = late::renamed(config, &others, Whose::Rules);
        let name = of_rules(filter);
        if let Some(rules) = decoded::<RbacPerRoute>(&config) {
            config = any(&denial::renamed(rules, filter, &name));
            reply::rename_body(route, filter, &name);
        }
        let configs = &mut route.typed_per_filter_config;
        let config = match configs.get(&name) {
            // Rules that do not go together are refused when they are read.
            Some(earlier) => together(earlier, &config).unwrap_or_else(|| earlier.clone()),
            None => config,
        };
        configs.insert(name, config);
    }
}

/// Whether two rules can both have a plugin, this one and that one.
pub fn can_both(one: &dyn Plugin, other: &dyn Plugin) -> bool {
    let (these, those) = (said(one), said(other));
    let fits = |(filter, (config, body)): (&String, &(Any, Option<String>))| {
        let beside = those.get(filter);
        beside.is_none_or(|(other, told)| body == told && together(other, config).is_some())
    };
    let shares = these.keys().any(|filter| those.contains_key(filter));
    let clients_fit = match (one.client(), other.client()) {
        (Some(one), Some(other)) => one.is_like(other),
        _ => true,
    };
    clients_fit && these.iter().all(fits) && (!shares || ask_the_same(one, other))
}

/// Whether two plugins ask the same servers, in the same way.
fn ask_the_same(one: &dyn Plugin, other: &dyn Plugin) -> bool {
    let alike = |(one, other): (&Target, &Target)| match (one, other) {
        (Target::Inline(one), Target::Inline(other)) => {
            let named = Cluster {
                name: other.name.clone(),
                ..(**one).clone()
            };
            named == **other
        }
        (Target::Reference(one), Target::Reference(other)) => one == other,
        _ => false,
    };
    let (these, those) = (one.targets(), other.targets());
    these.len() == those.len() && these.iter().zip(those).all(alike)
}

/// What a plugin says to filters, with what its clients are told; the last of its routes speaks for all.
fn said(plugin: &dyn Plugin) -> BTreeMap<String, (Any, Option<String>)> {
    let mut route = Route::default();
    let mut routes = plugin.branch(&route, &[]);
    plugin.apply(&mut route, &[]);
    routes.push(route);
    let mut said = BTreeMap::new();
    for mut route in routes {
        take(&mut route);
        let configs = std::mem::take(&mut route.typed_per_filter_config);
        said.extend(configs.into_iter().filter_map(|(filter, config)| {
            let body = reply::body(&route, &filter).map(ToOwned::to_owned);
            (!router::is_own(&filter)).then_some((filter, (config, body)))
        }));
    }
    said
}

/// What a filter is told by two rules, where it can follow both.
fn together(earlier: &Any, later: &Any) -> Option<Any> {
    if earlier == later {
        return Some(earlier.clone());
    }
    let mutations = |config| decoded::<HeaderMutationPerRoute>(config)?.mutations;
    if let (Some(mut all), Some(more)) = (mutations(earlier), mutations(later)) {
        all.request_mutations.extend(more.request_mutations);
        all.response_mutations.extend(more.response_mutations);
        return Some(any(&HeaderMutationPerRoute {
            mutations: Some(all),
        }));
    }
    if let Some(both) = logged::together(earlier, later) {
        return Some(both);
    }
    let (one, other) = (decoded(earlier)?, decoded(later)?);
    Some(any(&denial::together(one, other)))
}

fn decoded<M: Message + Name + Default>(config: &Any) -> Option<M> {
    let is_one = config.type_url == M::type_url();
    is_one.then(|| M::decode(config.value.as_slice()).ok())?
}

#[cfg(test)]
mod tests;
