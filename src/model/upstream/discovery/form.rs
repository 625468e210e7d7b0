//! `service_name`, `discovery_type` and `discovery_args` as they are written. Of the three only `discovery_args` is an
//! object of its own; its fields are named after Consul's own.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Discovered, Selection};
use crate::model::bounds::List;
use crate::model::decode::{self, quoted};
use crate::model::problem::Remark;
use crate::model::scalar::each_once;
use crate::model::service_key::Scope;
use crate::model::upstream::{Members, nodes};
use crate::model::{Discovery, ServiceKey};

/// Datacenters that may take over, each a watch of its own.
const DATACENTERS: usize = 16;

/// Which registry knows the service.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DiscoveryForm {
    /// Consul's services.
    Consul,
    /// By Envoy, `service_name` being `name:port`.
    Dns,
    /// A file of instances per service.
    File,
}

impl decode::Form for DiscoveryForm {}

/// Which instances of the service are meant, and where in Consul they are.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct ArgumentsForm {
    /// Consul's datacenter; the agent's own by default.
    datacenter: Option<String>,
    /// One tag that an instance must have; the same as a list of one in `tags`.
    tag: Option<String>,
    /// Tags that an instance must have, all of them.
    #[serde(default)]
    tags: Vec<String>,
    /// Entries of `Service.Meta` that an instance must have, all of them.
    #[serde(default)]
    meta: BTreeMap<String, String>,
    /// Whether only instances whose checks all pass get traffic; with `false` those that warn do too, by their weight for
    /// that. Those that are critical or in maintenance never do.
    passing_only: Option<bool>,
    /// The node that Consul sorts its answer by (`_agent` for its own); sent as given.
    near: Option<String>,
    /// The namespace of Consul Enterprise; sent as given.
    namespace: Option<String>,
    /// The admin partition of Consul Enterprise; sent as given.
    partition: Option<String>,
    /// Datacenters that get the traffic when those before them have no instance for it, in order.
    #[serde(default)]
    failover: List<String, DATACENTERS>,
    /// The name of the tagged address that instances are reached at (`wan`); those without one at their own.
    tagged_address: Option<String>,
}

/// What a document says of its service.
#[derive(Debug)]
pub struct Written<'a> {
    /// `service_name`
    pub name: &'a str,
    /// `discovery_type`
    pub discovery: Option<DiscoveryForm>,
    /// `discovery_args`
    pub arguments: Option<&'a ArgumentsForm>,
}

impl Written<'_> {
    pub fn checked(&self, warnings: &mut Vec<Remark>) -> Result<Members, Remark> {
        let discovery = match self.discovery {
            Some(DiscoveryForm::Consul) => Discovery::Consul,
            Some(DiscoveryForm::File) => Discovery::File,
            Some(DiscoveryForm::Dns) if self.arguments.is_some() => {
                return Err(Remark::new(
                    "discovery_args",
                    "found with `discovery_type: dns`, allowed: with consul and file",
                ));
            }
            Some(DiscoveryForm::Dns) => {
                return nodes::by_dns(self.name).map(|node| Members::Nodes(vec![node]));
            }
            None => {
                return Err(Remark::new(
                    "discovery_type",
                    "is missing beside `service_name`, allowed: consul, dns, file",
                ));
            }
        };
        let service = ServiceKey::new(discovery, service_name(self.name)?);
        let discovered = match self.arguments {
            None => Discovered::all(service),
            Some(arguments) => {
                let checked = arguments.checked(service, warnings);
                checked.map_err(|remark| remark.under("discovery_args"))?
            }
        };
        Ok(Members::Service(discovered))
    }
}

impl ArgumentsForm {
    fn checked(
        &self,
        service: ServiceKey,
        warnings: &mut Vec<Remark>,
    ) -> Result<Discovered, Remark> {
        match service.discovery {
            Discovery::File => self.of_files()?,
            Discovery::Consul => {}
        }
        each_once("tags", &self.tags)?;
        each_once("failover", &self.failover.0)?;
        let service = ServiceKey {
            scope: Scope {
                datacenter: one("datacenter", self.datacenter.as_ref())?,
                namespace: one("namespace", self.namespace.as_ref())?,
                partition: one("partition", self.partition.as_ref())?,
            },
            near: one("near", self.near.as_ref())?,
            ..service
        };
        if service.near.is_some() {
            let message = "sorts Consul's answer, and has no effect on the traffic: Envoy balances over all instances";
            warnings.push(Remark::new("discovery_args.near", message));
        }
        let failover = (0..).zip(&self.failover.0).map(|(at, written)| {
            let field = format!("failover[{at}]");
            let datacenter = value(&field, written)?;
            if service.scope.datacenter.as_ref() == Some(&datacenter) {
                let message =
                    "found the `datacenter` that it is to take over from, allowed: others";
                return Err(Remark::new(field, message));
            }
            let scope = Scope {
                datacenter: Some(datacenter),
                ..service.scope.clone()
            };
            Ok(ServiceKey {
                scope,
                ..service.clone()
            })
        });
        Ok(Discovered {
            failover: failover.collect::<Result<_, Remark>>()?,
            selection: self.selection()?,
            service,
        })
    }

    fn selection(&self) -> Result<Selection, Remark> {
        let mut selection = Selection {
            warning: self.passing_only == Some(false),
            tagged_address: one("tagged_address", self.tagged_address.as_ref())?,
            ..Selection::default()
        };
        selection.tags.extend(one("tag", self.tag.as_ref())?);
        for (at, tag) in self.tags.iter().enumerate() {
            selection.tags.insert(value(&format!("tags[{at}]"), tag)?);
        }
        for (written, text) in &self.meta {
            let key = value("meta", written)?;
            // Unlike the others it may be empty: Consul keeps such.
            selection.meta.insert(key, text.as_str().into());
        }
        Ok(selection)
    }

    /// Files have metadata and a status, and nothing of what Consul has besides.
    fn of_files(&self) -> Result<(), Remark> {
        let of_consul = [
            ("datacenter", self.datacenter.is_some()),
            ("tag", self.tag.is_some()),
            ("tags", !self.tags.is_empty()),
            ("near", self.near.is_some()),
            ("namespace", self.namespace.is_some()),
            ("partition", self.partition.is_some()),
            ("failover", !self.failover.0.is_empty()),
            ("tagged_address", self.tagged_address.is_some()),
        ];
        match of_consul.into_iter().find(|(_, given)| *given) {
            Some((field, _)) => Err(Remark::new(
                field,
                "found with `discovery_type: file`, allowed there: meta, passing_only",
            )),
            None => Ok(()),
        }
    }
}

fn one(field: &str, text: Option<&String>) -> Result<Option<Arc<str>>, Remark> {
    text.map(|text| value(field, text)).transpose()
}

/// A text that Consul could know.
fn value(field: &str, text: &str) -> Result<Arc<str>, Remark> {
    if (1..=512).contains(&text.len()) && !text.chars().any(char::is_control) {
        return Ok(text.into());
    }
    let message = format!(
        "found {}, allowed: 1 to 512 bytes without control characters",
        quoted(text)
    );
    Err(Remark::new(field, message))
}

/// A name that can stand in a URL of Consul and be a file's name: no way out of the folder, nothing that hides.
fn service_name(name: &str) -> Result<Arc<str>, Remark> {
    let fits = |c: char| !c.is_control() && !c.is_whitespace() && !matches!(c, '/' | '\\');
    if (1..=256).contains(&name.len()) && name.chars().all(fits) && !name.starts_with('.') {
        return Ok(name.into());
    }
    Err(Remark::new(
        "service_name",
        format!(
            "found {}, allowed: 1 to 256 bytes without `/`, `\\` and spaces, not starting with `.`",
            quoted(name)
        ),
    ))
}
