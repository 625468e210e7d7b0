//! Which instances of a service an upstream takes: `service_name`, `discovery_type` and `discovery_args`.
//!
//! What asks the registry something else is part of the [`ServiceKey`], and so a watch of its own. The rest is a
//! [`Selection`] among what the registry answered: clusters that differ in it share the watch.

pub(super) mod form;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::model::drain::Mode;
use crate::model::instance::Status;
use crate::model::{Instance, ServiceKey, resource_name};

/// The instances of a service that an upstream takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovered {
    /// The service, in the datacenter that is preferred.
    pub service: ServiceKey,
    /// The same service in other datacenters, in order: each gets traffic when those before it have nobody.
    pub failover: Vec<ServiceKey>,
    pub selection: Selection,
}

impl Discovered {
    /// All instances of the service that pass their checks.
    pub fn all(service: ServiceKey) -> Self {
        Self {
            service,
            failover: Vec::new(),
            selection: Selection::default(),
        }
    }

    /// Every watch that it needs, in order of preference.
    pub fn services(&self) -> impl Iterator<Item = &ServiceKey> {
        std::iter::once(&self.service).chain(&self.failover)
    }
}

impl Discovered {
    /// The name of the load assignment: the text itself, or a digest of one that is too long.
    pub fn load_assignment(&self) -> Arc<str> {
        resource_name::bounded(self.to_string()).into()
    }
}

impl fmt::Display for Discovered {
    /// The name of the load assignment in full: `consul/echo`, and whatever differs from the defaults behind it, by the names that
    /// documents use and in one order: `consul/echo?datacenter=dc1&tag=v2&meta.canary=yes&passing_only=false`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.service.arguments());
        let Selection {
            tags,
            meta,
            warning,
            tagged_address,
            check_port,
            unnamed_port,
        } = &self.selection;
        query.extend_pairs(tags.iter().map(|tag| ("tag", tag)));
        query.extend_pairs(
            meta.iter()
                .map(|(key, value)| (format!("meta.{key}"), value)),
        );
        if *warning {
            query.append_pair("passing_only", "false");
        }
        if let Some(name) = tagged_address {
            query.append_pair("tagged_address", name);
        }
        if let Some(port) = check_port {
            query.append_pair("check_port", &port.to_string());
        }
        if let Some(port) = unnamed_port {
            query.append_pair("unnamed_port", &port.to_string());
        }
        for service in &self.failover {
            let datacenter = service.scope.datacenter.as_deref();
            query.append_pair("failover", datacenter.unwrap_or_default());
        }
        f.write_str(&self.service.stem())?;
        match query.finish().as_str() {
            "" => Ok(()),
            query => write!(f, "?{query}"),
        }
    }
}

/// Who gets traffic, of the instances that a registry answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// All of these tags.
    pub tags: BTreeSet<Arc<str>>,
    /// All of these entries of the instance's metadata.
    pub meta: BTreeMap<Arc<str>, Arc<str>>,
    /// Also those whose checks warn (`passing_only: false`).
    pub warning: bool,
    /// Reach them at their tagged address of this name, where they have it.
    pub tagged_address: Option<Arc<str>>,
    /// Ask them for their health at this port (`checks.active.port`), which stands with the endpoints in Envoy.
    pub check_port: Option<u16>,
    /// Their own names as Host (`pass_host: node`) have their ports, but this one, which stand with the endpoints in Envoy, too.
    pub unnamed_port: Option<u16>,
}

/// Why an instance gets no traffic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeftOut {
    Status(Status),
    /// Its weight is 0.
    Weight,
    /// It has no such tag.
    Tag(Arc<str>),
    /// Its metadata has no such entry.
    Meta(Arc<str>, Arc<str>),
    Drained(Mode),
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(Status::Warning) => f.write_str("warning, and passing_only is true"),
            Self::Status(status) => f.write_str(status.as_str()),
            Self::Weight => f.write_str("its weight is 0"),
            Self::Tag(tag) => write!(f, "it has no tag {tag:?}"),
            Self::Meta(key, value) => write!(f, "its meta has no {key:?} = {value:?}"),
            Self::Drained(Mode::Leave) => f.write_str("drained"),
            Self::Drained(Mode::Draining) => f.write_str("drained, in Envoy as DRAINING"),
        }
    }
}

impl Selection {
    /// Why the instance gets no traffic, if it gets none; `drained` is how it is taken out, where it is. One that is taken out
    /// is in maintenance because of that, so that its status says nothing.
    pub fn leaves_out(&self, instance: &Instance, drained: Option<Mode>) -> Option<LeftOut> {
        let serves = match instance.status {
            _ if drained.is_some() => true,
            Status::Passing => true,
            Status::Warning => self.warning,
            Status::Critical | Status::Maintenance => false,
        };
        if !serves {
            return Some(LeftOut::Status(instance.status));
        }
        if let Some(tag) = self.tags.iter().find(|tag| !instance.tags.contains(*tag)) {
            return Some(LeftOut::Tag(tag.clone()));
        }
        let differs = |(key, value): &(&Arc<str>, &Arc<str>)| {
            instance.metadata.get(&***key).map(String::as_str) != Some(&***value)
        };
        if let Some((key, value)) = self.meta.iter().find(differs) {
            return Some(LeftOut::Meta(key.clone(), value.clone()));
        }
        if instance.weight == 0 {
            return Some(LeftOut::Weight);
        }
        drained.map(LeftOut::Drained)
    }

    /// Where the instance is reached.
    pub fn address(&self, instance: &Instance) -> SocketAddr {
        let wanted = self.tagged_address.as_ref();
        let tagged = wanted.and_then(|name| instance.tagged.get(name));
        tagged
            .copied()
            .unwrap_or_else(|| (instance.address, instance.port).into())
    }
}

#[cfg(test)]
mod tests;
