//! Clients' addresses. An Envoy route cannot ask for one, only the matcher that leads to it; and a list of routes that was
//! led to is never left again. So where candidates of one list ask for addresses, it is split: by ranges, into one list per set
//! of candidates that a client of the range can have.
//!
//! The address is that of `x-envoy-external-address`, which no client can set (`listener/origin`).

use std::collections::HashMap;

use bytes::Bytes;
use envoy_types::pb::envoy::config::core::v3::CidrRange;
use envoy_types::pb::envoy::extensions::matching::input_matchers::ip::v3::Ip;
use envoy_types::pb::xds::r#type::matcher::v3::Matcher;
use envoy_types::pb::xds::r#type::matcher::v3::matcher::{
    MatcherList, MatcherType, OnMatch,
    matcher_list::{FieldMatcher, Predicate},
    on_match,
};
use ipnet::IpNet;

use super::tier::Part;
use super::{encode, guard};
use crate::envoy::proto::{tree_extension, uint32};
use crate::model::vars;

/// What a client's address must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Addresses {
    /// Disjoint, and in order.
    nets: Vec<IpNet>,
    /// Whether it must be in none of them.
    inverted: bool,
}

impl Addresses {
    pub fn among(nets: &[IpNet]) -> Self {
        Self::new(nets, false)
    }

    fn new(nets: &[IpNet], inverted: bool) -> Self {
        let mut nets = IpNet::aggregate(&nets.to_vec());
        nets.sort_unstable();
        Self { nets, inverted }
    }

    /// What a predicate asks of the address, if it does.
    pub fn of(predicate: &vars::Predicate) -> Option<Self> {
        match predicate {
            vars::Predicate::Address { nets, inverted } => Some(Self::new(nets, *inverted)),
            _ => None,
        }
    }

    /// The same for the match tree.
    pub fn predicate(&self) -> Predicate {
        let within = within(&self.nets.iter().collect::<Vec<_>>());
        if self.inverted {
            guard::is_not(within)
        } else {
            within
        }
    }

    /// Whether it holds for addresses of which this is the smallest range that any candidate of the leaf names; nothing
    /// stands for those of no range.
    fn hold(&self, smallest: Option<&IpNet>) -> bool {
        let within = |smallest: &IpNet| {
            // Of disjoint ranges the last that begins no later is the only one that can have it.
            let after = self
                .nets
                .partition_point(|net| net.network() <= smallest.network());
            let before = after.checked_sub(1).and_then(|at| self.nets.get(at));
            before.is_some_and(|net| net.contains(smallest))
        };
        smallest.is_some_and(within) != self.inverted
    }
}

/// Where a leaf leads: to the list of all its routes, or to one of several by the client's address.
pub(super) fn on_match(parts: &[&Part], common: Option<&Bytes>) -> OnMatch {
    let all = parts.iter().flat_map(|part| &part.addresses);
    let mut nets: Vec<&IpNet> = all.flat_map(|addresses| &addresses.nets).collect();
    if nets.is_empty() {
        return encode::list(parts.iter().copied(), common);
    }
    // The smallest ranges first: the first that has an address is the smallest that does.
    nets.sort_by_key(|net| (std::cmp::Reverse(net.prefix_len()), **net));
    nets.dedup();
    let matchers = classes(parts, &nets)
        .into_iter()
        .map(|(nets, class)| FieldMatcher {
            predicate: Some(within(&nets)),
            on_match: Some(list_of(parts, &class, common)),
        });
    let matcher = Matcher {
        matcher_type: Some(MatcherType::MatcherList(MatcherList {
            matchers: matchers.collect(),
        })),
        on_no_match: Some(Box::new(list_of(parts, &class_of(parts, None), common))),
    };
    OnMatch {
        on_match: Some(on_match::OnMatch::Matcher(Box::new(matcher))),
        ..OnMatch::default()
    }
}

/// For each part, whether clients of a range can have it.
type Class = Vec<bool>;

fn class_of(parts: &[&Part], smallest: Option<&IpNet>) -> Class {
    let holds = |part: &&Part| part.addresses.iter().all(|one| one.hold(smallest));
    parts.iter().map(holds).collect()
}

/// The ranges in order, joined where that changes nothing: those of one class that follow each other, and those of one
/// length, which are disjoint.
fn classes<'a>(parts: &[&Part], nets: &[&'a IpNet]) -> Vec<(Vec<&'a IpNet>, Class)> {
    let mut classes: Vec<(Vec<&IpNet>, Class)> = Vec::new();
    // Where those stand that the next range may join.
    let mut open: HashMap<Class, usize> = HashMap::new();
    let mut length = None;
    for net in nets {
        let class = class_of(parts, Some(net));
        if length.replace(net.prefix_len()) != Some(net.prefix_len()) {
            // The last class may go on with shorter ranges.
            let last = classes.len().checked_sub(1);
            open.retain(|_, at| Some(*at) == last);
        }
        match open.get(&class).and_then(|at| classes.get_mut(*at)) {
            Some((nets, _)) => nets.push(net),
            None => {
                open.insert(class.clone(), classes.len());
                classes.push((vec![net], class));
            }
        }
    }
    classes
}

fn list_of(parts: &[&Part], class: &Class, common: Option<&Bytes>) -> OnMatch {
    let holding = parts.iter().zip(class).filter(|(_, holds)| **holds);
    encode::list(holding.map(|(part, _)| *part), common)
}

fn within(nets: &[&IpNet]) -> Predicate {
    let range = |net: &&IpNet| CidrRange {
        address_prefix: net.addr().to_string(),
        prefix_len: Some(uint32(net.prefix_len().into())),
    };
    let ranges = Ip {
        cidr_ranges: nets.iter().map(range).collect(),
        stat_prefix: "client_address".to_owned(),
    };
    guard::custom(vars::ADDRESS_HEADER, tree_extension("ranges", &ranges))
}
