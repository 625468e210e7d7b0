//! A route table's encoded form, put together from parts that are encoded already: the cost is that of copying them.
//!
//! Fields by number and map entries by key, as `canonical` has it.

use std::sync::LazyLock;

use bytes::Bytes;
use envoy_types::pb::envoy::config::route::v3::{
    Route, RouteConfiguration, RouteList, VirtualHost as EnvoyVirtualHost,
};
use envoy_types::pb::envoy::r#type::matcher::v3::HttpRequestHeaderMatchInput;
use envoy_types::pb::google::protobuf::Any;
use envoy_types::pb::xds::core::v3::TypedExtensionConfig;
use envoy_types::pb::xds::r#type::matcher::v3::matcher::{OnMatch, on_match};
use prost::{Message, Name};

use super::tier::{Candidate, Part};
use super::{Domain, VirtualHost, address};
use crate::envoy::canonical;
use crate::envoy::proto::{tree_extension, uint32};
use crate::envoy::wire::{put, put_header, size};
use crate::model::Host;
use crate::plugin::shared::answer::ANSWER_BYTES;

/// `RouteConfiguration.virtual_hosts`
const VIRTUAL_HOSTS: u32 = 2;
/// `VirtualHost.matcher`
const MATCHER: u32 = 21;
/// `Matcher.matcher_tree`
const MATCHER_TREE: u32 = 2;
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

/// Routes as they stand in the list of a leaf.
pub(super) fn routes(routes: &[Route]) -> Bytes {
    let mut list = Vec::new();
    for route in routes {
        put(&mut list, ROUTES, &canonical(route));
    }
    list.into()
}

/// A leaf as it stands in the tree: the entry of the map, with its key.
pub(super) fn leaf(key: &str, candidates: &[&Candidate]) -> Bytes {
    let parts: Vec<&Part> = candidates.iter().flat_map(|one| &one.parts).collect();
    let value = address::on_match(&parts).encode_to_vec();
    let mut entry = Vec::with_capacity(key.len() + value.len() + 16);
    put(&mut entry, KEY, key.as_bytes());
    put(&mut entry, VALUE, &value);
    let mut leaf = Vec::with_capacity(size(MAP, entry.len()));
    put(&mut leaf, MAP, &entry);
    leaf.into()
}

/// A list of routes, of which the first that matches is taken; with what it takes from there.
pub(super) fn list<'a>(parts: impl Iterator<Item = &'a Part>) -> OnMatch {
    let encoded: Vec<&[u8]> = parts.map(|part| &*part.encoded).collect();
    let list = Any {
        type_url: RouteList::type_url(),
        value: encoded.concat(),
    };
    OnMatch {
        on_match: Some(on_match::OnMatch::Action(TypedExtensionConfig {
            name: "routes".to_owned(),
            typed_config: Some(list),
        })),
        ..OnMatch::default()
    }
}

/// What stands in a virtual host before its tree: its name, which is its domain.
pub(super) fn head(domain: &Domain) -> Bytes {
    let name = match domain {
        None => "*".to_owned(),
        Some(Host::Exact(name)) => name.to_string(),
        Some(Host::Suffix(suffix)) => format!("*{suffix}"),
    };
    let head = EnvoyVirtualHost {
        domains: vec![name.clone()],
        name,
        ..EnvoyVirtualHost::default()
    };
    head.encode_to_vec().into()
}

/// The whole table. Leaves that have not been made are left out.
pub(super) fn route_configuration<'a>(
    name: &str,
    hosts: impl Iterator<Item = &'a VirtualHost>,
) -> Bytes {
    let head = RouteConfiguration {
        name: name.to_owned(),
        ..RouteConfiguration::default()
    }
    .encode_to_vec();
    let tail = RouteConfiguration {
        max_direct_response_body_size_bytes: Some(uint32(ANSWER_BYTES)),
        ignore_port_in_host_matching: true,
        ..RouteConfiguration::default()
    }
    .encode_to_vec();
    let encoded: Vec<EncodedHost> = hosts.map(EncodedHost::new).collect();
    let length: usize = encoded
        .iter()
        .map(|host| size(VIRTUAL_HOSTS, host.length))
        .sum();
    let mut out = Vec::with_capacity(head.len() + length + tail.len());
    out.extend_from_slice(&head);
    for host in encoded {
        host.put(&mut out);
    }
    out.extend_from_slice(&tail);
    out.into()
}

/// A virtual host before it is written, with the length of every message on the way down to its leaves.
struct EncodedHost<'a> {
    host: &'a VirtualHost,
    map: usize,
    tree: usize,
    matcher: usize,
    length: usize,
}

impl<'a> EncodedHost<'a> {
    fn new(host: &'a VirtualHost) -> Self {
        let map = host.leaves.values().flatten().map(Bytes::len).sum();
        let tree = size(INPUT, PATH.len()) + size(PREFIX_MATCH_MAP, map);
        let matcher = size(MATCHER_TREE, tree);
        let length = host.head.len() + size(MATCHER, matcher);
        Self {
            host,
            map,
            tree,
            matcher,
            length,
        }
    }

    fn put(&self, out: &mut Vec<u8>) {
        put_header(out, VIRTUAL_HOSTS, self.length);
        out.extend_from_slice(&self.host.head);
        put_header(out, MATCHER, self.matcher);
        put_header(out, MATCHER_TREE, self.tree);
        put(out, INPUT, &PATH);
        put_header(out, PREFIX_MATCH_MAP, self.map);
        for leaf in self.host.leaves.values().flatten() {
            out.extend_from_slice(leaf);
        }
    }
}

/// What the tree looks at: the path, and the query behind it.
static PATH: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let input = HttpRequestHeaderMatchInput {
        header_name: ":path".to_owned(),
    };
    tree_extension("path", &input).encode_to_vec()
});
