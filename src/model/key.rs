//! Which document: its kind and its id, read from the path that the store gives it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;

/// The kinds of documents that this version knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Route,
    Upstream,
    Service,
    PluginConfig,
    GlobalRule,
    Ssl,
    StreamRoute,
    Gateway,
    Consumer,
    /// `consumers/<username>/credentials`
    Credential,
    ConsumerGroup,
    /// `plugin_metadata/<plugin>`
    PluginMetadata,
    Proto,
    /// `secrets/<manager>/<id>`: where a secret manager is asked.
    Secret,
}

impl Kind {
    pub const ALL: [Self; 14] = [
        Self::Route,
        Self::Upstream,
        Self::Service,
        Self::PluginConfig,
        Self::GlobalRule,
        Self::Ssl,
        Self::StreamRoute,
        Self::Gateway,
        Self::Consumer,
        Self::Credential,
        Self::ConsumerGroup,
        Self::PluginMetadata,
        Self::Proto,
        Self::Secret,
    ];

    /// The name that the store uses, a plural.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Route => "routes",
            Self::Upstream => "upstreams",
            Self::Service => "services",
            Self::PluginConfig => "plugin_configs",
            Self::GlobalRule => "global_rules",
            Self::Ssl => "ssls",
            Self::StreamRoute => "stream_routes",
            Self::Gateway => "gateways",
            Self::Consumer => "consumers",
            Self::Credential => "credentials",
            Self::ConsumerGroup => "consumer_groups",
            Self::PluginMetadata => "plugin_metadata",
            Self::Proto => "protos",
            Self::Secret => "secrets",
        }
    }

    /// The name that resources begin with which a document of the kind becomes.
    pub fn singular(self) -> &'static str {
        self.as_str().trim_end_matches('s')
    }

    /// The kind of that name, the plural or the singular.
    pub fn named(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|kind| kind.as_str() == name || kind.singular() == name)
    }

    pub(crate) fn names() -> String {
        Self::ALL.map(Self::as_str).join(", ")
    }
}

/// Kinds that stores of this schema hold and this version does not serve.
const NOT_SERVED: &[&str] = &["drains", "plugins", "replicas"];

/// The managers that are asked for secrets.
pub(crate) const MANAGERS: [&str; 1] = ["vault"];

/// A document's id: `[a-zA-Z0-9-_.]{1,64}`; of `secrets` with the manager before it, `vault/1`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(Arc<str>);

impl Id {
    /// `default`: the gateway of routes that name none.
    pub fn default_gateway() -> Self {
        Self("default".into())
    }

    /// The route that requests take which no document's route takes; none of a document's.
    pub fn no_route() -> Self {
        Self(NO_ROUTE.into())
    }

    /// Whether it is that.
    pub fn is_no_route(&self) -> bool {
        &*self.0 == NO_ROUTE
    }

    /// `vault/1`: who a secret manager is to `secrets` documents.
    pub fn of_manager(manager: &str, id: &str) -> Result<Self, KeyError> {
        if !MANAGERS.contains(&manager) {
            return Err(KeyError::Manager(
                manager.escape_debug().take(100).collect(),
            ));
        }
        let id: Self = id.parse()?;
        Ok(Self(format!("{manager}/{id}").into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

pub(crate) const NO_ROUTE: &str = "chancery.no-route";

impl FromStr for Id {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        if (1..=64).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.into()))
        } else {
            Err(KeyError::Id(text.escape_debug().take(100).collect()))
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which document: written `routes/echo`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pub kind: Kind,
    /// The id within the kind; of a credential, within its consumer.
    pub id: Id,
    /// The consumer that a credential is of.
    pub consumer: Option<Id>,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(consumer) = &self.consumer {
            write!(f, "{}/{consumer}/", Kind::Consumer.as_str())?;
        }
        write!(f, "{}/{}", self.kind.as_str(), self.id)
    }
}

impl FromStr for Key {
    type Err = KeyError;

    fn from_str(path: &str) -> Result<Self, KeyError> {
        let (folder, id) = path.split_once('/').unwrap_or((path, ""));
        let known = Kind::ALL.into_iter().find(|one| one.as_str() == folder);
        // A credential lies below its consumer.
        let within = id.split_once("/credentials/");
        if let (Some(Kind::Consumer), Some((consumer, id))) = (known, within) {
            return Ok(Self {
                kind: Kind::Credential,
                id: id.parse()?,
                consumer: Some(consumer.parse()?),
            });
        }
        // The manager stands before the id.
        if known == Some(Kind::Secret) {
            let (manager, id) = id.split_once('/').unwrap_or((id, ""));
            return Ok(Self {
                kind: Kind::Secret,
                id: Id::of_manager(manager, id)?,
                consumer: None,
            });
        }
        let Some(kind) = known.filter(|kind| *kind != Kind::Credential) else {
            let shown = folder.escape_debug().take(100).collect();
            return Err(if NOT_SERVED.contains(&folder) {
                KeyError::NotServed(shown)
            } else {
                KeyError::Unknown(shown)
            });
        };
        Ok(Self {
            kind,
            id: id.parse()?,
            consumer: None,
        })
    }
}

/// Why a path names no document that this version serves.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyError {
    /// A kind of the schema that later versions will serve.
    #[error("this version does not serve `{0}`; it serves {kinds}", kinds = Kind::names())]
    NotServed(String),
    /// No kind of the schema.
    #[error("unknown kind `{0}`, allowed: {kinds}", kinds = Kind::names())]
    Unknown(String),
    #[error("found the id `{0}`, allowed: 1 to 64 letters, digits, `-`, `_` and `.`")]
    Id(String),
    /// A secret manager that nobody here asks.
    #[error(
        "found the secret manager `{0}`, allowed: `vault`, as in `secrets/vault/1`; have the agent of another one fill a variable \
         where Chancery runs, list that in `secrets-env`, and write `$env://NAME`"
    )]
    Manager(String),
}
