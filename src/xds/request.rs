//! What a client asks, in one form for both protocols: the codecs of requests.

use std::collections::HashMap;
use std::fmt;

use envoy_types::pb::envoy::service::discovery::v3::{DeltaDiscoveryRequest, DiscoveryRequest};

use crate::snapshot::{ResourceType, Version};

/// The two ways to speak xDS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// State of the world: a request names all it wants.
    Sotw,
    /// Incremental: a request names what it wants more or less than before.
    Delta,
}

impl Protocol {
    /// The word that logs and metrics use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sotw => "sotw",
            Self::Delta => "delta",
        }
    }
}

/// One request of a client about one type.
#[derive(Debug)]
pub struct Request {
    /// The type that it is about.
    pub resource_type: ResourceType,
    /// The nonce of the response that it answers; empty when it answers none.
    pub nonce: String,
    /// Why the client refused that response, if it did: this and nothing else makes a NACK.
    pub error: Option<String>,
    /// What it wants.
    pub names: Names,
}

/// Which resources a request asks for.
#[derive(Debug)]
pub enum Names {
    /// SotW.
    All {
        /// All names that are wanted from now on.
        names: Vec<String>,
        /// The version that the client has accepted last, perhaps from another stream.
        version: Option<Version>,
    },
    /// Delta.
    Change {
        /// Names wanted besides those before.
        subscribe: Vec<String>,
        /// Names not wanted any more.
        unsubscribe: Vec<String>,
        /// What the client has from an earlier stream, in the first request of a type.
        initial: HashMap<String, Option<Version>>,
    },
}

/// Why a request cannot be served; the stream ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// ADS needs a type URL in every request.
    NoTypeUrl,
    /// A type that Chancery does not serve.
    UnknownType(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let served = ResourceType::ALL.map(ResourceType::type_url).join(", ");
        match self {
            Self::NoTypeUrl => write!(f, "the request has no type_url; served are {served}"),
            Self::UnknownType(url) => {
                write!(f, "type_url {url:?} is not served; served are {served}")
            }
        }
    }
}

fn resource_type(url: &str) -> Result<ResourceType, Refusal> {
    if url.is_empty() {
        return Err(Refusal::NoTypeUrl);
    }
    ResourceType::from_type_url(url)
        .ok_or_else(|| Refusal::UnknownType(url.chars().take(200).collect()))
}

impl TryFrom<DiscoveryRequest> for Request {
    type Error = Refusal;

    fn try_from(request: DiscoveryRequest) -> Result<Self, Refusal> {
        Ok(Self {
            resource_type: resource_type(&request.type_url)?,
            nonce: request.response_nonce,
            error: request.error_detail.map(|status| status.message),
            names: Names::All {
                names: request.resource_names,
                version: request.version_info.parse().ok(),
            },
        })
    }
}

impl TryFrom<DeltaDiscoveryRequest> for Request {
    type Error = Refusal;

    fn try_from(request: DeltaDiscoveryRequest) -> Result<Self, Refusal> {
        let initial = request.initial_resource_versions;
        Ok(Self {
            resource_type: resource_type(&request.type_url)?,
            nonce: request.response_nonce,
            error: request.error_detail.map(|status| status.message),
            names: Names::Change {
                subscribe: request.resource_names_subscribe,
                unsubscribe: request.resource_names_unsubscribe,
                initial: initial
                    .into_iter()
                    .map(|(name, version)| (name, version.parse().ok()))
                    .collect(),
            },
        })
    }
}

#[cfg(test)]
mod tests;
