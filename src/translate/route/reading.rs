//! A route table as Envoy reads it, for the tests: they compare it with what [`crate::explain`] says in a user's words.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::IpAddr;

use envoy_types::pb::envoy::config::route::v3::{
    HeaderMatcher, Route as EnvoyRoute, RouteConfiguration, RouteList,
    header_matcher::HeaderMatchSpecifier, query_parameter_matcher::QueryParameterMatchSpecifier,
    route_match::PathSpecifier,
};
use envoy_types::pb::envoy::extensions::matching::input_matchers::ip::v3::Ip;
use envoy_types::pb::envoy::r#type::matcher::v3::{
    HttpRequestHeaderMatchInput, StringMatcher, filter_state_matcher::Matcher as StateMatcher,
    string_matcher::MatchPattern,
};
use envoy_types::pb::xds::core::v3::TypedExtensionConfig;
use envoy_types::pb::xds::r#type::matcher::v3::matcher::{
    MatcherType, OnMatch,
    matcher_list::{
        Predicate,
        predicate::{MatchType, SinglePredicate, single_predicate},
    },
    matcher_tree::{MatchMap, TreeType},
    on_match,
};
use envoy_types::pb::xds::r#type::matcher::v3::{
    Matcher, StringMatcher as TreeStringMatcher, string_matcher::MatchPattern as TreePattern,
};
use prost::{Message, Name};

use crate::model::Request;

/// The route that Envoy takes.
pub fn taken(table: &RouteConfiguration, request: &Request) -> Option<String> {
    let [host] = table.virtual_hosts.as_slice() else {
        assert!(table.virtual_hosts.is_empty());
        return None;
    };
    assert_eq!(host.domains, ["*"]);
    // None of the list matches: a 404, and no further look anywhere.
    let list = list(host.matcher.as_ref().expect("a matcher"), request)?;
    let route = list.routes.iter().find(|route| matches(route, request))?;
    Some(route.name.clone())
}

/// The routes that a matcher leads to, whatever the request.
pub fn listed(matcher: &Matcher) -> Vec<EnvoyRoute> {
    let leads_to = |on_match: &OnMatch| match on_match.on_match.as_ref().expect("something") {
        on_match::OnMatch::Action(action) => of(action).routes,
        on_match::OnMatch::Matcher(matcher) => listed(matcher),
    };
    let mut routes: Vec<_> = match matcher.matcher_type.as_ref().expect("a matcher") {
        MatcherType::MatcherList(list) => {
            let matchers = list.matchers.iter();
            let led = matchers.map(|one| leads_to(one.on_match.as_ref().expect("something")));
            led.flatten().collect()
        }
        MatcherType::MatcherTree(tree) => {
            let leaves = map(tree.tree_type.as_ref().expect("a tree")).map.values();
            leaves.flat_map(leads_to).collect()
        }
    };
    routes.extend(
        matcher
            .on_no_match
            .as_deref()
            .into_iter()
            .flat_map(leads_to),
    );
    routes
}

fn of(action: &TypedExtensionConfig) -> RouteList {
    let config = action.typed_config.as_ref().expect("a configuration");
    assert_eq!(config.type_url, RouteList::type_url());
    RouteList::decode(config.value.as_slice()).expect("a RouteList")
}

fn path_and_query(request: &Request) -> String {
    match request.query.as_str() {
        "" => request.path.clone(),
        query => format!("{}?{query}", request.path),
    }
}

/// The list that a matcher leads to. What leads nowhere is passed on: to the next predicate, or the next shorter key, and then
/// to what stands for no match.
fn list(matcher: &Matcher, request: &Request) -> Option<RouteList> {
    let found = match matcher.matcher_type.as_ref().expect("a matcher") {
        MatcherType::MatcherList(list) => {
            assert!(!list.matchers.is_empty());
            let mut holding = list.matchers.iter().filter(|one| {
                let predicate = one.predicate.as_ref().expect("a predicate");
                holds(predicate, request)
            });
            holding.find_map(|one| led(one.on_match.as_ref().expect("something"), request))
        }
        MatcherType::MatcherTree(tree) => {
            let asked = header_of(tree.input.as_ref().expect("an input"), request);
            let map = map(tree.tree_type.as_ref().expect("a tree"));
            assert!(!map.map.is_empty());
            let keys = map.map.iter();
            let mut keys: Vec<_> = keys
                .filter(|(key, _)| asked.as_ref().is_some_and(|asked| asked.starts_with(*key)))
                .collect();
            keys.sort_by_key(|(key, _)| std::cmp::Reverse(key.len()));
            keys.iter().find_map(|(_, leaf)| led(leaf, request))
        }
    };
    let otherwise = || led(matcher.on_no_match.as_deref()?, request);
    found.or_else(otherwise)
}

fn led(on_match: &OnMatch, request: &Request) -> Option<RouteList> {
    match on_match.on_match.as_ref().expect("something") {
        on_match::OnMatch::Action(action) => Some(of(action)),
        on_match::OnMatch::Matcher(matcher) => list(matcher, request),
    }
}

pub fn map(tree: &TreeType) -> &MatchMap {
    let TreeType::PrefixMatchMap(map) = tree else {
        panic!("no prefix map")
    };
    map
}

fn holds(predicate: &Predicate, request: &Request) -> bool {
    match predicate.match_type.as_ref().expect("something") {
        MatchType::SinglePredicate(single) => one_holds(single, request),
        MatchType::OrMatcher(list) => {
            assert!(list.predicate.len() > 1);
            list.predicate.iter().any(|one| holds(one, request))
        }
        MatchType::AndMatcher(list) => {
            assert!(list.predicate.len() > 1);
            list.predicate.iter().all(|one| holds(one, request))
        }
        MatchType::NotMatcher(inner) => !holds(inner, request),
    }
}

fn one_holds(single: &SinglePredicate, request: &Request) -> bool {
    let Some(value) = header_of(single.input.as_ref().expect("an input"), request) else {
        return false;
    };
    match single.matcher.as_ref().expect("a matcher") {
        single_predicate::Matcher::ValueMatch(matcher) => tree_text(matcher, &value),
        single_predicate::Matcher::CustomMatch(custom) => {
            let address: IpAddr = value.parse().expect("an address");
            let config = custom.typed_config.as_ref().expect("a configuration");
            let ranges = Ip::decode(config.value.as_slice()).expect("an Ip");
            assert!(!ranges.cidr_ranges.is_empty());
            ranges.cidr_ranges.iter().any(|range| {
                let length = range.prefix_len.as_ref().expect("a length").value as u8;
                let start: IpAddr = range.address_prefix.parse().expect("an address");
                let net = ipnet::IpNet::new(start, length).expect("a range");
                net.contains(&address)
            })
        }
    }
}

/// A header as the match tree sees it: all its values, joined.
fn header_of(input: &TypedExtensionConfig, request: &Request) -> Option<String> {
    let config = input.typed_config.as_ref().expect("a configuration");
    assert_eq!(config.type_url, HttpRequestHeaderMatchInput::type_url());
    let input = HttpRequestHeaderMatchInput::decode(config.value.as_slice()).expect("an input");
    match input.header_name.as_str() {
        ":method" => Some(request.method.clone()),
        ":scheme" => Some(request.scheme.clone()),
        ":authority" => Some(request.authority.clone()),
        ":path" => Some(path_and_query(request)),
        "x-envoy-external-address" => Some(request.address.to_string()),
        name => {
            let values = request.headers(name);
            (!values.is_empty()).then(|| values.join(","))
        }
    }
}

fn tree_text(matcher: &TreeStringMatcher, value: &str) -> bool {
    let cased = |text: &str| {
        if matcher.ignore_case {
            text.to_ascii_lowercase()
        } else {
            text.to_owned()
        }
    };
    match matcher.match_pattern.as_ref().expect("a pattern") {
        TreePattern::Exact(exact) => cased(value) == cased(exact),
        TreePattern::Prefix(prefix) => cased(value).starts_with(&cased(prefix)),
        TreePattern::Suffix(suffix) => cased(value).ends_with(&cased(suffix)),
        TreePattern::Contains(part) => cased(value).contains(&cased(part)),
        TreePattern::SafeRegex(regex) => {
            assert!(regex.engine_type.is_some() && !matcher.ignore_case);
            whole(&regex.regex, value)
        }
        TreePattern::Custom(other) => panic!("{other:?}"),
    }
}

fn matches(route: &EnvoyRoute, request: &Request) -> bool {
    let rule = route.r#match.as_ref().expect("a match");
    let path = match rule.path_specifier.as_ref().expect("a path") {
        PathSpecifier::Prefix(prefix) => request.path.starts_with(prefix.as_str()),
        PathSpecifier::Path(path) => request.path == *path,
        PathSpecifier::SafeRegex(regex) => whole(&regex.regex, &request.path),
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
        MatchPattern::Prefix(prefix) => value.starts_with(prefix.as_str()),
        MatchPattern::SafeRegex(regex) => whole(&regex.regex, value),
        other => panic!("{other:?}"),
    }
}

thread_local! {
    /// Patterns that were built, which takes longer than all else here.
    static BUILT: RefCell<HashMap<String, regex::bytes::Regex>> = RefCell::default();
}

fn whole(pattern: &str, value: &str) -> bool {
    BUILT.with_borrow_mut(|built| {
        let built = built.entry(pattern.to_owned()).or_insert_with(|| {
            let whole = format!("^(?:{})$", pattern.replace(r"\C", "(?s:.)"));
            let built = regex::bytes::RegexBuilder::new(&whole)
                .unicode(false)
                .build();
            built.expect("a pattern")
        });
        built.is_match(value.as_bytes())
    })
}
