//! What a request must have, and what it means.

use envoy_types::pb::envoy::service::discovery::v3::DeltaDiscoveryRequest;
use envoy_types::pb::google::rpc::Status;
use prost::Message as _;

use super::*;

fn read(request: &DeltaDiscoveryRequest) -> DeltaRequest {
    DeltaRequest::read(request.encode_to_vec().into()).unwrap()
}

#[test]
fn a_request_of_a_type_that_is_not_served_stays_what_it_is() {
    let url = "type.googleapis.com/envoy.service.runtime.v3.Runtime";
    let request = Request::from(read(&DeltaDiscoveryRequest {
        type_url: url.to_owned(),
        ..Default::default()
    }));
    assert_eq!(request.served().unwrap_err().resource_type, url);
}

#[test]
fn error_detail_makes_a_refusal_whatever_its_code() {
    let message = DiscoveryRequest {
        type_url: ResourceType::Listener.type_url().to_owned(),
        error_detail: Some(Status::default()),
        ..Default::default()
    };
    let request = Request::from(message).served().unwrap();
    assert_eq!(request.error.as_deref(), Some(""));
}

#[test]
fn versions_of_others_are_held_and_not_ours() {
    let ours = Version::of(b"content");
    let versions = [("a", ours.to_string()), ("b", "v1".to_owned())];
    let request = DeltaDiscoveryRequest {
        type_url: ResourceType::Cluster.type_url().to_owned(),
        initial_resource_versions: versions.map(|(name, text)| (name.to_owned(), text)).into(),
        ..Default::default()
    };
    let request = Request::from(read(&request));
    let Names::Change { initial, .. } = request.served().unwrap().names else {
        panic!("delta changes names");
    };
    assert_eq!(initial.version(), None);
    let initial = initial.by_name();
    assert_eq!(initial["a"], Some(ours));
    assert_eq!(initial["b"], None);
}

#[test]
fn what_is_no_request_is_refused_and_nothing_of_it_passed_over() {
    let refused = |bytes: &'static [u8]| DeltaRequest::read(bytes.into()).unwrap_err();
    assert!(refused(b"\x1a\x01\xff").contains("no text"));
    assert!(refused(b"\x2a\x02\x0a\x05").contains("initial_resource_versions"));
    assert!(refused(b"\x7b\x7c\x1a\x01a").contains("group"));
    refused(b"\x18\x01");
    refused(b"\x1a\x09a");
}
