//! A stream route as the gateway uses it: where the bytes of a connection go that carries no HTTP.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::model::gateway::{Listener, Protocol};
use crate::model::problem::Remark;
use crate::model::upstream::Scheme;
use crate::model::{Cluster, Host, Id};

/// A stream route that is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamRoute {
    pub id: Id,
    /// The gateways that it belongs to, at least one.
    pub gateways: Vec<Id>,
    /// Which connections it takes.
    pub matching: Matching,
    /// Whose connections go on, where not everybody's do.
    pub clients: Option<Clients>,
    pub cluster: Arc<Cluster>,
}

/// Which connections a stream route takes. Whatever is absent is any.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Matching {
    /// The port of the gateway.
    pub port: Option<u16>,
    /// The address of the gateway that the client connected to.
    pub address: Option<IpAddr>,
    /// The name that the client asks for in TLS, which passes through unopened.
    pub sni: Option<Host>,
    /// Where the client is.
    pub source: Option<IpNet>,
}

/// Who may connect: those of a list, or all but those.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clients {
    pub listed: BTreeSet<IpNet>,
    /// Whether these are the ones whose connections go on. The others are closed.
    pub go_on: bool,
}

impl StreamRoute {
    /// Whether connections of the listener can be its own. Without `sni` a `tls` listener passes every TLS connection on;
    /// what goes to the upstream over TLS is not encrypted a second time.
    pub fn is_on(&self, listener: &Listener) -> bool {
        self.matching.is_on(listener, self.cluster.upstream.scheme)
    }
}

impl Matching {
    fn is_on(&self, listener: &Listener, scheme: Scheme) -> bool {
        let protocol = match listener.protocol {
            Protocol::Tcp => self.sni.is_none(),
            Protocol::Tls => scheme != Scheme::Tls,
            Protocol::Http | Protocol::Https => false,
        };
        protocol && self.port.is_none_or(|port| port == listener.port)
    }

    /// Refuses what none of the gateway's listeners can take.
    pub(crate) fn check(
        &self,
        gateway: &Id,
        listeners: &[Listener],
        scheme: Scheme,
    ) -> Result<(), Remark> {
        if listeners.iter().any(|one| self.is_on(one, scheme)) {
            return Ok(());
        }
        let protocols = match &self.sni {
            Some(_) => "`protocol: tls`",
            None if scheme == Scheme::Tls => "`protocol: tcp`",
            None => "`protocol: tcp` or `tls`",
        };
        Err(match self.port {
            Some(port) => Remark::new(
                "server_port",
                format!(
                    "found {port}: no listener of gateway `{gateway}` has this port and {protocols}"
                ),
            ),
            None => Remark::whole(format!(
                "takes no connection: gateway `{gateway}` has no listener of {protocols}"
            )),
        })
    }
}
