//! What the port tells of itself: its services, and all files that a client needs to speak to them.

use std::collections::BTreeSet;

use chancery::xds::Limits;
use prost::Message;
use prost_types::FileDescriptorProto;
use tokio_stream::iter;
use tonic::transport::Channel;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use crate::port::Port;

async fn ask(channel: &Channel, question: MessageRequest) -> MessageResponse {
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(question),
    };
    let mut client = ServerReflectionClient::new(channel.clone());
    let answers = client.server_reflection_info(iter([request])).await;
    let answer = answers.unwrap().into_inner().message().await.unwrap();
    answer.unwrap().message_response.unwrap()
}

async fn file(channel: &Channel, question: MessageRequest) -> FileDescriptorProto {
    match ask(channel, question).await {
        MessageResponse::FileDescriptorResponse(files) => {
            let file = files.file_descriptor_proto[0].as_slice();
            FileDescriptorProto::decode(file).unwrap()
        }
        other => panic!("{other:?}"),
    }
}

async fn services(channel: &Channel) -> Vec<String> {
    match ask(channel, MessageRequest::ListServices(String::new())).await {
        MessageResponse::ListServicesResponse(services) => {
            let names = services.service.into_iter().map(|service| service.name);
            names.collect()
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn every_service_is_listed_and_described_with_all_that_it_imports() {
    let port = Port::open(Limits::default()).await;
    let channel = port.channel().await;
    let services = services(&channel).await;
    assert_eq!(services.len(), 11, "{services:?}");
    let mut imports = BTreeSet::new();
    for service in services {
        let question = MessageRequest::FileContainingSymbol(service.clone());
        let file = file(&channel, question).await;
        let full = |name: &str| format!("{}.{name}", file.package());
        let found = file.service.iter().any(|each| full(each.name()) == service);
        assert!(found, "{service} in {}", file.name());
        imports.extend(file.dependency);
    }
    let mut known = BTreeSet::new();
    while let Some(name) = imports.pop_first() {
        let file = file(&channel, MessageRequest::FileByFilename(name.clone())).await;
        known.insert(name);
        let unknown = |name: &String| !known.contains(name);
        imports.extend(file.dependency.into_iter().filter(unknown));
    }
    assert!(known.contains("envoy/config/core/v3/base.proto"));
}

#[tokio::test]
async fn a_method_is_found_by_its_name() {
    let port = Port::open(Limits::default()).await;
    let method = "envoy.service.discovery.v3.AggregatedDiscoveryService.DeltaAggregatedResources";
    let question = MessageRequest::FileContainingSymbol(method.into());
    let file = file(&port.channel().await, question).await;
    assert_eq!(file.name(), "envoy/service/discovery/v3/ads.proto");
}
