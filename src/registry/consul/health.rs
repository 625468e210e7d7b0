//! Consul's health answer, read: which of its entries are instances that Envoy can be given. Pure.
//!
//! One bad entry costs that instance, never its service. Which fields mean what: Consul's API, `/v1/health/service`.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use crate::registry::Instance;

/// What an answer says, in the order it came in.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Healthy {
    /// The entries that are usable.
    pub instances: Vec<Instance>,
    /// Who is left out and why, one sentence each, for the person who registered it.
    pub left_out: BTreeSet<String>,
}

/// The part of an entry that matters here. Tags, checks and the rest are not looked at, so that nothing in them can fail.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    node: Node,
    service: Service,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Node {
    node: String,
    address: Option<String>,
    datacenter: Option<Arc<str>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Service {
    #[serde(rename = "ID")]
    id: String,
    address: Option<String>,
    port: u16,
    meta: Option<BTreeMap<String, String>>,
    weights: Option<Weights>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Weights {
    passing: u32,
}

/// Reads the body of an answer. An error means that it is no answer at all.
pub fn read(body: &[u8]) -> Result<Healthy, serde_json::Error> {
    let mut healthy = Healthy::default();
    if let Ok(entries) = serde_json::from_slice::<Vec<Entry>>(body) {
        for entry in entries {
            healthy.handle_entry(entry);
        }
        return Ok(healthy);
    }
    // Slower, entry by entry, to find the bad one.
    let values: Vec<Value> = serde_json::from_slice(body)?;
    for (position, value) in values.into_iter().enumerate() {
        let name = name(&value).unwrap_or_else(|| format!("[{position}]"));
        match serde_json::from_value(value) {
            Ok(entry) => healthy.handle_entry(entry),
            Err(error) => healthy.leave_out(&name, &format!("its entry is malformed ({error})")),
        }
    }
    Ok(healthy)
}

/// `<node>/<service id>`: a service's id is unique on its node only.
fn name(value: &Value) -> Option<String> {
    let node = value.pointer("/Node/Node")?.as_str()?;
    let id = value.pointer("/Service/ID")?.as_str()?;
    Some(format!("{node}/{id}"))
}

impl Healthy {
    fn handle_entry(&mut self, entry: Entry) {
        let Entry { node, service } = entry;
        let id = format!("{}/{}", node.node, service.id);
        // A service that is registered without an address is reached at its node's.
        let address = [service.address, node.address]
            .into_iter()
            .flatten()
            .find(|address| !address.is_empty());
        let Some(address) = address else {
            return self.leave_out(&id, "neither it nor its node has an address");
        };
        let Ok(address) = address.parse::<IpAddr>() else {
            let reason = format!(
                "its address `{address}` is a host name, and Envoy is given IP addresses only; register it with one"
            );
            return self.leave_out(&id, &reason);
        };
        if service.port == 0 {
            return self.leave_out(&id, "it is registered without a port");
        }
        self.instances.push(Instance {
            id: id.into(),
            address,
            port: service.port,
            weight: service.weights.map_or(1, |weights| weights.passing),
            zone: node.datacenter.unwrap_or_default(),
            metadata: service.meta.unwrap_or_default(),
        });
    }

    fn leave_out(&mut self, id: &str, reason: &str) {
        self.left_out
            .insert(format!("instance `{id}` is left out: {reason}"));
    }
}
