//! What Consul says of everything at once, read: failing checks, nodes, and the services of a node. Pure.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::super::written::Written;

/// A check that does not pass.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Check {
    /// Where it runs.
    pub node: Arc<str>,
    #[serde(rename = "CheckID")]
    pub id: Arc<str>,
    /// The service that it is about; empty when it is about the node.
    #[serde(default)]
    pub service_name: Arc<str>,
}

/// One node of the catalog.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Node {
    /// Its name.
    pub node: String,
    /// When it was last written.
    #[serde(default)]
    pub modify_index: u64,
}

/// Reads a list; entries that are malformed are passed over, as the instances behind them are read and reported elsewhere.
pub fn list<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<Vec<T>, serde_json::Error> {
    let values: Vec<Value> = serde_json::from_slice(body)?;
    let read = values.into_iter().map(serde_json::from_value);
    Ok(read.filter_map(Result::ok).collect())
}

/// Reads what `/v1/catalog/node/NAME` says: the names of services, one for each instance, and when these were last written;
/// `null` is a node that has gone.
pub fn services(body: &[u8], node: &Node) -> Result<Vec<(Arc<str>, Written)>, serde_json::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Held<T> {
        services: Option<HashMap<String, T>>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Service {
        service: Arc<str>,
        #[serde(default)]
        modify_index: u64,
    }
    let written = |(id, service): (String, Service)| {
        let written = Written::of(&node.node, node.modify_index, &id, service.modify_index);
        (service.service, written)
    };
    if let Ok(held) = serde_json::from_slice::<Option<Held<Service>>>(body) {
        let services = held.and_then(|held| held.services).unwrap_or_default();
        return Ok(services.into_iter().map(written).collect());
    }
    // Slower, entry by entry, to pass over the bad one.
    let held: Option<Held<Value>> = serde_json::from_slice(body)?;
    let services = held.and_then(|held| held.services).unwrap_or_default();
    let read = services
        .into_iter()
        .filter_map(|(id, value)| Some((id, serde_json::from_value(value).ok()?)));
    Ok(read.map(written).collect())
}
