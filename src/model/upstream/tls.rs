//! TLS to the instances: who they must prove to be, under which name they are asked for, and what they are shown.

use std::net::IpAddr;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use super::nodes::DnsName;
use super::{Members, PassHost, Scheme};
use crate::model::certificate::{Certificates, Identity, PrivateKey};
use crate::model::key::Id;
use crate::model::problem::Remark;

/// The name that TLS asks for, which is also the one that a verified certificate has to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerName {
    /// This one: a DNS name, or an address, which is only verified.
    Fixed(Arc<str>),
    /// The Host that the instance sees.
    Host,
    /// The node's own.
    Node,
    /// None: instances are known by their address alone.
    Nameless,
}

/// Who may have signed the certificate of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    Authorities(Certificates),
    /// Whoever the proxy's own machine trusts.
    System,
}

/// TLS to the instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The name that is asked for.
    pub name: ServerName,
    /// Against what certificates are verified; without it, they are not.
    pub verify: Option<Trust>,
    /// What instances are shown that ask for a client's certificate.
    pub identity: Option<Identity>,
    /// The ssl document that `identity` comes from, once that reference is followed; else it stands in the upstream.
    pub client_cert: Option<Id>,
}

/// `tls` of an upstream.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(super) struct TlsForm {
    /// The certificate that instances are shown, with what signed it, as PEM.
    client_cert: Option<Certificates>,
    /// Its private key, as PEM.
    client_key: Option<PrivateKey>,
    /// The ssl document of `type: client` that holds both.
    client_cert_id: Option<Id>,
    /// Whether the certificates of instances are verified.
    #[serde(default)]
    verify: bool,
    /// Who may have signed them, as PEM; without it, whoever the proxy's machine trusts.
    ca: Option<Certificates>,
    /// The name that instances are asked for; without it, the Host that they see.
    sni: Option<DnsName>,
}

impl TlsForm {
    pub(super) fn checked(
        &self,
        members: &Members,
        scheme: Scheme,
        pass_host: &PassHost,
        warnings: &mut Vec<Remark>,
    ) -> Result<Tls, Remark> {
        let name = match &self.sni {
            Some(name) => ServerName::Fixed(name.0.clone()),
            None => server_name(members, scheme, pass_host),
        };
        if !self.verify {
            let message = "the certificates of the nodes are not verified";
            warnings.push(Remark::new("scheme", message));
        } else if !is_known(&name, members) {
            return Err(Remark::new(
                "tls.verify",
                "has no name to verify, as nodes are known by their address: `tls.sni` is missing",
            ));
        }
        if self.ca.is_some() && !self.verify {
            let message = "has no effect: `tls.verify` is not true";
            warnings.push(Remark::new("tls.ca", message));
        }
        Ok(Tls {
            name,
            verify: self.verify.then(|| match &self.ca {
                Some(authorities) => Trust::Authorities(authorities.clone()),
                None => Trust::System,
            }),
            identity: self.identity()?,
            client_cert: self.client_cert_id.clone(),
        })
    }

    fn identity(&self) -> Result<Option<Identity>, Remark> {
        if self.client_cert_id.is_some()
            && (self.client_cert.is_some() || self.client_key.is_some())
        {
            let message = "found beside `client_cert` or `client_key`, allowed: one or the other";
            return Err(Remark::new("tls.client_cert_id", message));
        }
        match (&self.client_cert, &self.client_key) {
            (None, None) => Ok(None),
            (Some(certificates), Some(key)) => Identity::new(certificates.clone(), key.clone())
                .map(Some)
                .map_err(|said| Remark::new("tls.client_key", said)),
            (Some(_), None) => Err(Remark::new(
                "tls.client_key",
                "is missing beside `client_cert`",
            )),
            (None, Some(_)) => Err(Remark::new(
                "tls.client_cert",
                "is missing beside `client_key`",
            )),
        }
    }
}

fn server_name(members: &Members, scheme: Scheme, pass_host: &PassHost) -> ServerName {
    let node = match members {
        Members::Nodes(nodes) if nodes.iter().any(|node| !is_address(&node.host)) => {
            ServerName::Node
        }
        _ => ServerName::Nameless,
    };
    match pass_host {
        _ if !scheme.is_http() => node,
        PassHost::Pass => ServerName::Host,
        PassHost::Rewrite(host) => ServerName::Fixed(without_port(host).into()),
        PassHost::Node => node,
    }
}

/// Whether it can be verified for every instance.
fn is_known(name: &ServerName, members: &Members) -> bool {
    match (name, members) {
        (ServerName::Fixed(_) | ServerName::Host, _) => true,
        (ServerName::Node, Members::Nodes(nodes)) => {
            nodes.iter().all(|node| !is_address(&node.host))
        }
        _ => false,
    }
}

fn is_address(host: &str) -> bool {
    host.parse::<IpAddr>().is_ok()
}

/// `host:port` and `[v6]:port` without the port.
fn without_port(host: &str) -> &str {
    let bare = match host.rsplit_once(':') {
        _ if is_address(host) => host,
        Some((bare, port)) if port.bytes().all(|b| b.is_ascii_digit()) => bare,
        _ => host,
    };
    bare.trim_start_matches('[').trim_end_matches(']')
}
