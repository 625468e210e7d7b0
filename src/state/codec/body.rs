//! The shapes of the file, apart from those of the rooms: a field that is renamed there does not change the format.

mod acceptance;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::model::service_key::Scope;
use crate::model::{Discovery, Provider, SecretName, ServiceKey, document, instance};
use crate::state::{Answered, Kept, Place, Saved};
use crate::{registry, state};
use acceptance::Acceptance;

/// What follows the first line.
#[derive(Serialize, Deserialize)]
pub(super) struct Body {
    origin: Origin,
    revision: i64,
    /// Seconds since 1970, as all times here.
    as_of: u64,
    documents: Vec<Document>,
    answers: Vec<SavedAnswer>,
    /// Nothing in a state of an older Chancery.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    acceptances: Vec<Acceptance>,
    /// As is this.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    secrets: Vec<Secret>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    providers: Vec<SavedProvider>,
}

/// An identity provider, what it was asked, and what it said.
#[derive(Serialize, Deserialize)]
struct SavedProvider {
    address: Arc<str>,
    verify: bool,
    keys: bool,
    #[serde(default)]
    login: bool,
    said: String,
}

/// What a secret manager was asked for, and answered.
#[derive(Serialize, Deserialize)]
struct Secret {
    manager: Arc<str>,
    key: Arc<str>,
    field: Arc<str>,
}

#[derive(Serialize, Deserialize)]
struct Origin {
    store: Place,
    /// `null` for one that is not asked, as it was once written.
    #[serde(flatten)]
    registries: BTreeMap<Registry, Option<BTreeSet<String>>>,
}

#[derive(Serialize, Deserialize)]
struct Document {
    path: Arc<str>,
    source: Arc<str>,
    #[serde(flatten)]
    newest: Written,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    good: Option<Written>,
}

#[derive(Serialize, Deserialize)]
struct Written {
    format: Format,
    revision: i64,
    value: Value,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    Json,
    Yaml,
}

/// A text, or bytes that are none: a bad document is kept as it is.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Value {
    Text(String),
    Bytes(Vec<u8>),
}

#[derive(Serialize, Deserialize)]
struct SavedAnswer {
    registry: Registry,
    service: Arc<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    datacenter: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    namespace: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    partition: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    near: Option<Arc<str>>,
    as_of: u64,
    instances: Vec<Instance>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Registry {
    Consul,
    File,
}

#[derive(Serialize, Deserialize)]
struct Instance {
    id: Arc<str>,
    address: IpAddr,
    port: u16,
    status: Status,
    weight: u32,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    region: Arc<str>,
    zone: Arc<str>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    tags: BTreeSet<Arc<str>>,
    metadata: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    tagged: BTreeMap<Arc<str>, SocketAddr>,
    service_id: Arc<str>,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    node: Arc<str>,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    node_address: Arc<str>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Passing,
    Warning,
    Critical,
    Maintenance,
}

impl Body {
    pub(super) fn new(origin: &state::Origin, saved: Saved) -> Self {
        Self {
            origin: Origin::new(origin),
            revision: saved.revision,
            as_of: seconds(saved.as_of),
            documents: saved.documents.into_iter().map(Document::new).collect(),
            answers: saved.answers.into_iter().map(SavedAnswer::new).collect(),
            acceptances: saved.acceptances.into_iter().map(Acceptance::new).collect(),
            secrets: saved.secrets.into_iter().map(Secret::new).collect(),
            providers: saved
                .providers
                .into_iter()
                .map(SavedProvider::new)
                .collect(),
        }
    }

    pub(super) fn into_parts(self) -> (state::Origin, Saved) {
        let saved = Saved {
            revision: self.revision,
            as_of: time(self.as_of),
            documents: self.documents.into_iter().map(Document::kept).collect(),
            answers: self
                .answers
                .into_iter()
                .map(SavedAnswer::answered)
                .collect(),
            // Of proxies that are not served any longer nothing need be known.
            acceptances: self
                .acceptances
                .into_iter()
                .filter_map(Acceptance::acceptance)
                .collect(),
            secrets: self.secrets.into_iter().map(Secret::name).collect(),
            providers: self
                .providers
                .into_iter()
                .map(SavedProvider::said)
                .collect(),
        };
        (self.origin.origin(), saved)
    }
}

impl SavedProvider {
    fn new((provider, said): (Provider, String)) -> Self {
        let Provider {
            address,
            verify,
            keys,
            login,
        } = provider;
        Self {
            address,
            verify,
            keys,
            login,
            said,
        }
    }

    fn said(self) -> (Provider, String) {
        let provider = Provider {
            address: self.address,
            verify: self.verify,
            keys: self.keys,
            login: self.login,
        };
        (provider, self.said)
    }
}

impl Secret {
    fn new(name: SecretName) -> Self {
        let SecretName {
            manager,
            key,
            field,
        } = name;
        Self {
            manager,
            key,
            field,
        }
    }

    fn name(self) -> SecretName {
        SecretName {
            manager: self.manager,
            key: self.key,
            field: self.field,
        }
    }
}

impl Origin {
    fn new(origin: &state::Origin) -> Self {
        let registries = origin
            .registries
            .iter()
            .map(|(one, agents)| (Registry::new(*one), Some(agents.clone())));
        Self {
            store: origin.store.clone(),
            registries: registries.collect(),
        }
    }

    fn origin(self) -> state::Origin {
        let registries = self
            .registries
            .into_iter()
            .filter_map(|(one, agents)| Some((one.discovery(), agents?)));
        state::Origin {
            store: self.store,
            registries: registries.collect(),
        }
    }
}

impl Registry {
    fn new(discovery: Discovery) -> Self {
        match discovery {
            Discovery::Consul => Self::Consul,
            Discovery::File => Self::File,
        }
    }

    fn discovery(&self) -> Discovery {
        match self {
            Self::Consul => Discovery::Consul,
            Self::File => Discovery::File,
        }
    }
}

impl Document {
    fn new(kept: Kept) -> Self {
        Self {
            path: kept.document.path.clone(),
            source: kept.document.source.clone(),
            newest: Written::new(kept.document),
            good: kept.good.map(Written::new),
        }
    }

    fn kept(self) -> Kept {
        let Self { path, source, .. } = self;
        Kept {
            document: self.newest.document(&path, &source),
            good: self.good.map(|good| good.document(&path, &source)),
        }
    }
}

impl Written {
    fn new(document: document::Document) -> Self {
        let value = match String::from_utf8(document.value.into()) {
            Ok(text) => Value::Text(text),
            Err(error) => Value::Bytes(error.into_bytes()),
        };
        let format = match document.format {
            document::Format::Json => Format::Json,
            document::Format::Yaml => Format::Yaml,
        };
        Self {
            format,
            revision: document.revision,
            value,
        }
    }

    fn document(self, path: &Arc<str>, source: &Arc<str>) -> document::Document {
        document::Document {
            path: path.clone(),
            source: source.clone(),
            format: match self.format {
                Format::Json => document::Format::Json,
                Format::Yaml => document::Format::Yaml,
            },
            value: match self.value {
                Value::Text(text) => text.into(),
                Value::Bytes(bytes) => Bytes::from(bytes),
            },
            revision: self.revision,
        }
    }
}

impl SavedAnswer {
    fn new(answered: Answered) -> Self {
        let registry::Answer {
            service, instances, ..
        } = answered.answer;
        Self {
            registry: Registry::new(service.discovery),
            service: service.name,
            datacenter: service.scope.datacenter,
            namespace: service.scope.namespace,
            partition: service.scope.partition,
            near: service.near,
            as_of: seconds(answered.as_of),
            instances: instances.iter().cloned().map(Instance::new).collect(),
        }
    }

    fn answered(self) -> Answered {
        let service = ServiceKey {
            discovery: self.registry.discovery(),
            name: self.service,
            scope: Scope {
                datacenter: self.datacenter,
                namespace: self.namespace,
                partition: self.partition,
            },
            near: self.near,
        };
        let instances = self.instances.into_iter().map(Instance::instance);
        Answered {
            answer: registry::Answer::new(service, instances.collect()),
            as_of: time(self.as_of),
        }
    }
}

impl Instance {
    fn new(instance: registry::Instance) -> Self {
        let registry::Instance {
            id,
            address,
            port,
            status,
            weight,
            region,
            zone,
            tags,
            metadata,
            tagged,
            service_id,
            node,
            node_address,
        } = instance;
        Self {
            id,
            address,
            port,
            status: Status::new(status),
            weight,
            region,
            zone,
            tags,
            metadata,
            tagged,
            service_id,
            node,
            node_address,
        }
    }

    fn instance(self) -> registry::Instance {
        registry::Instance {
            id: self.id,
            address: self.address,
            port: self.port,
            status: self.status.status(),
            weight: self.weight,
            region: self.region,
            zone: self.zone,
            tags: self.tags,
            metadata: self.metadata,
            tagged: self.tagged,
            service_id: self.service_id,
            node: self.node,
            node_address: self.node_address,
        }
    }
}

impl Status {
    fn new(status: instance::Status) -> Self {
        match status {
            instance::Status::Passing => Self::Passing,
            instance::Status::Warning => Self::Warning,
            instance::Status::Critical => Self::Critical,
            instance::Status::Maintenance => Self::Maintenance,
        }
    }

    fn status(self) -> instance::Status {
        match self {
            Self::Passing => instance::Status::Passing,
            Self::Warning => instance::Status::Warning,
            Self::Critical => instance::Status::Critical,
            Self::Maintenance => instance::Status::Maintenance,
        }
    }
}

fn seconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

fn time(seconds: u64) -> SystemTime {
    let time = UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
    time.unwrap_or(UNIX_EPOCH)
}
