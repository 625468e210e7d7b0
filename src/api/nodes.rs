//! Nodes as the contract has them.

use crate::snapshot::ResourceType;
use crate::xds::nodes::{Mark, Node, TypeStatus};

use super::{Api, confirmed, pb};

/// The nodes that are connected here, and the other replicas.
pub fn list(api: &Api) -> pb::ListNodesResponse {
    let mut nodes = api.nodes.connected();
    nodes.sort_by(|a, b| (&a.gateway, &a.id).cmp(&(&b.gateway, &b.id)));
    pb::ListNodesResponse {
        revision: api.gateways.revision(),
        nodes: nodes
            .iter()
            .map(|node| {
                let newest = || api.gateways.find_for(&node.gateway, &node.cohort);
                let behind = !confirmed::has(&api.gateways, node, i64::MAX);
                let reason = behind.then(|| confirmed::reason(node, newest().as_deref()));
                message(node, reason.unwrap_or_default())
            })
            .collect(),
        replicas: api.others.live(),
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
