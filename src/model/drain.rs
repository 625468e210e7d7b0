//! Drains: which instances are taken out, whatever the registry says of them. A document for each, `drains/<id>`, written by
//! Chancery itself under a lease that ends it.
//!
//! What counts is the instance and not its address alone: one that comes back under a new id is a new instance.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::document::Change;
use super::{Document, Instance, ServiceKey};

/// What the paths of drains begin with.
pub const DRAINS: &str = "drains/";

/// The version of what is written. A field that an older Chancery may pass over needs no new one; whatever would make it take
/// out or bring back the wrong instance does, another [`Mode`] for one.
const VERSION: u32 = 1;

/// One instance that is taken out. Written by Chancery only, so that fields of a newer one are passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drain {
    /// The last part of the document's key.
    pub id: Arc<str>,
    /// The registry and the service's name there: `consul/echo`.
    #[serde(serialize_with = "write_service", deserialize_with = "read_service")]
    pub service: ServiceKey,
    /// The registry's id of the instance.
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
}

/// The instances of one service that are taken out, and how.
pub type Taken<'a> = HashMap<Identity<'a>, Mode>;

/// One document: its text, the last good form, and what is wrong with the text.
#[derive(Debug)]
struct Known {
    document: Document,
    drain: Option<Arc<Drain>>,
    fault: Option<String>,
}

/// All drains in force. The last good form of each document counts.
#[derive(Debug, Default)]
pub struct Drains {
    entries: BTreeMap<Arc<str>, Known>,
    by_service: HashMap<ServiceKey, BTreeMap<Arc<str>, Arc<Drain>>>,
}

/// The services whose instances may count differently now.
pub type Touched = BTreeSet<ServiceKey>;

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
        let changes = removed.chain(documents.into_iter().map(Change::Put));
        changes.flat_map(|change| self.apply(change)).collect()
    }

    /// One came, changed or went.
    pub fn apply(&mut self, change: Change) -> Touched {
        match change {
            Change::Put(document) => self.put(document),
            Change::Deleted { path } => {
                let entry = self.entries.remove(&path);
                let drain = entry.and_then(|entry| entry.drain);
                drain
                    .map(|drain| self.forget(&path, &drain))
                    .into_iter()
                    .collect()
            }
        }
    }

    fn put(&mut self, document: Document) -> Touched {
        let path = document.path.clone();
        let before = self.entries.remove(&path).and_then(|entry| entry.drain);
        let mut touched = Touched::new();
        let (drain, fault) = match Drain::read(&document.value) {
            Ok(read) => {
                let drain = Arc::new(read);
                let forgotten = before.map(|before| self.forget(&path, &before));
                touched.extend(forgotten);
                touched.insert(drain.service.clone());
                let of_service = self.by_service.entry(drain.service.clone());
                of_service.or_default().insert(path.clone(), drain.clone());
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

    fn forget(&mut self, path: &str, drain: &Drain) -> ServiceKey {
        if let Some(of_service) = self.by_service.get_mut(&drain.service) {
            of_service.remove(path);
            if of_service.is_empty() {
                self.by_service.remove(&drain.service);
            }
        }
        drain.service.clone()
    }

    /// The instances of a service, wherever it is asked for, that are taken out.
    pub fn taken(&self, service: &ServiceKey) -> Taken<'_> {
        let of_service = self.by_service.get(&service.plain()).into_iter().flatten();
        of_service
            .map(|(_, drain)| (drain.identity(), drain.mode))
            .collect()
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

fn write_service<S: Serializer>(service: &ServiceKey, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&service.stem())
}

fn read_service<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ServiceKey, D::Error> {
    let text = String::deserialize(deserializer)?;
    ServiceKey::from_stem(&text).ok_or_else(|| {
        serde::de::Error::custom(format!(
            "found the service `{}`, allowed: consul/<name>, file/<name>",
            text.escape_debug()
        ))
    })
}

#[cfg(test)]
mod tests;
