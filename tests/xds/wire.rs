//! Responses as a client reads them: from the bytes of the pieces, by `envoy-types`' own decoder.

use chancery::snapshot::ResourceType;
use chancery::xds::request::{DeltaRequest, Message as _};
use chancery::xds::response::Response;
use chancery::xds::{Protocol, Request};
use envoy_types::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse,
};
use envoy_types::pb::google::protobuf::Any;
use envoy_types::pb::google::rpc::Status;
use prost::Message;

/// A response, decoded.
#[derive(Debug, Clone)]
pub struct Received {
    /// What it is about.
    pub resource_type: ResourceType,
    /// `nonce`.
    pub nonce: String,
    /// `version_info`, or `system_version_info`.
    pub version: String,
    /// `resources`.
    pub resources: Vec<Entry>,
    /// `removed_resources`; always empty in SotW.
    pub removed: Vec<String>,
}

/// One resource in a response.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its text.
    pub text: String,
    /// Its version; empty in SotW, which has none.
    pub version: String,
}

/// Reads a response off the wire.
pub fn decode(protocol: Protocol, response: &Response) -> Received {
    let bytes = response.pieces.concat();
    assert_eq!(bytes.len(), response.size());
    let (prefix, message) = bytes.split_at(5);
    let length = u32::from_be_bytes(prefix[1..].try_into().unwrap());
    assert_eq!(prefix[0], 0, "the message is not compressed");
    assert_eq!(length as usize, message.len(), "the length prefix");
    let received = match protocol {
        Protocol::Sotw => decode_sotw(message),
        Protocol::Delta => decode_delta(message),
    };
    assert_eq!(received.resource_type, response.resource_type);
    assert_eq!(received.nonce, response.nonce);
    assert!(!received.nonce.is_empty());
    assert_eq!(received.resources.len(), response.resources);
    assert_eq!(received.version, response.version.to_string());
    let mut names: Vec<_> = received.resources.iter().map(|each| &each.name).collect();
    names.extend(&received.removed);
    names.sort_unstable();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all, "a name occurs twice in {received:?}");
    received
}

fn decode_sotw(message: &[u8]) -> Received {
    let message = DiscoveryResponse::decode(message).unwrap();
    let resource_type = ResourceType::from_type_url(&message.type_url).unwrap();
    let resources = message.resources.iter();
    Received {
        resource_type,
        nonce: message.nonce,
        version: message.version_info,
        resources: resources.map(|any| entry(resource_type, any)).collect(),
        removed: Vec::new(),
    }
}

fn decode_delta(message: &[u8]) -> Received {
    let message = DeltaDiscoveryResponse::decode(message).unwrap();
    let resource_type = ResourceType::from_type_url(&message.type_url).unwrap();
    let resources = message.resources.iter().map(|resource| {
        let entry = entry(resource_type, resource.resource.as_ref().unwrap());
        assert_eq!(entry.name, resource.name);
        assert!(!resource.version.is_empty());
        Entry {
            version: resource.version.clone(),
            ..entry
        }
    });
    Received {
        resource_type,
        nonce: message.nonce,
        version: message.system_version_info,
        resources: resources.collect(),
        removed: message.removed_resources,
    }
}

fn entry(resource_type: ResourceType, any: &Any) -> Entry {
    assert_eq!(any.type_url, resource_type.type_url());
    let text = String::from_utf8(any.value.clone()).unwrap();
    Entry {
        name: text.split_once('=').unwrap().0.to_owned(),
        text,
        version: String::new(),
    }
}

/// A SotW request as the wire would bring it.
pub fn sotw_request(
    resource_type: ResourceType,
    version: &str,
    nonce: &str,
    names: Vec<String>,
    error: Option<&str>,
) -> Request {
    let message = DiscoveryRequest {
        type_url: resource_type.type_url().to_owned(),
        version_info: version.to_owned(),
        response_nonce: nonce.to_owned(),
        resource_names: names,
        error_detail: error.map(status),
        ..Default::default()
    };
    Request::<String>::from(message).served().unwrap()
}

/// A delta request as the wire would bring it.
pub fn delta_request(
    resource_type: ResourceType,
    nonce: &str,
    subscribe: Vec<String>,
    unsubscribe: Vec<String>,
    initial: impl IntoIterator<Item = (String, String)>,
    error: Option<&str>,
) -> Request {
    let message = DeltaDiscoveryRequest {
        type_url: resource_type.type_url().to_owned(),
        response_nonce: nonce.to_owned(),
        resource_names_subscribe: subscribe,
        resource_names_unsubscribe: unsubscribe,
        initial_resource_versions: initial.into_iter().collect(),
        error_detail: error.map(status),
        ..Default::default()
    };
    let message = DeltaRequest::read(message.encode_to_vec().into()).unwrap();
    Request::<String>::from(message).served().unwrap()
}

fn status(message: &str) -> Status {
    Status {
        code: 13,
        message: message.to_owned(),
        ..Default::default()
    }
}
