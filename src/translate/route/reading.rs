//! A route table as Envoy reads it, for the tests: they compare it with what [`crate::explain`] says in a user's words.

use std::cmp::Reverse;
use std::net::IpAddr;

use envoy_types::pb::envoy::config::route::v3::{
    HeaderMatcher, Route as EnvoyRoute, RouteConfiguration, RouteList, VirtualHost,
    header_matcher::HeaderMatchSpecifier, query_parameter_matcher::QueryParameterMatchSpecifier,
    route_match::PathSpecifier,
};
use envoy_types::pb::envoy::extensions::matching::input_matchers::ip::v3::Ip;
use envoy_types::pb::envoy::r#type::matcher::v3::{
    RegexMatcher, StringMatcher, filter_state_matcher::Matcher as StateMatcher,
    string_matcher::MatchPattern,
};
use envoy_types::pb::xds::r#type::matcher::v3::Matcher;
use envoy_types::pb::xds::r#type::matcher::v3::matcher::{
    MatcherType, OnMatch,
    matcher_list::{Predicate, predicate},
    matcher_tree::{MatchMap, TreeType},
    on_match,
};
use prost::{Message, Name};

use crate::model::Request;

/// The route that Envoy takes.
pub fn taken(table: &RouteConfiguration, request: &Request) -> Option<String> {
    let map = &tree(virtual_host(table, &request.host())?).map;
    let keys = map
        .iter()
        .filter(|(key, _)| path_and_query(request).starts_with(key.as_str()));
    let (_, leaf) = keys.max_by_key(|(key, _)| key.len())?;
    let list = list(leaf, request)?;
    // None matches: a 404, and no further look at shorter keys.
    let route = list.routes.iter().find(|route| matches(route, request))?;
    Some(route.name.clone())
}

fn path_and_query(request: &Request) -> String {
    match request.query.as_str() {
        "" => request.path.clone(),
        query => format!("{}?{query}", request.path),
    }
}

/// The list that a leaf leads to. A leaf that leads nowhere goes back to shorter keys, where a list of candidates of this one
/// would be: of none.
fn list(leaf: &OnMatch, request: &Request) -> Option<RouteList> {
    match leaf.on_match.as_ref().expect("something") {
        on_match::OnMatch::Action(action) => {
            let config = action.typed_config.as_ref().expect("a configuration");
            assert_eq!(config.type_url, RouteList::type_url());
            Some(RouteList::decode(config.value.as_slice()).expect("a RouteList"))
        }
        on_match::OnMatch::Matcher(matcher) => list(by_address(matcher, request.address)?, request),
    }
}

fn by_address(matcher: &Matcher, address: IpAddr) -> Option<&OnMatch> {
    let Some(MatcherType::MatcherList(list)) = &matcher.matcher_type else {
        panic!("no list")
    };
    let found = list
        .matchers
        .iter()
        .find(|one| within(one.predicate.as_ref().expect("a predicate"), address));
    match found {
        Some(one) => one.on_match.as_ref(),
        None => matcher.on_no_match.as_deref(),
    }
}

fn within(predicate: &Predicate, address: IpAddr) -> bool {
    let Some(predicate::MatchType::SinglePredicate(single)) = &predicate.match_type else {
        panic!("{predicate:?}")
    };
    let Some(predicate::single_predicate::Matcher::CustomMatch(custom)) = &single.matcher else {
        panic!("{single:?}")
    };
    let config = custom.typed_config.as_ref().expect("a configuration");
    let ranges = Ip::decode(config.value.as_slice()).expect("an Ip");
    ranges.cidr_ranges.iter().any(|range| {
        let length = range.prefix_len.as_ref().expect("a length").value as u8;
        let start: IpAddr = range.address_prefix.parse().expect("an address");
        let net = ipnet::IpNet::new(start, length).expect("a range");
        net.contains(&address)
    })
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
        PathSpecifier::Path(path) => request.path == *path,
        PathSpecifier::SafeRegex(regex) => whole(regex, &request.path),
        other => panic!("{other:?}"),
    };
    let argument = |name: &str, asked: &QueryParameterMatchSpecifier| match asked {
        QueryParameterMatchSpecifier::PresentMatch(present) => {
            request.argument(name).is_some() == *present
        }
        QueryParameterMatchSpecifier::StringMatch(matcher) => request
            .argument(name)
            .is_some_and(|value| text(matcher, value)),
    };
    path && rule.headers.iter().all(|asked| header(asked, request))
        && rule.query_parameters.iter().all(|one| {
            let asked = one.query_parameter_match_specifier.as_ref();
            argument(&one.name, asked.expect("something"))
        })
        && rule.cookies.iter().all(|one| {
            let matcher = one.string_match.as_ref().expect("a text");
            let passes = request
                .cookie(&one.name)
                .is_some_and(|value| text(matcher, value));
            passes != one.invert_match
        })
        && rule.filter_state.iter().all(|one| match &one.matcher {
            Some(StateMatcher::StringMatch(matcher)) => text(matcher, &request.port.to_string()),
            other => panic!("{other:?}"),
        })
}

fn header(asked: &HeaderMatcher, request: &Request) -> bool {
    let (method, scheme, path) = (&request.method, &request.scheme, path_and_query(request));
    let address = request.address.to_string();
    let mut values = match asked.name.as_str() {
        ":method" => vec![method.as_str()],
        ":scheme" => vec![scheme.as_str()],
        ":path" => vec![path.as_str()],
        "x-envoy-external-address" => vec![address.as_str()],
        name => request.headers(name),
    };
    let matcher = match asked.header_match_specifier.as_ref().expect("something") {
        HeaderMatchSpecifier::PresentMatch(present) => return values.is_empty() != *present,
        HeaderMatchSpecifier::StringMatch(matcher) => matcher,
        other => panic!("{other:?}"),
    };
    if values.is_empty() {
        if !asked.treat_missing_header_as_empty {
            return false;
        }
        values.push("");
    }
    values.iter().any(|value| text(matcher, value)) != asked.invert_match
}

fn text(matcher: &StringMatcher, value: &str) -> bool {
    match matcher.match_pattern.as_ref().expect("a pattern") {
        MatchPattern::Exact(exact) => exact == value,
        MatchPattern::SafeRegex(regex) => whole(regex, value),
        other => panic!("{other:?}"),
    }
}

fn whole(regex: &RegexMatcher, value: &str) -> bool {
    let whole = format!("^(?:{})$", regex.regex.replace(r"\C", "(?s:.)"));
    let built = regex::bytes::RegexBuilder::new(&whole)
        .unicode(false)
        .build();
    built.expect("a pattern").is_match(value.as_bytes())
}
