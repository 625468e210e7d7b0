//! What a request must have, and what it means.

use envoy_types::pb::google::rpc::Status;

use super::*;

#[test]
fn a_request_without_a_type_or_of_another_is_refused() {
    assert_eq!(
        Request::try_from(DiscoveryRequest::default()).unwrap_err(),
        NotAdmitted::NoTypeUrl
    );
    let url = "type.googleapis.com/envoy.service.runtime.v3.Runtime";
    let request = DeltaDiscoveryRequest {
        type_url: url.to_owned(),
        ..Default::default()
    };
    let refusal = Request::try_from(request).unwrap_err();
    assert_eq!(refusal, NotAdmitted::UnknownType(url.to_owned()));
    let text = refusal.to_string();
    assert!(
        text.contains(url) && text.contains(ResourceType::Cluster.type_url()),
        "{text}"
    );
}

#[test]
fn error_detail_makes_a_refusal_whatever_its_code() {
    let message = DiscoveryRequest {
        type_url: ResourceType::Listener.type_url().to_owned(),
        error_detail: Some(Status::default()),
        ..Default::default()
    };
    let request = Request::try_from(message).unwrap();
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
    let Names::Change { initial, .. } = Request::try_from(request).unwrap().names else {
        panic!("delta changes names");
    };
    assert_eq!(initial["a"], Some(ours));
    assert_eq!(initial["b"], None);
}
