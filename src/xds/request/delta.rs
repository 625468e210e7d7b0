//! The codec of delta requests: what can be long stays in the bytes that came, prost decodes the rest.

use bytes::Bytes;
use envoy_types::pb::envoy::config::core::v3::Node as NodeIdentity;
use envoy_types::pb::envoy::service::discovery::v3::DeltaDiscoveryRequest;
use prost::Message as _;

use crate::envoy::wire::Fields;

use super::listed::{Claims, Listed};
use super::{Message, Names, Request, refusal};

/// The numbers of the fields of `DeltaDiscoveryRequest`, and of an entry of its map, that are read here.
const SUBSCRIBE: u32 = 3;
const INITIAL: u32 = 5;
const KEY: u32 = 1;
const VALUE: u32 = 2;

#[derive(Debug, Default)]
pub struct DeltaRequest {
    /// All but the names that are wanted and held.
    rest: DeltaDiscoveryRequest,
    subscribe: Listed,
    initial: Claims,
}

impl Message for DeltaRequest {
    fn read(bytes: Bytes) -> Result<Self, String> {
        let mut rest = Vec::new();
        let (mut subscribe, mut names, mut versions) = (Vec::new(), Vec::new(), Vec::new());
        let mut fields = Fields(&bytes);
        let span = |part: &[u8]| -> Result<_, String> {
            std::str::from_utf8(part).map_err(|error| format!("a name is no text: {error}"))?;
            let begin = part.as_ptr() as usize - bytes.as_ptr() as usize;
            let at = |place: usize| u32::try_from(place).map_err(|_| "it is too long".to_owned());
            Ok((at(begin)?, at(begin + part.len())?))
        };
        for field in fields.by_ref() {
            match (field.number, field.content) {
                (SUBSCRIBE, Some(name)) => subscribe.push(span(name)?),
                (INITIAL, Some(entry)) => {
                    let (mut name, mut version) = ((0, 0), None);
                    let mut parts = Fields(entry);
                    for part in parts.by_ref() {
                        match (part.number, part.content) {
                            (KEY, Some(key)) => name = span(key)?,
                            (VALUE, Some(value)) => {
                                version = std::str::from_utf8(value)
                                    .map_err(|error| format!("a version is no text: {error}"))?
                                    .parse()
                                    .ok();
                            }
                            _ => {}
                        }
                    }
                    if !parts.complete() {
                        return Err("initial_resource_versions cannot be read".to_owned());
                    }
                    names.push(name);
                    versions.push(version);
                }
                _ => rest.extend_from_slice(field.whole),
            }
        }
        // What cannot be told apart here is prost's to name.
        rest.extend_from_slice(fields.0);
        let rest = DeltaDiscoveryRequest::decode(&*rest).map_err(|error| error.to_string())?;
        if !fields.complete() {
            return Err("it holds a group, as no request does".to_owned());
        }
        Ok(Self {
            rest,
            subscribe: Listed::within(bytes.clone(), subscribe),
            initial: Claims::within(bytes, names, versions),
        })
    }

    fn node(&mut self) -> Option<NodeIdentity> {
        self.rest.node.take()
    }

    fn type_url(&mut self) -> &mut String {
        &mut self.rest.type_url
    }
}

impl From<DeltaRequest> for Request<String> {
    fn from(request: DeltaRequest) -> Self {
        let DeltaRequest {
            rest,
            subscribe,
            initial,
        } = request;
        Self {
            resource_type: rest.type_url,
            nonce: rest.response_nonce,
            error: rest.error_detail.map(|status| refusal(status.message)),
            names: Names::Change {
                subscribe,
                unsubscribe: rest.resource_names_unsubscribe,
                initial,
            },
        }
    }
}
