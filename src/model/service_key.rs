//! Which service is meant: the registry, the name, and where in the registry.

use std::fmt;
use std::sync::Arc;

/// Declares the registries, each with the name that documents use.
macro_rules! registries {
    ($($(#[$meta:meta])* $registry:ident: $name:literal,)*) => {
        /// Which registry a service is looked up in: a document's `discovery_type`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Discovery {
            $($(#[$meta])* $registry,)*
        }

        impl Discovery {
            pub const ALL: &[Self] = &[$(Self::$registry,)*];

            /// The name that documents use.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$registry => $name,)*
                }
            }
        }
    };
}

registries! {
    /// Consul's health endpoint.
    Consul: "consul",
    /// A file per service.
    File: "file",
}

/// The part of a registry that a service is looked up in; Consul's own default where nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    pub datacenter: Option<Arc<str>>,
    /// Consul Enterprise's namespace.
    pub namespace: Option<Arc<str>>,
    /// Consul Enterprise's admin partition.
    pub partition: Option<Arc<str>>,
}

/// What one watch is about: a service as documents name it. Written `consul/echo`, and
/// `consul/echo?datacenter=dc2&near=_agent` where it says more than the name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceKey {
    /// The registry.
    pub discovery: Discovery,
    /// The service's name there.
    pub name: Arc<str>,
    /// Where in the registry.
    pub scope: Scope,
    /// The node that Consul is to sort its answer by.
    pub near: Option<Arc<str>>,
}

impl ServiceKey {
    /// The service of that name, where the registry looks by default.
    pub fn new(discovery: Discovery, name: impl Into<Arc<str>>) -> Self {
        Self {
            discovery,
            name: name.into(),
            scope: Scope::default(),
            near: None,
        }
    }

    /// The service itself, wherever and however it is asked for.
    pub fn plain(&self) -> Self {
        Self::new(self.discovery, self.name.clone())
    }

    /// The registry and the name, as a load assignment's name begins: no two services have the same.
    pub fn stem(&self) -> String {
        // What begins the arguments cannot stand in the name itself.
        let name = self.name.replace('%', "%25").replace('?', "%3F");
        format!("{}/{name}", self.discovery.as_str())
    }

    /// The plain service whose stem this is.
    pub fn from_stem(stem: &str) -> Option<Self> {
        let (registry, escaped) = stem.split_once('/')?;
        let mut all = Discovery::ALL.iter();
        let discovery = *all.find(|one| one.as_str() == registry)?;
        // In a stem each `%` begins one of these two.
        let name = escaped.replace("%3F", "?").replace("%25", "%");
        Some(Self::new(discovery, name))
    }

    /// What it says beside the name, by the names that documents use.
    pub fn arguments(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let Scope {
            datacenter,
            namespace,
            partition,
        } = &self.scope;
        let arguments = [
            ("datacenter", datacenter),
            ("near", &self.near),
            ("namespace", namespace),
            ("partition", partition),
        ];
        let given = arguments.into_iter();
        given.filter_map(|(name, value)| Some((name, value.as_deref()?)))
    }
}

impl fmt::Display for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.stem())?;
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let arguments = query.extend_pairs(self.arguments()).finish();
        match arguments.as_str() {
            "" => Ok(()),
            arguments => write!(f, "?{arguments}"),
        }
    }
}
