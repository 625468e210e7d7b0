//! CSDS: what a debugger is told of each node.

use chancery::snapshot::ResourceType;
use chancery::xds::Limits;
use envoy_types::pb::envoy::service::discovery::v3::{DiscoveryRequest, DiscoveryResponse};
use envoy_types::pb::envoy::service::status::v3::client_config::GenericXdsConfig;
use envoy_types::pb::envoy::service::status::v3::client_status_discovery_service_client::ClientStatusDiscoveryServiceClient;
use envoy_types::pb::envoy::service::status::v3::{
    ClientConfig, ClientStatusRequest, ConfigStatus,
};
use envoy_types::pb::envoy::r#type::matcher::v3::string_matcher::MatchPattern;
use envoy_types::pb::envoy::r#type::matcher::v3::{NodeMatcher, StringMatcher};
use envoy_types::pb::google::rpc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

use crate::port::{Port, SOTW, Sotw, assert_code, node, wish};
use crate::support::eventually;

/// A client called `id` that was answered about a type, by name where the type needs one.
async fn answered(
    port: &Port,
    id: &str,
    resource_type: ResourceType,
    names: &[&str],
) -> (Sotw, DiscoveryRequest, DiscoveryResponse) {
    let mut client = Sotw::open(&port.channel().await, SOTW).await;
    let request = DiscoveryRequest {
        node: node(id),
        resource_names: names.iter().map(|name| (*name).to_owned()).collect(),
        ..wish(resource_type.type_url())
    };
    client.send(request.clone()).await;
    let response = client.next().await.unwrap().unwrap();
    (client, request, response)
}

fn answer(request: DiscoveryRequest, to: &DiscoveryResponse) -> DiscoveryRequest {
    DiscoveryRequest {
        response_nonce: to.nonce.clone(),
        version_info: to.version_info.clone(),
        ..request
    }
}

async fn fetch(port: &Port, request: ClientStatusRequest) -> Vec<ClientConfig> {
    let mut csds = ClientStatusDiscoveryServiceClient::new(port.channel().await);
    let answer = csds.fetch_client_status(request).await.unwrap();
    answer.into_inner().config
}

/// The only resource of the only node.
async fn only(port: &Port) -> GenericXdsConfig {
    let mut nodes = fetch(port, ClientStatusRequest::default()).await;
    assert_eq!(nodes.len(), 1);
    let mut configs = nodes.remove(0).generic_xds_configs;
    assert_eq!(configs.len(), 1, "{configs:?}");
    configs.remove(0)
}

async fn becomes(port: &Port, status: ConfigStatus) -> GenericXdsConfig {
    eventually(async || {
        let config = only(port).await;
        anyhow::ensure!(config.config_status() == status, "{config:?}");
        Ok(config)
    })
    .await
}

#[tokio::test]
async fn a_resource_is_stale_until_it_is_accepted_and_says_why_it_was_refused() {
    let port = Port::open(Limits::default()).await;
    let publish = |value: &[u8]| port.publish([(ResourceType::Cluster, "c", value)]);
    publish(b"one");
    let (mut client, request, first) = answered(&port, "one", ResourceType::Cluster, &[]).await;
    let config = becomes(&port, ConfigStatus::Stale).await;
    assert_eq!((config.name.as_str(), config.last_updated), ("c", None));
    assert_eq!(config.type_url, ResourceType::Cluster.type_url());

    client.send(answer(request.clone(), &first)).await;
    let config = becomes(&port, ConfigStatus::Synced).await;
    assert_eq!(config.xds_config.unwrap().value, b"one");
    assert!(config.last_updated.is_some());
    let version = config.version_info;

    publish(b"two");
    let second = client.next().await.unwrap().unwrap();
    let refused = DiscoveryRequest {
        error_detail: Some(rpc::Status {
            message: "no such thing".into(),
            ..rpc::Status::default()
        }),
        version_info: first.version_info.clone(),
        ..answer(request, &second)
    };
    client.send(refused).await;
    let config = becomes(&port, ConfigStatus::Error).await;
    assert_ne!(config.version_info, version);
    let error = config.error_state.unwrap();
    assert_eq!(error.details, "no such thing");
    assert_eq!(error.failed_configuration.unwrap().value, b"two");
    assert!(error.last_update_attempt.is_some());
}

#[tokio::test]
async fn what_does_not_exist_is_not_sent() {
    let port = Port::with_one_of_each(Limits::default()).await;
    let names = ["endpoints", "nothing"];
    let endpoints = ResourceType::LoadAssignment;
    let (client, request, response) = answered(&port, "one", endpoints, &names).await;
    client.send(answer(request, &response)).await;
    eventually(async || {
        let nodes = fetch(&port, ClientStatusRequest::default()).await;
        let configs = nodes[0].generic_xds_configs.iter();
        let found: Vec<_> = configs
            .map(|config| (config.name.as_str(), config.config_status()))
            .collect();
        let expected = [
            ("endpoints", ConfigStatus::Synced),
            ("nothing", ConfigStatus::NotSent),
        ];
        anyhow::ensure!(found == expected, "{found:?}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn secrets_are_named_and_not_shown() {
    let port = Port::open(Limits::default()).await;
    port.publish([(ResourceType::Secret, "s", b"hush".as_slice())]);
    let _open = answered(&port, "one", ResourceType::Secret, &["s"]).await;
    let config = becomes(&port, ConfigStatus::Stale).await;
    assert_eq!(config.name, "s");
    assert!(!config.version_info.is_empty());
    assert_eq!(config.xds_config, None);
}

#[tokio::test]
async fn nodes_are_matched_by_id_and_contents_left_out_when_asked() {
    let port = Port::with_one_of_each(Limits::default()).await;
    let clusters = ResourceType::Cluster;
    let _one = answered(&port, "one", clusters, &[]).await;
    let _two = answered(&port, "two", clusters, &[]).await;
    let _two_again = answered(&port, "two", ResourceType::Listener, &[]).await;
    let request = ClientStatusRequest {
        node_matchers: vec![NodeMatcher {
            node_id: Some(StringMatcher {
                match_pattern: Some(MatchPattern::Exact("two".into())),
                ..StringMatcher::default()
            }),
            ..NodeMatcher::default()
        }],
        exclude_resource_contents: true,
        ..ClientStatusRequest::default()
    };
    let mut csds = ClientStatusDiscoveryServiceClient::new(port.channel().await);
    let (requests, outgoing) = tokio::sync::mpsc::channel(2);
    let answers = csds
        .stream_client_status(ReceiverStream::new(outgoing))
        .await;
    let mut answers = answers.unwrap().into_inner();
    for _ in 0..2 {
        requests.send(request.clone()).await.unwrap();
        let nodes = answers.message().await.unwrap().unwrap().config;
        assert_eq!(nodes.len(), 1, "both streams of one node are one");
        assert_eq!(nodes[0].node.as_ref().unwrap().id, "two");
        let configs = &nodes[0].generic_xds_configs;
        let names: Vec<_> = configs.iter().map(|config| &*config.name).collect();
        assert_eq!(names, ["clusters", "listeners"]);
        assert!(configs.iter().all(|config| config.xds_config.is_none()));
    }
    let empty = NodeMatcher {
        node_id: Some(StringMatcher::default()),
        ..NodeMatcher::default()
    };
    let wrong = ClientStatusRequest {
        node_matchers: vec![empty],
        ..ClientStatusRequest::default()
    };
    requests.send(wrong).await.unwrap();
    assert_code(&answers.message().await.unwrap_err(), Code::InvalidArgument);
}
