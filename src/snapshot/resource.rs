//! One resource, encoded once. Both protocols send the same bytes.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint};

use super::Version;

/// The types that Chancery serves, in the order in which a change is made known (make before break).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResourceType {
    /// CDS
    Cluster,
    /// EDS
    LoadAssignment,
    /// SDS
    Secret,
    /// ECDS
    ExtensionConfig,
    /// LDS
    Listener,
    /// RDS
    RouteConfiguration,
    /// SRDS: which requests go by which route table, where a gateway has several.
    ScopedRouteConfiguration,
}

impl ResourceType {
    /// Every type, in order.
    pub const ALL: [Self; 7] = [
        Self::Cluster,
        Self::LoadAssignment,
        Self::Secret,
        Self::ExtensionConfig,
        Self::Listener,
        Self::RouteConfiguration,
        Self::ScopedRouteConfiguration,
    ];

    /// Its place in [`ALL`](Self::ALL).
    pub fn index(self) -> usize {
        self as usize
    }

    /// The type URL that names it on the wire.
    pub const fn type_url(self) -> &'static str {
        match self {
            Self::Cluster => "type.googleapis.com/envoy.config.cluster.v3.Cluster",
            Self::LoadAssignment => {
                "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
            }
            Self::Secret => "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
            Self::ExtensionConfig => {
                "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig"
            }
            Self::Listener => "type.googleapis.com/envoy.config.listener.v3.Listener",
            Self::RouteConfiguration => {
                "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
            }
            Self::ScopedRouteConfiguration => {
                "type.googleapis.com/envoy.config.route.v3.ScopedRouteConfiguration"
            }
        }
    }

    pub fn from_type_url(url: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|each| each.type_url() == url)
    }

    /// The word that logs and metrics use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cluster => "clusters",
            Self::LoadAssignment => "endpoints",
            Self::Secret => "secrets",
            Self::ExtensionConfig => "extensions",
            Self::Listener => "listeners",
            Self::RouteConfiguration => "routes",
            Self::ScopedRouteConfiguration => "scopes",
        }
    }

    /// Whether "everything" can be asked for (wildcard), and a SotW answer is the full state: LDS and CDS, and SRDS, which
    /// Envoy asks for in no other way.
    pub fn is_full_state(self) -> bool {
        matches!(
            self,
            Self::Cluster | Self::Listener | Self::ScopedRouteConfiguration
        )
    }

    /// Whether resources of this type may hold what nobody but the proxy is to see, all through.
    pub fn is_secret(self) -> bool {
        matches!(self, Self::Secret | Self::ExtensionConfig)
    }

    /// Whether a client is left with what is gone, until it stops asking for it. Envoy answers 500 as soon as an extension
    /// config is taken away, also on connections of listeners that have long been replaced and only drain; a route table it
    /// keeps, and logs an error that it was told to do without.
    pub fn is_left(self) -> bool {
        matches!(
            self,
            Self::Secret | Self::ExtensionConfig | Self::RouteConfiguration
        )
    }

    /// Whether a client is left with all that it has once nothing of this type is there. Where scopes are given up, so is the
    /// listener that named them, and its connections, which drain, would be answered with 404 without.
    pub fn is_left_at_last(self) -> bool {
        self == Self::ScopedRouteConfiguration
    }

    /// The children without which a changed resource of this type must not go out: Envoy warms no scope, and answers 404 until
    /// the route table that it names is there.
    pub fn awaits(self) -> Option<Self> {
        (self == Self::ScopedRouteConfiguration).then_some(Self::RouteConfiguration)
    }

    /// Whether others [await](Self::awaits) resources of this type.
    pub fn is_awaited(self) -> bool {
        self == Self::RouteConfiguration
    }

    /// The types whose resources have this type among their [children](Resource::children).
    pub fn parents(self) -> &'static [Self] {
        match self {
            Self::Cluster | Self::Listener => &[],
            Self::LoadAssignment => &[Self::Cluster],
            Self::Secret => &[Self::Cluster, Self::Listener],
            Self::ExtensionConfig | Self::ScopedRouteConfiguration => &[Self::Listener],
            Self::RouteConfiguration => &[Self::Listener, Self::ScopedRouteConfiguration],
        }
    }
}

const LENGTH_DELIMITED: WireType = WireType::LengthDelimited;

/// What a resource refers to by name, and the proxy asks for and waits for before it uses the resource.
pub type Child = (ResourceType, Arc<str>);

/// One resource, encoded once.
///
/// The bytes are a whole `resources` field of a `DeltaDiscoveryResponse`, and end in a whole `resources` field of a
/// `DiscoveryResponse`: in both messages that field is number 2, and `Resource.resource`, number 2 as well, is written last.
#[derive(PartialEq, Eq)]
pub struct Resource {
    pub version: Version,
    /// The resources that it refers to: load assignments, route tables, secrets, extension configs.
    pub children: Box<[Child]>,
    /// What its name is a digest of, where it is one.
    pub full_name: Option<Box<str>>,
    entry: Bytes,
    sotw_at: usize,
    value_at: usize,
}

impl Resource {
    /// Encodes a resource. `value` is the message, encoded so that equal messages have equal bytes.
    pub fn new(
        resource_type: ResourceType,
        name: &str,
        value: &[u8],
        children: Box<[Child]>,
    ) -> Self {
        let version = Version::of(value);
        let type_url = resource_type.type_url();
        let any_len = field_len(type_url.len()) + field_len(value.len());
        let mut head = Vec::with_capacity(name.len() + 48);
        put_field(1, version.to_string().as_bytes(), &mut head);
        put_field(3, name.as_bytes(), &mut head);
        let resource_len = head.len() + field_len(any_len);
        let mut entry = Vec::with_capacity(field_len(resource_len));
        put_head(2, resource_len, &mut entry);
        entry.extend_from_slice(&head);
        let sotw_at = entry.len();
        put_head(2, any_len, &mut entry);
        put_field(1, type_url.as_bytes(), &mut entry);
        put_head(2, value.len(), &mut entry);
        let value_at = entry.len();
        entry.extend_from_slice(value);
        Self {
            version,
            children,
            full_name: None,
            entry: entry.into(),
            sotw_at,
            value_at,
        }
    }

    /// The same resource, whose name is a digest of this, for people.
    #[must_use]
    pub fn of_full_name(mut self, full_name: Option<String>) -> Self {
        self.full_name = full_name.map(Into::into);
        self
    }

    /// A `resources` field of a `DeltaDiscoveryResponse`.
    pub fn delta_entry(&self) -> Bytes {
        self.entry.clone()
    }

    /// A `resources` field of a `DiscoveryResponse`: the tail of the same bytes.
    pub fn sotw_entry(&self) -> Bytes {
        self.entry.slice(self.sotw_at..)
    }

    /// The encoded message.
    pub fn value(&self) -> Bytes {
        self.entry.slice(self.value_at..)
    }
}

impl fmt::Debug for Resource {
    /// Without the content, which may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resource")
            .field("version", &self.version)
            .field("children", &self.children)
            .finish_non_exhaustive()
    }
}

fn put_head(tag: u32, len: usize, out: &mut Vec<u8>) {
    encode_key(tag, LENGTH_DELIMITED, out);
    encode_varint(len as u64, out);
}

fn put_field(tag: u32, content: &[u8], out: &mut Vec<u8>) {
    put_head(tag, content.len(), out);
    out.extend_from_slice(content);
}

/// The length of a field with a one-byte key.
fn field_len(content: usize) -> usize {
    1 + encoded_len_varint(content as u64) + content
}
