//! Which agent knows an instance, and whether it is left alone.

use std::collections::HashMap;

use super::Refusal;
use crate::model::Instance;
use crate::model::drain::Drain;
use crate::model::instance::Status;
use crate::registry::{Agents, Failure};

/// The node that an instance is registered at, and how its agent is reached.
pub struct Agent {
    /// The node's name.
    pub node: String,
    /// The agent's URL; nothing where it is not to be told.
    pub url: Option<String>,
}

/// The agent of an instance; `own` are the nodes of the agents that the settings name.
pub async fn of(
    agents: &Agents,
    own: &HashMap<String, String>,
    instance: &Instance,
) -> Result<Agent, Refusal> {
    let node = instance.node.to_string();
    let url = agents.url(own, &node, &instance.node_address);
    let url = url.map_err(|reason| Refusal::Registry(format!("{reason}; nothing is changed")))?;
    // Somebody has taken it out already, and it stays out when the drain ends. The agent is asked, as what is known here may
    // be from before the end of another drain, and a node's maintenance is not the instance's.
    if instance.status == Status::Maintenance {
        let set = agents.is_in_maintenance(&url, &instance.service_id).await;
        let failed = |failure: Failure| Refusal::Registry(format!("{failure}; nothing is changed"));
        if set.map_err(failed)? {
            return Ok(Agent { node, url: None });
        }
    }
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
