//! Consul's health answer, read: which of its entries are instances that Envoy can be given, and how they fare. Pure.
//!
//! One bad entry costs that instance, never its service. Which fields mean what: Consul's API, `/v1/health/service`.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::written::Written;
use crate::model::Instance;
use crate::model::instance::Status;

/// What an answer says, in the order it came in.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Registered {
    /// The entries that are usable, whatever their status.
    pub instances: Vec<Instance>,
    /// Who is left out and why, one sentence each, for the person who registered it.
    pub left_out: BTreeSet<String>,
    /// When all of them were written, those left out included.
    pub written: Written,
}

/// The part of an entry that matters here. The rest is not looked at, so that nothing in it can fail.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ServiceEntry {
    node: Node,
    service: Service,
    checks: Option<Vec<Check>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Node {
    node: String,
    #[serde(default)]
    modify_index: u64,
    address: Option<String>,
    datacenter: Option<Arc<str>>,
    meta: Option<BTreeMap<String, String>>,
    locality: Option<Locality>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Service {
    #[serde(rename = "ID")]
    id: Arc<str>,
    #[serde(default)]
    modify_index: u64,
    address: Option<String>,
    port: u16,
    tags: Option<BTreeSet<Arc<str>>>,
    meta: Option<BTreeMap<String, String>>,
    weights: Option<Weights>,
    tagged_addresses: Option<BTreeMap<Arc<str>, Tagged>>,
    locality: Option<Locality>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Weights {
    passing: u32,
    warning: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tagged {
    address: String,
    port: u16,
}

/// Where newer Consuls say that a node or a service stands.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Locality {
    region: Option<Arc<str>>,
    zone: Option<Arc<str>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Check {
    #[serde(rename = "CheckID")]
    id: String,
    status: String,
}

/// Reads the body of an answer. An error means that it is no answer at all.
pub fn read(body: &[u8]) -> Result<Registered, serde_json::Error> {
    let mut registered = Registered::default();
    if let Ok(entries) = serde_json::from_slice::<Vec<ServiceEntry>>(body) {
        for entry in entries {
            registered.handle_entry(entry);
        }
        return Ok(registered);
    }
    // Slower, entry by entry, to find the bad one.
    let values: Vec<Value> = serde_json::from_slice(body)?;
    for (position, value) in values.into_iter().enumerate() {
        let name = name(&value).unwrap_or_else(|| format!("[{position}]"));
        let written = written(&value);
        match serde_json::from_value(value) {
            Ok(entry) => registered.handle_entry(entry),
            Err(error) => {
                registered.written.add(written);
                registered.leave_out(&name, &format!("its entry is malformed ({error})"));
            }
        }
    }
    Ok(registered)
}

/// `<node>/<service id>`: a service's id is unique on its node only.
fn name(value: &Value) -> Option<String> {
    let node = value.pointer("/Node/Node")?.as_str()?;
    let id = value.pointer("/Service/ID")?.as_str()?;
    Some(format!("{node}/{id}"))
}

fn written(value: &Value) -> Written {
    let text = |at| value.pointer(at).and_then(Value::as_str);
    let index = |at| value.pointer(at).and_then(Value::as_u64);
    let (node, id) = (text("/Node/Node"), text("/Service/ID"));
    Written::of(
        node.unwrap_or_default(),
        index("/Node/ModifyIndex").unwrap_or_default(),
        id.unwrap_or_default(),
        index("/Service/ModifyIndex").unwrap_or_default(),
    )
}

impl Registered {
    fn handle_entry(&mut self, entry: ServiceEntry) {
        let (node, service) = (&entry.node, &entry.service);
        self.written.add(Written::of(
            &node.node,
            node.modify_index,
            &service.id,
            service.modify_index,
        ));
        let id = format!("{}/{}", entry.node.node, entry.service.id);
        match entry.instance(&id) {
            Ok(instance) => self.instances.push(instance),
            Err(reason) => self.leave_out(&id, &reason),
        }
    }

    fn leave_out(&mut self, id: &str, reason: &str) {
        self.left_out
            .insert(format!("instance `{id}` is left out: {reason}"));
    }
}

impl ServiceEntry {
    /// The instance, or why Envoy cannot be given it.
    fn instance(self, id: &str) -> Result<Instance, String> {
        let Self {
            node,
            service,
            checks,
        } = self;
        // A service that is registered without an address is reached at its node's.
        let addresses = [service.address.as_deref(), node.address.as_deref()];
        let host = addresses
            .into_iter()
            .flatten()
            .find(|host| !host.is_empty())
            .ok_or("neither it nor its node has an address")?;
        let address: IpAddr = host.parse().map_err(|_| {
            format!(
                "its address `{host}` is a host name, and Envoy is given IP addresses only; register it with one"
            )
        })?;
        if service.port == 0 {
            return Err("it is registered without a port".to_owned());
        }
        let own = SocketAddr::new(address, service.port);
        let status = status(&checks.unwrap_or_default());
        let (region, zone) = place(&node, service.locality);
        Ok(Instance {
            status,
            weight: weight(status, service.weights),
            region,
            zone,
            tags: service.tags.unwrap_or_default(),
            metadata: service.meta.unwrap_or_default(),
            tagged: tagged(service.tagged_addresses.unwrap_or_default(), own),
            service_id: service.id,
            node: node.node.into(),
            node_address: node.address.unwrap_or_default().into(),
            ..Instance::new(id, address, service.port)
        })
    }
}

/// The worst of an instance's checks; its node's are among them. Maintenance is a check of a known id.
fn status(checks: &[Check]) -> Status {
    let of = |check: &Check| match (&*check.id, &*check.status) {
        (_, "passing") => Status::Passing,
        ("_node_maintenance", _) => Status::Maintenance,
        (id, _) if id.starts_with("_service_maintenance:") => Status::Maintenance,
        (_, "warning") => Status::Warning,
        _ => Status::Critical,
    };
    checks.iter().map(of).max().unwrap_or_default()
}

/// One where Consul says nothing, as it does itself.
fn weight(status: Status, weights: Option<Weights>) -> u32 {
    let Some(weights) = weights else { return 1 };
    match status {
        Status::Warning => weights.warning.unwrap_or(1),
        _ => weights.passing,
    }
}

/// Region and zone: as Consul knows them, else from the `region` and `zone` of the node's meta; the datacenter is the zone
/// where nobody says another.
fn place(node: &Node, of_service: Option<Locality>) -> (Arc<str>, Arc<str>) {
    let locality = of_service.as_ref().or(node.locality.as_ref());
    let meta = |key| {
        node.meta
            .as_ref()?
            .get(key)
            .map(|value| value.as_str().into())
    };
    let said = |text: &Option<Arc<str>>| text.clone().filter(|text| !text.is_empty());
    let region = locality.and_then(|locality| said(&locality.region));
    let zone = locality.and_then(|locality| said(&locality.zone));
    (
        region.or_else(|| meta("region")).unwrap_or_default(),
        zone.or_else(|| meta("zone"))
            .or_else(|| node.datacenter.clone())
            .unwrap_or_default(),
    )
}

/// The tagged addresses that can be used and are not the instance's own, which Consul repeats under several names.
fn tagged(
    addresses: BTreeMap<Arc<str>, Tagged>,
    own: SocketAddr,
) -> BTreeMap<Arc<str>, SocketAddr> {
    let usable = addresses.into_iter().filter_map(|(name, tagged)| {
        let port = match tagged.port {
            0 => own.port(),
            port => port,
        };
        let address = SocketAddr::new(tagged.address.parse().ok()?, port);
        (address != own).then_some((name, address))
    });
    usable.collect()
}
