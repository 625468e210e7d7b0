//! A route table's encoded form, put together from parts that are encoded already: the cost is that of copying them.
//!
//! Fields by number and map entries by key, as `canonical` has it.

use std::sync::LazyLock;

use bytes::Bytes;
use envoy_types::pb::envoy::config::core::v3::HeaderValueOption;
use envoy_types::pb::envoy::config::route::v3::{
    Route, RouteConfiguration, RouteList, VirtualHost, route::Action,
};
use envoy_types::pb::google::protobuf::Any;
use envoy_types::pb::xds::core::v3::TypedExtensionConfig;
use envoy_types::pb::xds::r#type::matcher::v3::matcher::{OnMatch, on_match};
use prost::{Message, Name};

use super::cell::CELL_HEADER;
use super::guard;
use super::tier::Part;
use crate::envoy::canonical;
use crate::envoy::proto::uint32;
use crate::envoy::wire::put;
use crate::plugin::shared::answer::ANSWER_BYTES;
use crate::plugin::shared::header;
use crate::translate::retry;

/// `RouteConfiguration.virtual_hosts`
const VIRTUAL_HOSTS: u32 = 2;
/// `VirtualHost.retry_policy`
const RETRY_POLICY: u32 = 16;
/// `VirtualHost.matcher`
const MATCHER: u32 = 21;
/// `Matcher.matcher_list`, `Matcher.matcher_tree`, `Matcher.on_no_match`
const MATCHER_LIST: u32 = 1;
const MATCHER_TREE: u32 = 2;
const ON_NO_MATCH: u32 = 3;
/// `MatcherList.matchers`
const MATCHERS: u32 = 1;
/// `FieldMatcher.predicate`, `FieldMatcher.on_match`
const PREDICATE: u32 = 1;
const ON_MATCH: u32 = 2;
/// `OnMatch.matcher`
const INNER: u32 = 1;
/// `MatcherTree.input`
const INPUT: u32 = 1;
/// `MatcherTree.prefix_match_map`
const PREFIX_MATCH_MAP: u32 = 3;
/// `MatchMap.map`
const MAP: u32 = 1;
/// The key and the value of any map's entry.
const KEY: u32 = 1;
const VALUE: u32 = 2;
/// `RouteList.routes`
const ROUTES: u32 = 1;

/// An encoded Envoy route, as it stands in the list of a leaf.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Listed {
    whole: Bytes,
    /// Its retry policy, and the rest of it.
    divided: Option<(Bytes, Bytes)>,
    retries: bool,
}

impl Listed {
    pub fn new(mut route: Route) -> Self {
        let listed = |route: &Route| {
            let mut listed = Vec::new();
            put(&mut listed, ROUTES, &canonical(route));
            Bytes::from(listed)
        };
        let whole = listed(&route);
        let policy = match &mut route.action {
            Some(Action::Route(forward)) => forward.retry_policy.take(),
            _ => None,
        };
        let retries = policy.as_ref().is_some_and(retry::retries_any);
        let divided = policy.map(|policy| (canonical(&policy), listed(&route)));
        Self {
            whole,
            divided,
            retries,
        }
    }

    pub fn retry_policy(&self) -> Option<&Bytes> {
        self.divided.as_ref().map(|(policy, _)| policy)
    }

    /// Whether a request gets a further attempt.
    pub fn retries(&self) -> bool {
        self.retries
    }

    /// Without the retry policy that its table has in common.
    pub fn beside(&self, common: Option<&Bytes>) -> &Bytes {
        match &self.divided {
            Some((policy, rest)) if Some(policy) == common => rest,
            _ => &self.whole,
        }
    }
}

/// A list of routes, of which the first that matches is taken; with what it takes from there.
pub(super) fn list<'a>(parts: impl Iterator<Item = &'a Part>, common: Option<&Bytes>) -> OnMatch {
    let routes = parts.flat_map(|part| &part.routes);
    let encoded: Vec<&[u8]> = routes.map(|route| &**route.beside(common)).collect();
    let list = Any {
        type_url: RouteList::type_url(),
        value: encoded.concat(),
    };
    OnMatch {
        on_match: Some(on_match::OnMatch::Action(TypedExtensionConfig {
            // It stands in the table thousands of times.
            name: "r".to_owned(),
            typed_config: Some(list),
        })),
        ..OnMatch::default()
    }
}

pub(super) fn on_match(on_match: &OnMatch) -> Bytes {
    canonical(on_match)
}

pub(super) fn predicate(predicate: &guard::Predicate) -> Bytes {
    canonical(predicate)
}

/// An encoded matcher as what a match leads to.
pub(super) fn matcher(matcher: &[u8]) -> Bytes {
    let mut on_match = Vec::with_capacity(matcher.len() + 8);
    put(&mut on_match, INNER, matcher);
    on_match.into()
}

/// A matcher that asks one predicate after the other, each with what it leads to.
pub(super) fn matcher_list<'a>(
    entries: impl Iterator<Item = (Bytes, &'a Bytes)>,
    on_no_match: Option<&[u8]>,
) -> Vec<u8> {
    let (mut list, mut entry) = (Vec::new(), Vec::new());
    for (predicate, on_match) in entries {
        entry.clear();
        put(&mut entry, PREDICATE, &predicate);
        put(&mut entry, ON_MATCH, on_match);
        put(&mut list, MATCHERS, &entry);
    }
    let mut matcher = Vec::with_capacity(list.len() + on_no_match.map_or(0, <[u8]>::len) + 16);
    put(&mut matcher, MATCHER_LIST, &list);
    if let Some(on_no_match) = on_no_match {
        put(&mut matcher, ON_NO_MATCH, on_no_match);
    }
    matcher
}

/// A matcher that leads to what the longest key does that the path begins with. The keys are in order.
pub(super) fn path_tree(leaves: &[(&str, Bytes)]) -> Vec<u8> {
    let (mut map, mut entry) = (Vec::new(), Vec::new());
    for (key, leaf) in leaves {
        entry.clear();
        put(&mut entry, KEY, key.as_bytes());
        put(&mut entry, VALUE, leaf);
        put(&mut map, MAP, &entry);
    }
    let mut tree = Vec::with_capacity(map.len() + PATH.len() + 16);
    put(&mut tree, INPUT, &PATH);
    put(&mut tree, PREFIX_MATCH_MAP, &map);
    let mut matcher = Vec::with_capacity(tree.len() + 8);
    put(&mut matcher, MATCHER_TREE, &tree);
    matcher
}

/// What a table says once for all its routes.
pub(super) struct ForAll<'a> {
    /// That of those which say none.
    pub retry_policy: Option<&'a Bytes>,
    /// Whether any of them tries again.
    pub retries: bool,
    /// Whether requests carry the number of their cell.
    pub numbered: bool,
}

/// The whole table: one virtual host for all requests, or none.
pub(super) fn route_configuration(name: &str, matcher: Option<&[u8]>, all: &ForAll) -> Bytes {
    let mut out = RouteConfiguration {
        name: name.to_owned(),
        ..RouteConfiguration::default()
    }
    .encode_to_vec();
    if let Some(matcher) = matcher {
        let mut host = VirtualHost {
            name: "*".to_owned(),
            domains: vec!["*".to_owned()],
            typed_per_filter_config: all.retries.then(retry::enabled).into_iter().collect(),
            ..VirtualHost::default()
        }
        .encode_to_vec();
        if let Some(policy) = all.retry_policy {
            put(&mut host, RETRY_POLICY, policy);
        }
        put(&mut host, MATCHER, matcher);
        put(&mut out, VIRTUAL_HOSTS, &host);
    }
    let hidden = all.numbered.then(|| CELL_HEADER.to_owned());
    let tail = RouteConfiguration {
        request_headers_to_add: told(),
        // What a route sets itself counts.
        most_specific_header_mutations_wins: true,
        request_headers_to_remove: hidden.into_iter().collect(),
        max_direct_response_body_size_bytes: Some(uint32(ANSWER_BYTES)),
        ..RouteConfiguration::default()
    };
    out.extend_from_slice(&tail.encode_to_vec());
    out.into()
}

/// What backends are told of the client, as APISIX tells them, whatever it says itself. The host is looked at before it is rewritten.
fn told() -> Vec<HeaderValueOption> {
    [
        ("x-real-ip", "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"),
        ("x-forwarded-host", "%REQ(:AUTHORITY)%"),
        ("x-forwarded-port", "%DOWNSTREAM_LOCAL_PORT%"),
    ]
    .map(|(name, value)| header::set(name, value))
    .into()
}

/// What the tree looks at: the path, and the query behind it.
static PATH: LazyLock<Vec<u8>> = LazyLock::new(|| guard::input(":path").encode_to_vec());
