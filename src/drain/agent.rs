//! Which agent knows an instance. Pure.

use crate::model::drain::Drain;
use crate::registry::{Agents, Instance, Status};

use super::Refusal;

/// The node that an instance is registered at, and how its agent is reached.
pub struct Agent {
    /// The node's name.
    pub node: String,
    /// The agent's URL; nothing where it is not to be told.
    pub url: Option<String>,
}

/// The agent of an instance; `own` is the node of the agent that the settings name.
pub fn of(agents: &Agents, own: Option<&str>, instance: &Instance) -> Result<Agent, Refusal> {
    let node = instance.node.to_string();
    // Somebody has taken it out already, and it stays out when the drain ends.
    if instance.status == Status::Maintenance {
        return Ok(Agent { node, url: None });
    }
    let url = agents.url(own, &node, &instance.node_address);
    let url = url.map_err(|reason| Refusal::Registry(format!("{reason}; nothing is changed")))?;
    Ok(Agent {
        node,
        url: Some(url),
    })
}

/// The instance's id at its own agent.
pub fn service_id(drain: &Drain) -> &str {
    let own = drain.instance.strip_prefix(drain.node.as_str());
    own.and_then(|own| own.strip_prefix('/'))
        .unwrap_or(&drain.instance)
}
