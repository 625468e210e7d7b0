//! What Consul says of everything at once, read: failing checks, nodes, and the services of a node. Pure.
//!
//! Only what tells one state from another is kept, so that five thousand services are some hundred kilobytes here.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

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

/// By service id, the name of the service and when it was last written.
pub type Services = BTreeMap<String, (Arc<str>, u64)>;

/// What a node has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held {
    /// When the node itself was last written: its address and meta belong to all its instances.
    pub written: u64,
    pub services: Services,
}

/// Reads a list; entries that are malformed are passed over, as the instances behind them are read and reported elsewhere.
pub fn list<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<Vec<T>, serde_json::Error> {
    let values: Vec<Value> = serde_json::from_slice(body)?;
    let read = values.into_iter().map(serde_json::from_value);
    Ok(read.filter_map(Result::ok).collect())
}

/// Reads what `/v1/catalog/node/NAME` says; `null` is a node that has gone.
pub fn services(body: &[u8]) -> Result<Services, serde_json::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Node {
        services: Option<BTreeMap<String, Value>>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Service {
        service: Arc<str>,
        #[serde(default)]
        modify_index: u64,
    }
    let node: Option<Node> = serde_json::from_slice(body)?;
    let services = node.and_then(|node| node.services).unwrap_or_default();
    let read = services.into_iter().filter_map(|(id, value)| {
        let Service {
            service,
            modify_index,
        } = serde_json::from_value(value).ok()?;
        Some((id, (service, modify_index)))
    });
    Ok(read.collect())
}

/// The nodes as they were last seen.
#[derive(Debug, Default)]
pub struct Catalog {
    nodes: BTreeMap<String, Held>,
}

impl Catalog {
    /// Takes what all nodes have now; the names of services that differ.
    pub fn handle_nodes(&mut self, nodes: BTreeMap<String, Held>) -> BTreeSet<Arc<str>> {
        let before = std::mem::replace(&mut self.nodes, nodes);
        let mut touched = BTreeSet::new();
        let nothing = Held::default();
        for (name, now) in &self.nodes {
            let held = before.get(name).unwrap_or(&nothing);
            if held != now {
                differences(held, now, &mut touched);
            }
        }
        for (_, gone) in before
            .iter()
            .filter(|(name, _)| !self.nodes.contains_key(*name))
        {
            differences(gone, &nothing, &mut touched);
        }
        touched
    }
}

fn differences(before: &Held, now: &Held, touched: &mut BTreeSet<Arc<str>>) {
    let same = |id: &String, one: &(Arc<str>, u64), other: &Held| {
        before.written == now.written && other.services.get(id) == Some(one)
    };
    for (one, other) in [(before, now), (now, before)] {
        let differ = one.services.iter().filter(|(id, of)| !same(id, of, other));
        touched.extend(differ.map(|(_, (name, _))| name.clone()));
    }
}
