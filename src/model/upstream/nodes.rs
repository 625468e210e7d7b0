//! Nodes that a document lists by hand, in both of APISIX's forms: `{"host:port": weight}` and a list of objects.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::{Node, NodeCheck};
use crate::model::bounds::{self, NODES};
use crate::model::decode::{quoted, shown};
use crate::model::problem::Remark;
use crate::model::scalar::{Port, Priority, Weight};

/// Nodes as they are written.
#[derive(Debug)]
pub(super) enum NodesForm {
    /// `{"127.0.0.1:8080": 1}`
    Weights(Vec<(String, u32)>),
    /// `[{"host": "127.0.0.1", "port": 8080, "weight": 1}]`
    List(Vec<NodeForm>),
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(super) struct NodeForm {
    /// An IP address or a DNS name.
    host: Address,
    /// The scheme's if not written.
    port: Option<Port>,
    /// Its share of the traffic, relative to the others; 0 gets none.
    weight: Weight,
    /// Higher is preferred; 0 if not written.
    priority: Option<Priority>,
    /// Free for whoever writes the document; Envoy has it as the endpoint's metadata, under `chancery`.
    #[serde(default)]
    metadata: BTreeMap<String, Value>,
}

impl JsonSchema for NodesForm {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Nodes".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let weight = generator.subschema_for::<Weight>();
        let node = generator.subschema_for::<NodeForm>();
        json_schema!({
            "anyOf": [
                {"type": "object", "additionalProperties": weight, "maxProperties": NODES},
                {"type": "array", "items": node, "maxItems": NODES},
            ]
        })
    }
}

impl<'de> Deserialize<'de> for NodesForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodesVisitor)
    }
}

struct NodesVisitor;

impl<'de> Visitor<'de> for NodesVisitor {
    type Value = NodesForm;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(r#"an object {"host:port": weight} or a list of {host, port, weight}"#)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<NodesForm, A::Error> {
        let found = fields.size_hint().unwrap_or_default();
        bounds::within(found, "nodes", NODES).map_err(de::Error::custom)?;
        let mut nodes = Vec::new();
        while let Some((address, weight)) = fields.next_entry::<String, Weight>()? {
            nodes.push((address, weight.0));
        }
        Ok(NodesForm::Weights(nodes))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<NodesForm, A::Error> {
        bounds::read_within(items, NODES).map(NodesForm::List)
    }
}

impl NodesForm {
    /// The nodes, each address and port once: of those that are there twice the weights add up. `port` is the scheme's, for nodes that
    /// name none.
    pub(super) fn checked(&self, port: Option<u16>) -> Result<Vec<Node>, Remark> {
        let nodes: Vec<(String, Node)> = match self {
            Self::Weights(nodes) => nodes
                .iter()
                .map(|(address, weight)| weighted(address, *weight, port))
                .collect::<Result<_, Remark>>()?,
            Self::List(nodes) => nodes
                .iter()
                .enumerate()
                .map(|(at, node)| node.checked(format!("nodes[{at}]"), port))
                .collect::<Result<_, Remark>>()?,
        };
        let nodes = joined(nodes)?;
        within_envoys_bounds(&nodes)?;
        Ok(nodes)
    }
}

impl NodeForm {
    fn checked(&self, place: String, port: Option<u16>) -> Result<(String, Node), Remark> {
        let port = self.port.map(|port| port.0).or(port);
        let node = Node {
            host: self.host.0.clone(),
            port: port.ok_or_else(|| no_port(&place))?,
            weight: self.weight.0,
            priority: self.priority.map_or(0, |priority| priority.0),
            metadata: self.metadata.clone().into_iter().collect(),
            check: NodeCheck::default(),
            is_named_with_port: false,
        };
        Ok((place, node))
    }
}

fn weighted(address: &str, weight: u32, port: Option<u16>) -> Result<(String, Node), Remark> {
    let place = format!("nodes.{}", shown(address));
    let (host, own) = split(address).map_err(|said| Remark::new(&place, said))?;
    let node = Node::new(host.0, own.or(port).ok_or_else(|| no_port(&place))?, weight);
    Ok((place, node))
}

fn no_port(place: &str) -> Remark {
    Remark::new(
        place,
        "has no port, and the scheme has none either, allowed: a port of 1–65535",
    )
}

/// What `discovery_type: dns` names: a node whose name Envoy resolves, to all of its addresses.
pub(super) fn by_dns(service: &str) -> Result<Node, Remark> {
    let wrong = |said: String| Remark::new("service_name", said);
    match split(service).map_err(wrong)? {
        (host, Some(port)) => Ok(Node::new(host.0, port, 1)),
        (_, None) => Err(wrong(format!(
            "found {}, whose port would stand in SRV records, which Envoy does not resolve, allowed: `name:port`",
            quoted(service)
        ))),
    }
}

/// Envoy refuses a load assignment with an address twice.
fn joined(nodes: Vec<(String, Node)>) -> Result<Vec<Node>, Remark> {
    let mut places: BTreeMap<(Arc<str>, u16), usize> = BTreeMap::new();
    let mut joined: Vec<Node> = Vec::with_capacity(nodes.len());
    for (place, node) in nodes {
        let at = *places
            .entry((node.host.clone(), node.port))
            .or_insert(joined.len());
        match joined.get_mut(at) {
            None => joined.push(node),
            Some(first) if first.priority == node.priority => {
                first.weight = first.weight.saturating_add(node.weight);
            }
            Some(_) => {
                return Err(Remark::new(
                    place,
                    format!(
                        "found {}:{} a second time with another priority, allowed: once, or with the same",
                        node.host, node.port
                    ),
                ));
            }
        }
    }
    Ok(joined)
}

/// Envoy refuses a load assignment with more than 128 levels of priority.
fn within_envoys_bounds(nodes: &[Node]) -> Result<(), Remark> {
    let levels: BTreeSet<i32> = nodes.iter().map(|node| node.priority).collect();
    match levels.len() {
        0..=128 => Ok(()),
        found => Err(Remark::new(
            "nodes",
            format!("found {found} different priorities, allowed: at most 128"),
        )),
    }
}

/// An IP address, or a DNS name in lower case.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub(super) struct Address(pub Arc<str>);

impl TryFrom<String> for Address {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
        if let Some(address) = bare.and_then(|t| t.parse::<Ipv6Addr>().ok()) {
            return Ok(Self(address.to_string().into()));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self(address.to_string().into()));
        }
        if is_dns_name(&text) {
            return Ok(Self(text.to_ascii_lowercase().into()));
        }
        Err(format!(
            "found {}, allowed: an IP address or a DNS name",
            quoted(&text)
        ))
    }
}

/// A DNS name, in lower case.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub(super) struct DnsName(pub Arc<str>);

impl TryFrom<String> for DnsName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if is_dns_name(&text) {
            Ok(Self(text.to_ascii_lowercase().into()))
        } else {
            Err(format!("found {}, allowed: a DNS name", quoted(&text)))
        }
    }
}

/// A host for instances to see, with a port if they need one.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub(crate) struct HostName(pub Arc<str>);

impl TryFrom<String> for HostName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        split(&text)
            .map(|_| Self(text.as_str().into()))
            .map_err(|_| {
                format!(
                    "found {}, allowed: a host name or an IP address, and `:port` where needed",
                    quoted(&text)
                )
            })
    }
}

/// `host:port`, `host`, `[v6]:port`, `[v6]` and a bare `v6`.
fn split(text: &str) -> Result<(Address, Option<u16>), String> {
    let wrong = || {
        format!(
            "found {}, allowed: an IP address or a DNS name, and a port of 1–65535 after a colon",
            quoted(text)
        )
    };
    let (before, after) = match text.rsplit_once(':') {
        Some((before, _)) if before.contains(':') && !before.ends_with(']') => (text, None),
        Some((before, after)) if !text.ends_with(']') => (before, Some(after)),
        _ => (text, None),
    };
    let port = match after {
        None => None,
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
            let port = digits.parse().map_err(|_| wrong())?;
            Some(port)
                .filter(|port| *port != 0)
                .ok_or_else(wrong)
                .map(Some)?
        }
        Some(_) => return Err(wrong()),
    };
    let host = Address::try_from(before.to_owned()).map_err(|_| wrong())?;
    Ok((host, port))
}

/// Labels of letters, digits, `-` and `_`; a name of digits and dots alone would be a broken IPv4 address.
fn is_dns_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    text.len() <= 253 && text.split('.').all(label) && text.bytes().any(|b| b.is_ascii_alphabetic())
}
