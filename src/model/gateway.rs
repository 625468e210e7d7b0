//! A gateway: a named set of listeners. An Envoy belongs to the gateway that its `node.cluster` names.

use std::net::IpAddr;

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
