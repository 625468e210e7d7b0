//! Where a gateway listens, and for what.

use std::net::{IpAddr, Ipv4Addr};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::decode::quoted;
use crate::model::key::Id;
use crate::model::problem::Remark;
use crate::model::scalar::{Port, Quantity, Within};

/// What a listener speaks with clients.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// HTTP/1.1, and HTTP/2 with prior knowledge, without TLS; for routes.
    #[default]
    Http,
    /// HTTP/1.1 and HTTP/2 over TLS, with the certificates of ssl documents; for routes.
    Https,
    /// Bytes; for stream routes.
    Tcp,
    /// TLS that is passed through unopened, by the name that the client asks for; for stream routes.
    Tls,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Unique within the gateway; the Envoy listener is `<gateway>/<name>`.
    pub name: String,
    pub address: IpAddr,
    /// The port, never 0.
    pub port: u16,
    pub protocol: Protocol,
    /// Whether it speaks HTTP/3 too, over UDP on the same port; `https` only.
    pub http3: bool,
    /// Whether a connection starts with the PROXY protocol (version 1 or 2), and is refused without.
    pub proxy_protocol: bool,
    /// How many connections it holds at a time; no limit of its own when absent.
    pub max_connections: Option<u32>,
    /// Bytes that a connection may buffer on either side before the other side is slowed down.
    pub buffer_bytes: u32,
}

/// What a connection may buffer unless the document says otherwise, as Envoy's guidance for edge proxies has it.
const BUFFER_BYTES: u32 = 32 * 1024;

impl Listener {
    /// A listener on every IPv4 address, of which no more is said.
    pub fn new(name: &str, port: u16, protocol: Protocol) -> Self {
        Self {
            name: name.to_owned(),
            address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            port,
            protocol,
            http3: false,
            proxy_protocol: false,
            max_connections: None,
            buffer_bytes: BUFFER_BYTES,
        }
    }

    /// Whether both cannot be open at once.
    fn collides(&self, other: &Self) -> bool {
        let wildcard = |listener: &Self| listener.address.is_unspecified();
        // `::` listens on IPv4 as well.
        self.port == other.port
            && (self.address == other.address || (wildcard(self) && wildcard(other)))
    }

    /// Refuses a listener that cannot stand beside those before it.
    fn check(&self, before: &[Self]) -> Result<(), Remark> {
        if before.iter().any(|other| other.name == self.name) {
            let message = format!("found \"{}\" a second time, allowed: once", self.name);
            return Err(Remark::new("name", message));
        }
        if let Some(other) = before.iter().find(|other| self.collides(other)) {
            let message = format!(
                "found {}, which listener \"{}\" has at the same address",
                self.port, other.name
            );
            return Err(Remark::new("port", message));
        }
        if self.http3 && self.protocol != Protocol::Https {
            let message = "found true, allowed: on a listener of `protocol: https` only";
            return Err(Remark::new("http3", message));
        }
        if self.http3 && self.proxy_protocol {
            let message = "found true beside `http3`, allowed: one of the two, as HTTP/3 has no PROXY protocol";
            return Err(Remark::new("proxy_protocol", message));
        }
        Ok(())
    }
}

/// A listener as it is written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(super) struct Form {
    /// Unique within the gateway.
    name: Id,
    /// The IP address to listen on; every IPv4 address when absent, `::` for IPv6 as well.
    address: Option<Address>,
    /// The port to listen on.
    port: Port,
    /// What is spoken there.
    #[serde(default)]
    protocol: Protocol,
    /// HTTP/3 beside HTTPS, over UDP on the same port.
    #[serde(default)]
    http3: bool,
    /// Whether connections start with the PROXY protocol.
    #[serde(default)]
    proxy_protocol: bool,
    /// Connections at a time.
    max_connections: Option<Quantity>,
    /// Bytes that a connection may buffer on either side.
    buffer_bytes: Option<Within<4096, 1_073_741_824>>,
}

/// Checks the listeners of one gateway, each for itself and beside the others.
pub(super) fn read(forms: Vec<Form>) -> Result<Vec<Listener>, Remark> {
    if forms.is_empty() {
        let message = "found an empty list, allowed: at least one";
        return Err(Remark::new("listeners", message));
    }
    let mut listeners: Vec<Listener> = Vec::new();
    for (at, form) in forms.into_iter().enumerate() {
        let listener = form.checked();
        let place = format!("listeners[{at}]");
        listener
            .check(&listeners)
            .map_err(|remark| remark.under(&place))?;
        listeners.push(listener);
    }
    Ok(listeners)
}

impl Form {
    fn checked(self) -> Listener {
        let plain = Listener::new(self.name.as_str(), self.port.0, self.protocol);
        Listener {
            address: self.address.map_or(plain.address, |address| address.0),
            http3: self.http3,
            proxy_protocol: self.proxy_protocol,
            max_connections: self.max_connections.map(|count| count.0),
            buffer_bytes: self.buffer_bytes.map_or(BUFFER_BYTES, |bytes| bytes.0),
            ..plain
        }
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
pub(crate) struct Address(pub IpAddr);

impl TryFrom<String> for Address {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
            .map(Self)
            .map_err(|_| format!("found {}, allowed: an IP address", quoted(&text)))
    }
}
