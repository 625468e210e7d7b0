//! What a route table has to mean, said twice: in a user's words, and as Envoy reads what we send. The tests compare.

use std::cmp::Reverse;
use std::sync::Arc;

use envoy_types::pb::envoy::config::route::v3::{
    HeaderMatcher, Route as EnvoyRoute, RouteConfiguration, RouteList, VirtualHost,
    header_matcher::HeaderMatchSpecifier, route_match::PathSpecifier,
};
use envoy_types::pb::envoy::r#type::matcher::v3::string_matcher::MatchPattern;
use envoy_types::pb::xds::r#type::matcher::v3::matcher::{
    MatcherType,
    matcher_tree::{MatchMap, TreeType},
    on_match,
};
use prost::{Message, Name};

use crate::model::{Host, Path, Route};

#[derive(Debug, Clone)]
pub struct Request {
    pub host: &'static str,
    /// With a query, perhaps.
    pub path: String,
    pub method: &'static str,
}

/// The route that a user expects: by host, then path, then priority, then id, among those that match at all.
pub fn expected(routes: &[Arc<Route>], request: &Request) -> Option<String> {
    let path = request.path.split('?').next().unwrap_or_default();
    let matching = routes.iter().filter_map(|route| {
        let host = match route.hosts.as_slice() {
            [] => Some((2, Reverse(0))),
            hosts => hosts
                .iter()
                .filter_map(|host| host_rank(host, request.host))
                .min(),
        };
        let path = route
            .paths
            .iter()
            .filter_map(|wanted| path_rank(wanted, path))
            .min();
        let method = route.methods.is_empty() || route.methods.contains(request.method);
        let rank = (host?, path?, Reverse(route.priority), &route.id);
        method.then_some((rank, format!("route/{}", route.id)))
    });
    matching.min().map(|(_, name)| name)
}

fn host_rank(host: &Host, asked: &str) -> Option<(u8, Reverse<usize>)> {
    match host {
        Host::Exact(name) => (**name == *asked).then_some((0, Reverse(0))),
        Host::Suffix(suffix) => asked
            .ends_with(&**suffix)
            .then_some((1, Reverse(suffix.len()))),
    }
}

fn path_rank(path: &Path, asked: &str) -> Option<(u8, Reverse<usize>)> {
    match path {
        Path::Exact(path) => (**path == *asked).then_some((0, Reverse(0))),
        Path::Prefix(prefix) => asked
            .starts_with(&**prefix)
            .then_some((1, Reverse(prefix.len()))),
    }
}

/// The route that Envoy takes.
pub fn taken(table: &RouteConfiguration, request: &Request) -> Option<String> {
    let map = &tree(virtual_host(table, request.host)?).map;
    let keys = map
        .iter()
        .filter(|(key, _)| request.path.starts_with(key.as_str()));
    let (_, leaf) = keys.max_by_key(|(key, _)| key.len())?;
    let Some(on_match::OnMatch::Action(action)) = &leaf.on_match else {
        panic!("no leaf")
    };
    let action = action.typed_config.as_ref().expect("a configuration");
    assert_eq!(action.type_url, RouteList::type_url());
    let list = RouteList::decode(action.value.as_slice()).expect("a RouteList");
    // None matches: a 404, and no further look at shorter keys.
    let route = list.routes.iter().find(|route| matches(route, request))?;
    Some(route.name.clone())
}

/// The match tree of a virtual host.
pub fn tree(host: &VirtualHost) -> &MatchMap {
    let matcher = host.matcher.as_ref().expect("a matcher");
    let Some(MatcherType::MatcherTree(tree)) = &matcher.matcher_type else {
        panic!("no tree")
    };
    let Some(TreeType::PrefixMatchMap(map)) = &tree.tree_type else {
        panic!("no prefix map")
    };
    map
}

fn virtual_host<'a>(table: &'a RouteConfiguration, host: &str) -> Option<&'a VirtualHost> {
    let rank = |domain: &str| match domain.strip_prefix('*') {
        Some("") => Some((2, Reverse(0))),
        Some(suffix) => (host.len() > suffix.len() && host.ends_with(suffix))
            .then_some((1, Reverse(suffix.len()))),
        None => (domain == host).then_some((0, Reverse(0))),
    };
    let ranked = table
        .virtual_hosts
        .iter()
        .filter_map(|host| Some((rank(&host.domains[0])?, host)));
    ranked.min_by_key(|(rank, _)| *rank).map(|(_, host)| host)
}

fn matches(route: &EnvoyRoute, request: &Request) -> bool {
    let rule = route.r#match.as_ref().expect("a match");
    let path = match rule.path_specifier.as_ref().expect("a path") {
        PathSpecifier::Prefix(prefix) => request.path.starts_with(prefix.as_str()),
        PathSpecifier::Path(path) => request.path.split('?').next() == Some(path.as_str()),
        other => panic!("{other:?}"),
    };
    path && rule
        .headers
        .iter()
        .all(|header| method(header, request.method))
}

fn method(header: &HeaderMatcher, method: &str) -> bool {
    assert_eq!(header.name, ":method");
    let Some(HeaderMatchSpecifier::StringMatch(matcher)) = &header.header_match_specifier else {
        panic!("{header:?}")
    };
    match matcher.match_pattern.as_ref().expect("a pattern") {
        MatchPattern::Exact(exact) => exact == method,
        MatchPattern::SafeRegex(regex) => regex.regex.split('|').any(|one| one == method),
        other => panic!("{other:?}"),
    }
}
