//! Which agent knows an instance, and whether it is left alone.

use std::collections::HashMap;

use crate::model::Instance;
use crate::model::drain::Drain;
use crate::model::instance::Status;
use crate::registry::Agents;

use super::DrainError;

/// The node that an instance is registered at, and how its agent is reached.
pub struct Agent {
    pub node: String,
    pub url: String,
    /// Whether somebody may have taken the instance out already, so that it is to stay out when the drain ends. The agent
    /// knows: what is known here may be from before the end of another drain, and a node's maintenance is not the instance's.
    pub is_unsure: bool,
}

/// The agent of an instance; `own` are the nodes of the agents that the settings name. Asks nobody.
pub fn of(
    agents: &Agents,
    own: &HashMap<String, String>,
    instance: &Instance,
) -> Result<Agent, DrainError> {
    let node = instance.node.to_string();
    let url = agents
        .url(own, &node, &instance.node_address)
        .map_err(|reason| DrainError::Registry(format!("{reason}; nothing is changed")))?;
    Ok(Agent {
        node,
        url,
        is_unsure: instance.status == Status::Maintenance,
    })
}

/// The instance's id at its own agent.
pub fn service_id(drain: &Drain) -> &str {
    let own = drain.instance.strip_prefix(drain.node.as_str());
    own.and_then(|own| own.strip_prefix('/'))
        .unwrap_or(&drain.instance)
}
