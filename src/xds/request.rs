//! What a client asks, in one form for both protocols: the codecs of requests.

use bytes::Bytes;
use envoy_types::pb::envoy::config::core::v3::Node as NodeIdentity;
use envoy_types::pb::envoy::service::discovery::v3::DiscoveryRequest;

use crate::snapshot::{ResourceType, Version};
use crate::telemetry;

use super::limits::Limits;
use super::refusal::NotAdmitted;

mod delta;
pub mod listed;

pub use delta::DeltaRequest;
use listed::{Claims, Listed};

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

/// One request of a client about one type: one that is served, or the type URL as the client wrote it.
#[derive(Debug)]
pub struct Request<Type = ResourceType> {
    pub resource_type: Type,
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
        subscribe: Listed,
        /// Names not wanted any more.
        unsubscribe: Vec<String>,
        /// What the client has from an earlier stream, in the first request of a type.
        initial: Claims,
    },
}

impl Request<String> {
    /// The request as one about a type that is served; as it is if its type is not.
    pub fn served(self) -> Result<Request, Box<Self>> {
        let Some(resource_type) = ResourceType::from_type_url(&self.resource_type) else {
            return Err(Box::new(self));
        };
        Ok(Request {
            resource_type,
            nonce: self.nonce,
            error: self.error,
            names: self.names,
        })
    }
}

impl Names {
    /// Checks how many names a request brings, to be wanted or held already, and forgets those that are longer than any that
    /// there is: a process before this one may have sent such. Tells how many these are.
    pub fn check(&mut self, limits: &Limits) -> Result<usize, NotAdmitted> {
        let (wanted, held) = self.count();
        if wanted.max(held) > limits.names {
            return Err(NotAdmitted::Names(limits.names));
        }
        match self {
            Self::All { names, .. } => names.retain(|name| name.len() <= limits.name_bytes),
            Self::Change {
                subscribe, initial, ..
            } => {
                subscribe.retain_up_to(limits.name_bytes);
                initial.retain_up_to(limits.name_bytes);
            }
        }
        let (still_wanted, still_held) = self.count();
        Ok(wanted + held - still_wanted - still_held)
    }

    /// How many names it brings, to be wanted and held already.
    fn count(&self) -> (usize, usize) {
        match self {
            Self::All { names, .. } => (names.len(), 0),
            Self::Change {
                subscribe, initial, ..
            } => (subscribe.len(), initial.len()),
        }
    }
}

/// As much of a client's text as an answer repeats.
pub fn shown(text: &str) -> String {
    telemetry::shown(text, 200)
}

/// Why a client refuses, as far as names are looked for in it: a text that names thousands of resources names one early.
fn refusal(mut text: String) -> String {
    const REFUSAL: usize = 64 * 1024;
    if let Some((end, _)) = text.char_indices().nth(REFUSAL) {
        text.truncate(end);
        text.shrink_to_fit();
    }
    text
}

impl From<DiscoveryRequest> for Request<String> {
    fn from(request: DiscoveryRequest) -> Self {
        Self {
            resource_type: request.type_url,
            nonce: request.response_nonce,
            error: request.error_detail.map(|status| refusal(status.message)),
            names: Names::All {
                names: request.resource_names,
                version: request.version_info.parse().ok(),
            },
        }
    }
}

/// What both protocols' requests have in common.
pub trait Message: Sized + Send + Into<Request<String>> + 'static {
    /// The message of these bytes, or what is wrong with them.
    fn read(bytes: Bytes) -> Result<Self, String>;
    fn node(&mut self) -> Option<NodeIdentity>;
    fn type_url(&mut self) -> &mut String;
}

impl Message for DiscoveryRequest {
    fn read(bytes: Bytes) -> Result<Self, String> {
        prost::Message::decode(bytes).map_err(|error: prost::DecodeError| error.to_string())
    }
    fn node(&mut self) -> Option<NodeIdentity> {
        self.node.take()
    }
    fn type_url(&mut self) -> &mut String {
        &mut self.type_url
    }
}

#[cfg(test)]
mod tests;
