//! A gateway: a named set of listeners. An Envoy belongs to the gateway that its `node.cluster` names.

pub(super) mod form;

use std::net::{IpAddr, Ipv4Addr};

use super::Id;

/// One listener of a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Unique within the gateway; the Envoy listener is `<gateway>/<name>`.
    pub name: String,
    /// The address that Envoy listens on.
    pub address: IpAddr,
    /// The port, never 0.
    pub port: u16,
}

/// A gateway that is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateway {
    /// The document's id, and the name of its route table.
    pub id: Id,
    /// At least one.
    pub listeners: Vec<Listener>,
}

impl Gateway {
    /// `default`, as it is until a document says otherwise: HTTP on port 9080 of every address.
    pub fn built_in() -> Self {
        Self {
            id: Id::default_gateway(),
            listeners: vec![Listener {
                name: "http".to_owned(),
                address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
                port: 9080,
            }],
        }
    }
}
