//! Which nodes have accepted a revision, and why the others have not.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::SystemTime;

use prost_types::Timestamp;

use crate::snapshot::{ResourceType, Snapshot};
use crate::telemetry;
use crate::xds::gateways::{Cause, NotInForce};
use crate::xds::nodes::{Node, TypeStatus};
use crate::xds::{Gateways, Nodes, Settled};

use super::pb;

/// The longest reason that is passed on, in characters: a proxy's own words may be long.
pub(super) const REASON: usize = 500;

/// How many nodes a replica names to the others.
const CONNECTED: usize = 5_000;

/// Whether a node has accepted everything up to a revision that has been settled before this: that revision itself, or all
/// there is, where it changed nothing for the node.
pub fn has(gateways: &Gateways, node: &Node, revision: i64) -> bool {
    let status = &node.status;
    // `synced` may still be about the snapshot before the newest one.
    let up_to_date = |newest: Arc<Snapshot>| status.revision >= newest.revision;
    status.revision >= revision
        || status.synced
            && gateways
                .find_for(&node.gateway, &node.cohort)
                .is_some_and(up_to_date)
}

/// The connected nodes that have not accepted a settled revision.
pub fn behind(gateways: &Gateways, nodes: &Nodes, revision: i64) -> Vec<pb::Behind> {
    let mut behind = Vec::new();
    nodes.look(|node| {
        if !has(gateways, node, revision) {
            behind.push(pb::Behind {
                replica: String::new(),
                node: node.id.to_string(),
                gateway: node.gateway.to_string(),
                revision: node.status.revision,
                since: since(node),
                reason: reason(
                    node,
                    gateways.find_for(&node.gateway, &node.cohort).as_deref(),
                ),
            });
        }
    });
    behind
}

/// Whether the document's text is not in force and will not be by waiting.
pub fn is_rejected(problem: &NotInForce) -> bool {
    problem.cause != Cause::Waiting
}

/// The documents of which that holds.
pub fn rejected(settled: &Settled) -> impl Iterator<Item = pb::Rejected> {
    told(settled, is_rejected)
}

/// The documents whose text will be in force once a service has been answered.
pub fn waiting(settled: &Settled) -> impl Iterator<Item = pb::Rejected> {
    told(settled, |problem| !is_rejected(problem))
}

fn told(settled: &Settled, of: impl Fn(&NotInForce) -> bool) -> impl Iterator<Item = pb::Rejected> {
    let problems = settled.problems.iter();
    let told = problems.filter(move |(_, problem)| of(problem));
    told.map(|(path, problem)| pb::Rejected {
        document: path.to_string(),
        revision: problem.revision,
        reason: telemetry::shown(&problem.reason, REASON),
    })
}

/// What of a revision waits, as somebody who is behind.
pub fn behind_by(
    waiting: impl Iterator<Item = pb::Rejected>,
    revision: i64,
    replica: &str,
) -> impl Iterator<Item = pb::Behind> {
    let waiting = waiting.filter(move |one| one.revision == revision);
    waiting.map(move |one| pb::Behind {
        replica: replica.to_owned(),
        reason: format!("{} waits: {}", one.document, one.reason),
        ..pb::Behind::default()
    })
}

/// What this replica says of itself; `limit` bounds those that it names.
pub fn own(gateways: &Gateways, nodes: &Nodes, limit: usize) -> pb::Replica {
    let settled = gateways.settled().borrow().clone();
    let mut behind = behind(gateways, nodes, settled.documents);
    let slowest = behind.iter().map(|behind| behind.revision).min();
    let mut replica = pb::Replica {
        revision: settled.documents,
        confirmed: slowest.unwrap_or(settled.documents),
        ..pb::Replica::default()
    };
    let mut named = 0;
    nodes.look(|node| {
        let gateway = node.gateway.to_string();
        *replica.nodes.entry(gateway.clone()).or_default() += 1;
        if named < CONNECTED {
            named += 1;
            let connected = replica.connected.entry(gateway).or_default();
            connected.ids.push(node.id.to_string());
        }
    });
    for connected in replica.connected.values_mut() {
        connected.ids.sort();
        connected.ids.dedup();
    }
    behind.sort_by(|a, b| (&a.gateway, &a.node).cmp(&(&b.gateway, &b.node)));
    behind.truncate(limit);
    replica.behind = behind;
    replica.rejected = newest(rejected(&settled), limit);
    replica.waiting = newest(waiting(&settled), limit);
    replica
}

fn newest(texts: impl Iterator<Item = pb::Rejected>, limit: usize) -> Vec<pb::Rejected> {
    let mut texts: Vec<_> = texts.collect();
    texts.sort_by_key(|text| Reverse(text.revision));
    texts.truncate(limit);
    texts
}

/// Since when a node is behind: since the oldest of what it was sent and has not accepted.
pub fn since(node: &Node) -> Option<Timestamp> {
    let types = node.status.types.iter().flatten();
    let late = types.filter_map(|status| match &status.refused {
        Some((refused, _)) => Some(refused.at),
        None => status
            .sent
            .filter(|_| is_unanswered(status))
            .map(|sent| sent.at),
    });
    late.min().map(seconds)
}

/// Why a node is behind; since when, [`since`] says. The same words for as long as nothing changes.
pub fn reason(node: &Node, newest: Option<&Snapshot>) -> String {
    let mut types = node
        .status
        .types
        .iter()
        .zip(ResourceType::ALL)
        .filter_map(|(status, resource_type)| Some((status.as_ref()?, resource_type)));
    let refused = types.clone().find_map(|(status, resource_type)| {
        let (_, reason) = status.refused.as_ref()?;
        Some(format!("{} refused: {reason}", resource_type.as_str()))
    });
    if let Some(refused) = refused {
        return refused.chars().take(REASON).collect();
    }
    let unanswered = types.find_map(|(status, resource_type)| {
        is_unanswered(status)
            .then(|| format!("{} sent and not acknowledged", resource_type.as_str()))
    });
    match (unanswered, newest) {
        (Some(unanswered), _) => unanswered,
        (None, None) => format!("gateway `{}` is not known here", node.gateway),
        (None, Some(_)) => "not sent yet".to_owned(),
    }
}

fn is_unanswered(status: &TypeStatus) -> bool {
    status.sent.is_some_and(|sent| {
        let acked = status.acked.is_some_and(|acked| acked.at >= sent.at);
        let refused = status
            .refused
            .as_ref()
            .is_some_and(|(refused, _)| refused.at >= sent.at);
        !acked && !refused
    })
}

/// To the second.
pub fn seconds(at: SystemTime) -> Timestamp {
    Timestamp {
        nanos: 0,
        ..at.into()
    }
}
