//! What an Envoy says on a delta ADS stream: clusters, their endpoints, listeners, their routes; every response accepted.
//!
//! Responses are not decoded: their fields are walked over, and names are read where a subscription needs them.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use envoy_types::pb::envoy::config::core::v3::Node;
use envoy_types::pb::envoy::service::discovery::v3::DeltaDiscoveryRequest;
use prost::Message;
use prost::encoding::{WireType, decode_key, decode_varint};

use chancery::snapshot::ResourceType;

/// The table that Chancery's default listener names.
const ROUTES: &str = "default";

/// The numbers of the fields of `DeltaDiscoveryResponse` and of its `Resource` that are looked at.
const RESOURCES: u32 = 2;
const TYPE_URL: u32 = 4;
const NONCE: u32 = 5;
const NAME: u32 = 3;
const VERSION: u32 = 1;

/// One proxy, as far as its side of the protocol goes.
#[derive(Default)]
pub struct Proxy {
    /// The nonce of the clusters that are accepted once their endpoints are there.
    warming: Option<String>,
    started: [bool; ResourceType::ALL.len()],
}

/// The first request of a stream: all clusters.
pub fn first_request(number: usize) -> Vec<u8> {
    let mut request = subscribe(ResourceType::Cluster, ["*".to_owned()]);
    request.node = Some(node(number));
    request.encode_to_vec()
}

fn node(number: usize) -> Node {
    Node {
        id: format!("fleet-{number:05}"),
        ..Node::default()
    }
}

/// What a proxy has: names and versions by type.
#[derive(Default)]
pub struct Inventory([BTreeMap<String, String>; ResourceType::ALL.len()]);

impl Inventory {
    /// Takes in what a response brings.
    pub fn note(&mut self, response: &[u8]) -> Result<()> {
        let has = &mut self.0[resource_type(response)?.index()];
        for each in fields(response) {
            if let (RESOURCES, resource) = each? {
                let version = text(field(resource, VERSION)?)?;
                has.insert(text(field(resource, NAME)?)?, version);
            }
        }
        Ok(())
    }

    /// What a proxy that has all of this says first on a new stream, each type at once.
    pub fn resume(&self, number: usize) -> Vec<Vec<u8>> {
        let types = ResourceType::ALL.into_iter().zip(&self.0);
        let said = types.filter(|(_, has)| !has.is_empty());
        let mut requests: Vec<_> = said
            .map(|(resource_type, has)| {
                let names = if resource_type.is_full_state() {
                    vec!["*".to_owned()]
                } else {
                    has.keys().cloned().collect()
                };
                DeltaDiscoveryRequest {
                    initial_resource_versions: has.clone().into_iter().collect(),
                    ..subscribe(resource_type, names)
                }
            })
            .collect();
        if let Some(first) = requests.first_mut() {
            first.node = Some(node(number));
        }
        requests.iter().map(Message::encode_to_vec).collect()
    }
}

impl Proxy {
    /// Takes a response, and tells its type and the requests that it leads to.
    pub fn handle(&mut self, response: &[u8]) -> Result<(ResourceType, Vec<Vec<u8>>)> {
        let resource_type = resource_type(response)?;
        let nonce = text(field(response, NONCE)?)?;
        let first = !std::mem::replace(&mut self.started[resource_type.index()], true);
        let ack = ack(resource_type, nonce.clone());
        let requests = match (resource_type, first) {
            (ResourceType::Cluster, true) => {
                self.warming = Some(nonce);
                vec![subscribe(ResourceType::LoadAssignment, names(response)?)]
            }
            (ResourceType::LoadAssignment, true) => {
                let clusters = self.warming.take().unwrap_or_default();
                let clusters = self::ack(ResourceType::Cluster, clusters);
                let listeners = subscribe(ResourceType::Listener, ["*".to_owned()]);
                vec![ack, clusters, listeners]
            }
            (ResourceType::Listener, true) => {
                let routes = subscribe(ResourceType::RouteConfiguration, [ROUTES.to_owned()]);
                vec![ack, routes]
            }
            _ => vec![ack],
        };
        let requests = requests.iter().map(Message::encode_to_vec).collect();
        Ok((resource_type, requests))
    }

    /// One that came back with all it had.
    pub fn resumed() -> Self {
        Self {
            warming: None,
            started: [true; ResourceType::ALL.len()],
        }
    }

    /// Whether it has had a first response of every type.
    pub fn is_synced(&self) -> bool {
        self.started[ResourceType::RouteConfiguration.index()]
    }
}

fn subscribe(
    resource_type: ResourceType,
    names: impl IntoIterator<Item = String>,
) -> DeltaDiscoveryRequest {
    DeltaDiscoveryRequest {
        type_url: resource_type.type_url().to_owned(),
        resource_names_subscribe: names.into_iter().collect(),
        ..DeltaDiscoveryRequest::default()
    }
}

fn ack(resource_type: ResourceType, nonce: String) -> DeltaDiscoveryRequest {
    DeltaDiscoveryRequest {
        type_url: resource_type.type_url().to_owned(),
        response_nonce: nonce,
        ..DeltaDiscoveryRequest::default()
    }
}

fn resource_type(response: &[u8]) -> Result<ResourceType> {
    let url = text(field(response, TYPE_URL)?)?;
    ResourceType::from_type_url(&url).with_context(|| format!("a response of type {url:?}"))
}

fn names(response: &[u8]) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for each in fields(response) {
        if let (RESOURCES, resource) = each? {
            names.push(text(field(resource, NAME)?)?);
        }
    }
    Ok(names)
}

fn text(bytes: &[u8]) -> Result<String> {
    Ok(std::str::from_utf8(bytes)?.to_owned())
}

fn field(message: &[u8], number: u32) -> Result<&[u8]> {
    for each in fields(message) {
        let (found, content) = each?;
        if found == number {
            return Ok(content);
        }
    }
    bail!("a response without field {number}")
}

/// The fields of a message that has none but length-delimited ones.
fn fields(mut message: &[u8]) -> impl Iterator<Item = Result<(u32, &[u8])>> {
    std::iter::from_fn(move || (!message.is_empty()).then(|| next_field(&mut message)))
}

fn next_field<'a>(message: &mut &'a [u8]) -> Result<(u32, &'a [u8])> {
    let (number, wire_type) = decode_key(message)?;
    if wire_type != WireType::LengthDelimited {
        bail!("field {number} of a response is not length-delimited");
    }
    let length = usize::try_from(decode_varint(message)?)?;
    let (content, rest) = message
        .split_at_checked(length)
        .context("a response ends within a field")?;
    *message = rest;
    Ok((number, content))
}
