//! Load assignments: who a cluster's instances are, from the registry or from the document.
//!
//! Every group of endpoints has a locality and a weight of its own: clients that are not Envoy see no endpoints otherwise.
//! The weight is the sum of the group's, so that each instance's share is the same with groups as without.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use envoy_types::pb::envoy::config::core::v3::{HealthStatus, Locality, Metadata};
use envoy_types::pb::envoy::config::endpoint::v3::{
    ClusterLoadAssignment, Endpoint, LbEndpoint, LocalityLbEndpoints, endpoint::HealthCheckConfig,
    lb_endpoint::HostIdentifier,
};
use serde_json::{Map, Value};

use crate::envoy::proto::{address, structure, uint32};
use crate::model::drain::{self, Mode, Taken, TakenNodes};
use crate::model::upstream::{LeftOut, NodeCheck, Selection};
use crate::model::{Instance, Node};

/// One endpoint to be: what registry and document have in common.
struct Member {
    host: String,
    /// What `pass_host: node` calls it.
    hostname: String,
    port: u16,
    weight: u32,
    metadata: Option<Metadata>,
    check: Option<HealthCheckConfig>,
    draining: bool,
}

/// Region and zone.
type Place = (Arc<str>, Arc<str>);

/// Endpoints by priority (0 is preferred) and place.
type Groups = BTreeMap<(u32, Place), Vec<Member>>;

/// The load assignment of a service: the instances that are selected, grouped by region and zone. `preferred` has what
/// each datacenter answered, the one that comes first has priority 0; one with nobody to select takes no priority.
///
/// Envoy takes an address and port once: of instances that share them the first one counts. Those that are taken out get no
/// new request, whatever the registry says of them.
pub fn load_assignment(
    name: &str,
    selection: &Selection,
    preferred: &[&[Instance]],
    taken: &Taken,
) -> ClusterLoadAssignment {
    let mut groups = Groups::new();
    let mut addresses = HashSet::new();
    let mut priority = 0;
    for instances in preferred {
        let before = addresses.len();
        for instance in *instances {
            let address = selection.address(instance);
            let mode = taken.get(&drain::identity(instance)).copied();
            // One that was registered anew at the address of one that drains is not kept from its traffic by that.
            let shadowed = mode.is_some()
                && instances.iter().any(|other| {
                    selection.address(other) == address
                        && !taken.contains_key(&drain::identity(other))
                        && selection.leaves_out(other, None).is_none()
                });
            if shadowed || !stays(selection, instance, mode) || !addresses.insert(address) {
                continue;
            }
            let host = address.ip().to_string();
            let with_port = selection
                .unnamed_port
                .is_some_and(|port| port != address.port());
            let member = Member {
                hostname: hostname(&host, with_port.then_some(address.port())),
                host,
                port: address.port(),
                weight: instance.weight,
                metadata: None,
                check: check(&NodeCheck {
                    host: None,
                    port: selection.check_port,
                }),
                draining: mode.is_some(),
            };
            let place = (instance.region.clone(), instance.zone.clone());
            groups.entry((priority, place)).or_default().push(member);
        }
        priority += u32::from(addresses.len() > before);
    }
    assignment(name, groups)
}

/// Whether the load assignment has the instance.
fn stays(selection: &Selection, instance: &Instance, mode: Option<Mode>) -> bool {
    matches!(
        selection.leaves_out(instance, mode),
        None | Some(LeftOut::Drained(Mode::Draining))
    )
}

/// The load assignment of nodes that a document lists; a higher priority there is a lower number, so an earlier choice, here.
/// Those that are taken out get no new request, whatever the document says.
pub fn static_load_assignment(
    name: &str,
    nodes: &[Node],
    taken: &TakenNodes,
) -> ClusterLoadAssignment {
    let weighted = || nodes.iter().filter(|node| node.weight > 0);
    let priorities: BTreeSet<i32> = weighted().map(|node| node.priority).collect();
    let ranks: BTreeMap<i32, u32> = priorities.into_iter().rev().zip(0..).collect();
    let mut groups = Groups::new();
    for node in weighted() {
        let mode = node.place().and_then(|place| taken.get(&place).copied());
        if mode == Some(Mode::Leave) {
            continue;
        }
        let rank = ranks.get(&node.priority).copied().unwrap_or_default();
        let member = Member {
            hostname: hostname(&node.host, node.is_named_with_port.then_some(node.port)),
            host: node.host.to_string(),
            port: node.port,
            weight: node.weight,
            metadata: metadata(&node.metadata),
            check: check(&node.check),
            draining: mode.is_some(),
        };
        let place = ("".into(), "".into());
        groups.entry((rank, place)).or_default().push(member);
    }
    assignment(name, groups)
}

fn assignment(name: &str, groups: Groups) -> ClusterLoadAssignment {
    let total: u64 = groups
        .values()
        .flatten()
        .map(|member| u64::from(member.weight))
        .sum();
    let group = |((priority, (region, zone)), mut members): ((u32, Place), Vec<Member>)| {
        members.sort_by(|a, b| (&a.host, a.port, a.weight).cmp(&(&b.host, b.port, b.weight)));
        let weights: Vec<u32> = members
            .iter()
            .map(|member| scaled(member.weight, total))
            .collect();
        LocalityLbEndpoints {
            locality: Some(Locality {
                region: region.to_string(),
                zone: zone.to_string(),
                ..Locality::default()
            }),
            load_balancing_weight: Some(uint32(weights.iter().sum())),
            lb_endpoints: members
                .into_iter()
                .zip(weights)
                .map(|(member, weight)| endpoint(member, weight))
                .collect(),
            priority,
            ..LocalityLbEndpoints::default()
        }
    };
    ClusterLoadAssignment {
        cluster_name: name.to_owned(),
        endpoints: groups.into_iter().map(group).collect(),
        ..ClusterLoadAssignment::default()
    }
}

fn endpoint(member: Member, weight: u32) -> LbEndpoint {
    let health = if member.draining {
        HealthStatus::Draining
    } else {
        HealthStatus::Unknown
    };
    let endpoint = Endpoint {
        hostname: member.hostname,
        address: Some(address(member.host, member.port)),
        health_check_config: member.check,
        ..Endpoint::default()
    };
    LbEndpoint {
        load_balancing_weight: Some(uint32(weight)),
        host_identifier: Some(HostIdentifier::Endpoint(endpoint)),
        metadata: member.metadata,
        health_status: health.into(),
    }
}

fn hostname(host: &str, port: Option<u16>) -> String {
    match port {
        None => host.to_owned(),
        Some(port) if host.contains(':') => format!("[{host}]:{port}"),
        Some(port) => format!("{host}:{port}"),
    }
}

/// What is different when the node is asked for its health.
fn check(check: &NodeCheck) -> Option<HealthCheckConfig> {
    (*check != NodeCheck::default()).then(|| HealthCheckConfig {
        port_value: check.port.unwrap_or_default().into(),
        hostname: match check.host.as_deref() {
            Some(host) if host.contains(':') => format!("[{host}]"),
            host => host.unwrap_or_default().to_owned(),
        },
        ..HealthCheckConfig::default()
    })
}

/// A node's metadata, under a name that means nothing to Envoy itself.
fn metadata(fields: &Map<String, Value>) -> Option<Metadata> {
    (!fields.is_empty()).then(|| Metadata {
        filter_metadata: HashMap::from([("chancery".to_owned(), structure(fields))]),
        ..Metadata::default()
    })
}

/// Envoy refuses weights whose sum is no `u32`: such are scaled down, to a half of it, which leaves room for rounding up.
fn scaled(weight: u32, total: u64) -> u32 {
    if total <= u64::from(u32::MAX) {
        return weight;
    }
    let scaled = u128::from(weight) * u128::from(u32::MAX / 2) / u128::from(total);
    scaled.max(1) as u32
}
