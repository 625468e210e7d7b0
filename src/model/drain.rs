//! Drains: which instances are taken out, whatever the registry says of them, and which nodes, whatever documents list. A
//! document for each, `drains/<id>`, written by Chancery itself under a lease that ends it.
//!
//! Of a service what counts is the instance and not its address alone: one that comes back under a new id is a new instance.
//! Of documents it is the address.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::document::Change;
use super::{Document, Instance, ServiceKey};

/// What the paths of drains begin with.
pub const DRAINS: &str = "drains/";

/// The version of what is written. A field that an older Chancery may pass over needs no new one; whatever would make it take
/// out or bring back the wrong instance does, another [`Mode`] for one.
const VERSION: u32 = 1;

/// Who names what is taken out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Of {
    /// A service of a registry, as one of its instances.
    Service(ServiceKey),
    /// Documents, in their `nodes`. An older Chancery cannot read it, and so confirms no such drain.
    Nodes,
}

/// How drains of what documents list are written and shown.
const NODES: &str = "nodes";

impl Of {
    pub fn service(&self) -> Option<&ServiceKey> {
        match self {
            Self::Service(service) => Some(service),
            Self::Nodes => None,
        }
    }
}

impl fmt::Display for Of {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service(service) => service.fmt(f),
            Self::Nodes => f.write_str(NODES),
        }
    }
}

/// One instance that is taken out. Written by Chancery only, so that fields of a newer one are passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drain {
    /// The last part of the document's key.
    pub id: Arc<str>,
    /// The first of those that one call took out together, where there are several: they are put back together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<Arc<str>>,
    /// The registry and the service's name there, `consul/echo`, or `nodes`.
    #[serde(
        rename = "service",
        serialize_with = "write_of",
        deserialize_with = "read_of"
    )]
    pub of: Of,
    /// The registry's id of the instance; the address and port where documents list it.
    pub instance: Arc<str>,
    pub address: IpAddr,
    pub port: u16,
    /// The registry's node that the instance is registered at.
    pub node: String,
    /// The URL of the agent that was told, or is about to be; nothing where the registry is left alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    pub mode: Mode,
    /// Why, as the caller says.
    pub reason: String,
    /// The name of the key that asked for it.
    pub by: String,
    /// The address that asked for it.
    pub from: String,
    /// When, as RFC 3339 has it.
    pub created: String,
    /// After how many seconds it ends by itself.
    pub ttl: u32,
}

/// What becomes of the endpoint of a drained instance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It leaves the load assignment.
    #[default]
    Leave,
    /// It stays in it, with health DRAINING.
    Draining,
}

impl Mode {
    /// As documents and requests have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Leave => "leave",
            Self::Draining => "draining",
        }
    }
}

/// Why a text is not gone by.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// A newer Chancery means something by it that is not known here.
    #[error("a newer Chancery wrote it, in version {0}: this one knows versions up to {VERSION}")]
    Newer(u32),
    /// It is no drain.
    #[error("{0}")]
    Bad(#[from] serde_json::Error),
}

/// The part of a text that says what the rest means.
#[derive(Deserialize)]
struct Versioned {
    /// There was none at first.
    #[serde(default)]
    version: u32,
}

/// What makes an instance the same one.
pub type Identity<'a> = (&'a str, IpAddr, u16);

pub fn identity(instance: &Instance) -> Identity<'_> {
    (&instance.id, instance.address, instance.port)
}

impl Drain {
    /// Reads what [`Drain::text`] wrote, here or in another version of Chancery.
    pub fn read(text: &[u8]) -> Result<Self, Unread> {
        let Versioned { version } = serde_json::from_slice(text)?;
        if version > VERSION {
            return Err(Unread::Newer(version));
        }
        Ok(serde_json::from_slice(text)?)
    }

    /// The text of it, as its document and the journal have it.
    pub fn text(&self) -> Result<String, serde_json::Error> {
        #[derive(Serialize)]
        struct Written<'a> {
            version: u32,
            #[serde(flatten)]
            drain: &'a Drain,
        }
        serde_json::to_string(&Written {
            version: VERSION,
            drain: self,
        })
    }

    /// The instance that is taken out.
    pub fn identity(&self) -> Identity<'_> {
        (&self.instance, self.address, self.port)
    }

    /// Where it listens.
    pub fn place(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.port)
    }

    /// The id that it shares with those that the same call took out.
    pub fn order(&self) -> &Arc<str> {
        self.with.as_ref().unwrap_or(&self.id)
    }
}

/// The instances of one service that are taken out, and how.
pub type Taken<'a> = HashMap<Identity<'a>, Mode>;

/// The nodes of documents that are taken out, and how.
pub type TakenNodes = BTreeMap<SocketAddr, Mode>;

/// One document: its text, the last good form, and what is wrong with the text.
#[derive(Debug, Clone)]
struct Known {
    document: Document,
    drain: Option<Arc<Drain>>,
    fault: Option<String>,
}

/// All drains in force. The last good form of each document counts.
#[derive(Debug, Default, Clone)]
pub struct Drains {
    entries: BTreeMap<Arc<str>, Known>,
    by_service: HashMap<ServiceKey, BTreeMap<Arc<str>, Arc<Drain>>>,
    nodes: TakenNodes,
}

/// What may count differently now.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// Services, for their instances.
    pub services: BTreeSet<ServiceKey>,
    /// The addresses of nodes.
    pub nodes: BTreeSet<SocketAddr>,
}

impl Touched {
    fn insert(&mut self, drain: &Drain) {
        match &drain.of {
            Of::Service(service) => drop(self.services.insert(service.clone())),
            Of::Nodes => drop(self.nodes.insert(drain.place())),
        }
    }
}

impl Drains {
    /// Whether the document at this path is a drain.
    pub fn has_path(path: &str) -> bool {
        path.starts_with(DRAINS)
    }

    /// These are all there are.
    pub fn list(&mut self, documents: Vec<Document>) -> Touched {
        let listed: BTreeSet<_> = documents.iter().map(|it| it.path.clone()).collect();
        let gone: Vec<_> = self
            .entries
            .keys()
            .filter(|path| !listed.contains(*path))
            .cloned()
            .collect();
        let removed = gone.into_iter().map(|path| Change::Deleted { path });
        let mut touched = Touched::default();
        for change in removed.chain(documents.into_iter().map(Change::Put)) {
            let mut more = self.apply(change);
            touched.services.append(&mut more.services);
            touched.nodes.append(&mut more.nodes);
        }
        touched
    }

    /// One came, changed or went.
    pub fn apply(&mut self, change: Change) -> Touched {
        match change {
            Change::Put(document) => self.put(document),
            Change::Deleted { path } => {
                let mut touched = Touched::default();
                let entry = self.entries.remove(&path);
                if let Some(drain) = entry.and_then(|entry| entry.drain) {
                    touched.insert(&drain);
                    self.forget(&path, &drain);
                }
                touched
            }
        }
    }

    fn put(&mut self, document: Document) -> Touched {
        let path = document.path.clone();
        let before = self.entries.remove(&path).and_then(|entry| entry.drain);
        let mut touched = Touched::default();
        let (drain, fault) = match Drain::read(&document.value) {
            Ok(read) => {
                let drain = Arc::new(read);
                if let Some(before) = before {
                    touched.insert(&before);
                    self.forget(&path, &before);
                }
                touched.insert(&drain);
                match &drain.of {
                    Of::Service(service) => {
                        let of_service = self.by_service.entry(service.clone());
                        of_service.or_default().insert(path.clone(), drain.clone());
                    }
                    Of::Nodes => drop(self.nodes.insert(drain.place(), drain.mode)),
                }
                (Some(drain), None)
            }
            Err(error) => (before, Some(error.to_string())),
        };
        let entry = Known {
            document,
            drain,
            fault,
        };
        self.entries.insert(path, entry);
        touched
    }

    /// Takes out what is no more in `entries`.
    fn forget(&mut self, path: &str, drain: &Drain) {
        let Of::Service(service) = &drain.of else {
            let mut others = self.entries.values().filter_map(|it| it.drain.as_ref());
            let other = others.find(|it| it.of == Of::Nodes && it.place() == drain.place());
            match other.map(|other| other.mode) {
                Some(mode) => drop(self.nodes.insert(drain.place(), mode)),
                None => drop(self.nodes.remove(&drain.place())),
            }
            return;
        };
        if let Some(of_service) = self.by_service.get_mut(service) {
            of_service.remove(path);
            if of_service.is_empty() {
                self.by_service.remove(service);
            }
        }
    }

    /// The instances of a service, wherever it is asked for, that are taken out.
    pub fn taken(&self, service: &ServiceKey) -> Taken<'_> {
        let of_service = self.by_service.get(&service.plain()).into_iter().flatten();
        of_service
            .map(|(_, drain)| (drain.identity(), drain.mode))
            .collect()
    }

    /// The nodes of documents that are taken out.
    pub fn nodes(&self) -> &TakenNodes {
        &self.nodes
    }

    /// All of them.
    pub fn in_force(&self) -> impl Iterator<Item = &Drain> {
        let entries = self.entries.values();
        entries.filter_map(|entry| entry.drain.as_deref())
    }

    /// The texts, for a start without the store.
    pub fn texts(&self) -> impl Iterator<Item = &Document> {
        self.entries.values().map(|entry| &entry.document)
    }

    /// Why the text at this path is not gone by.
    pub fn fault(&self, path: &str) -> Option<&str> {
        self.entries.get(path)?.fault.as_deref()
    }

    /// The texts that are not gone by: their paths, revisions, and why.
    pub fn faults(&self) -> impl Iterator<Item = (&Arc<str>, i64, &str)> {
        self.entries.iter().filter_map(|(path, entry)| {
            Some((path, entry.document.revision, entry.fault.as_deref()?))
        })
    }
}

fn write_of<S: Serializer>(of: &Of, serializer: S) -> Result<S::Ok, S::Error> {
    match of {
        Of::Service(service) => serializer.serialize_str(&service.stem()),
        Of::Nodes => serializer.serialize_str(NODES),
    }
}

fn read_of<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Of, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text == NODES {
        return Ok(Of::Nodes);
    }
    ServiceKey::from_stem(&text)
        .map(Of::Service)
        .ok_or_else(|| {
            serde::de::Error::custom(format!(
                "found the service `{}`, allowed: consul/<name>, file/<name>, {NODES}",
                text.escape_debug()
            ))
        })
}

#[cfg(test)]
mod tests;
