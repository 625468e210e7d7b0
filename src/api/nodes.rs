//! Nodes as the contract has them.

use tonic::Status;

use crate::snapshot::ResourceType;
use crate::xds::nodes::{Mark, Node, TypeStatus};

use super::listing::{Listing, Rank};
use super::shares::Standing;
use super::{Api, confirmed, pb};

/// What nodes can be sorted by.
const SORTS: &[&str] = &["id", "state", "gateway", "agent", "revision"];

/// The nodes that are connected here, or also elsewhere, and the other replicas.
pub fn list(api: &Api, asked: &pb::ListNodesRequest) -> Result<pb::ListNodesResponse, Status> {
    let page = (asked.page, asked.page_size);
    let listing = Listing::read(&asked.search, &asked.sort, page, SORTS)?;
    let live = api.others.live();
    let mut connected = api.nodes.connected();
    connected.sort_by(|a, b| (&a.gateway, &a.id).cmp(&(&b.gateway, &b.id)));
    let told = |node: &Node| {
        let newest = || api.gateways.find_for(&node.gateway, &node.cohort);
        let behind = !confirmed::has(&api.gateways, node, i64::MAX);
        let reason = behind.then(|| confirmed::reason(node, newest().as_deref()));
        message(node, reason.unwrap_or_default())
    };
    let mut nodes: Vec<_> = connected.iter().map(told).collect();
    if asked.elsewhere {
        nodes.extend(live.iter().flat_map(elsewhere));
    }
    nodes.retain(|node| asked.id.is_empty() || node.id == asked.id);
    if listing.searches() {
        nodes.retain(|node| listing.finds(&parts(node)));
    }
    let (nodes, total) = listing.page(nodes, |node| rank(node, &listing.sort));
    Ok(pb::ListNodesResponse {
        revision: api.gateways.revision(),
        nodes,
        total,
        gateways: Standing::of(api, &live).shares(i64::MAX),
        replicas: live,
    })
}

/// The nodes of another replica, as far as it tells of them.
fn elsewhere(replica: &pb::Replica) -> impl Iterator<Item = pb::Node> {
    let all = replica.connected.iter();
    let all = all.flat_map(|(gateway, ids)| ids.ids.iter().map(move |id| (gateway, id)));
    all.map(|(gateway, id)| {
        let mut behind = replica.behind.iter();
        let behind = behind.find(|one| one.node == *id && one.gateway == *gateway);
        pb::Node {
            id: id.clone(),
            gateway: gateway.clone(),
            replica: replica.id.clone(),
            synced: behind.is_none(),
            revision: behind.map_or(replica.confirmed, |one| one.revision),
            behind: behind.map_or_else(String::new, |one| one.reason.clone()),
            since: behind.and_then(|one| one.since),
            ..pb::Node::default()
        }
    })
}

fn state(node: &pb::Node) -> &'static str {
    if node.synced { "synced" } else { "behind" }
}

/// What a node is looked for by.
fn parts(node: &pb::Node) -> [String; 8] {
    let texts = [
        &node.id,
        &node.gateway,
        &node.address,
        &node.agent,
        &node.behind,
        &node.replica,
        &node.cohort,
    ];
    let [id, gateway, address, agent, behind, replica, cohort] = texts.map(Clone::clone);
    let state = state(node).to_owned();
    [id, gateway, address, agent, behind, replica, cohort, state]
}

fn rank(node: &pb::Node, by: &str) -> Rank {
    match by {
        "revision" => (node.revision, String::new()),
        "state" => (0, state(node).to_owned()),
        "gateway" => (0, node.gateway.clone()),
        "agent" => (0, node.agent.clone()),
        _ => (0, node.id.clone()),
    }
}

fn message(node: &Node, behind: String) -> pb::Node {
    let types = node.status.types.iter().zip(ResourceType::ALL);
    pb::Node {
        id: node.id.to_string(),
        gateway: node.gateway.to_string(),
        address: node
            .address
            .map(|address| address.to_string())
            .unwrap_or_default(),
        agent: node.agent.to_string(),
        protocol: node.protocol.as_str().to_owned(),
        connected: Some(node.connected.into()),
        synced: behind.is_empty(),
        since: Some(&behind)
            .filter(|behind| !behind.is_empty())
            .and_then(|_| confirmed::since(node)),
        replica: String::new(),
        cohort: node.cohort.to_string(),
        revision: node.status.revision,
        types: types
            .filter_map(|(status, resource_type)| Some(of_type(resource_type, status.as_ref()?)))
            .collect(),
        behind,
        unserved: node
            .status
            .unserved
            .iter()
            .map(ToString::to_string)
            .collect(),
    }
}

fn of_type(resource_type: ResourceType, status: &TypeStatus) -> pb::NodeType {
    let (refused, reason) = match &status.refused {
        Some((mark, reason)) => (Some(self::mark(mark)), reason.to_string()),
        None => (None, String::new()),
    };
    pb::NodeType {
        r#type: resource_type.as_str().to_owned(),
        sent: status.sent.as_ref().map(mark),
        acknowledged: status.acked.as_ref().map(mark),
        refused,
        reason,
    }
}

fn mark(mark: &Mark) -> pb::Mark {
    pb::Mark {
        version: mark.version.to_string(),
        revision: mark.revision,
        at: Some(mark.at.into()),
    }
}
