//! Each type has a service of its own, in both protocols, beside ADS.

use std::time::Duration;

use chancery::snapshot::ResourceType;
use chancery::telemetry::metrics::{Gauges, Process};
use chancery::xds::Limits;
use envoy_types::pb::envoy::service::discovery::v3::DeltaDiscoveryRequest;
use tonic::Code;

use crate::port::{CLUSTERS, Delta, Port, SOTW, Sotw, assert_code, node, wish};

const SERVICES: [(ResourceType, &str, &str); 7] = [
    (
        ResourceType::Cluster,
        "/envoy.service.cluster.v3.ClusterDiscoveryService/StreamClusters",
        "/envoy.service.cluster.v3.ClusterDiscoveryService/DeltaClusters",
    ),
    (
        ResourceType::LoadAssignment,
        "/envoy.service.endpoint.v3.EndpointDiscoveryService/StreamEndpoints",
        "/envoy.service.endpoint.v3.EndpointDiscoveryService/DeltaEndpoints",
    ),
    (
        ResourceType::Listener,
        "/envoy.service.listener.v3.ListenerDiscoveryService/StreamListeners",
        "/envoy.service.listener.v3.ListenerDiscoveryService/DeltaListeners",
    ),
    (
        ResourceType::RouteConfiguration,
        "/envoy.service.route.v3.RouteDiscoveryService/StreamRoutes",
        "/envoy.service.route.v3.RouteDiscoveryService/DeltaRoutes",
    ),
    (
        ResourceType::ScopedRouteConfiguration,
        "/envoy.service.route.v3.ScopedRoutesDiscoveryService/StreamScopedRoutes",
        "/envoy.service.route.v3.ScopedRoutesDiscoveryService/DeltaScopedRoutes",
    ),
    (
        ResourceType::Secret,
        "/envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets",
        "/envoy.service.secret.v3.SecretDiscoveryService/DeltaSecrets",
    ),
    (
        ResourceType::ExtensionConfig,
        "/envoy.service.extension.v3.ExtensionConfigDiscoveryService/StreamExtensionConfigs",
        "/envoy.service.extension.v3.ExtensionConfigDiscoveryService/DeltaExtensionConfigs",
    ),
];

#[tokio::test]
async fn each_type_is_served_alone_with_and_without_its_type_url() {
    let port = Port::with_one_of_each(Limits::default()).await;
    let channel = port.channel().await;
    for (resource_type, sotw, delta) in SERVICES {
        for type_url in ["", resource_type.type_url()] {
            let mut client = Sotw::open(&channel, sotw).await;
            let mut request = wish(type_url);
            request.resource_names = vec![resource_type.as_str().into()];
            client.send(request).await;
            let response = client.next().await.unwrap().unwrap();
            assert_eq!(response.type_url, resource_type.type_url());
            assert_eq!(response.resources.len(), 1, "{sotw}");
            assert_eq!(response.resources[0].type_url, resource_type.type_url());

            let mut client = Delta::open(&channel, delta).await;
            client.send(delta_wish(resource_type, type_url)).await;
            let response = client.next().await.unwrap().unwrap();
            assert_eq!(response.type_url, resource_type.type_url());
            assert_eq!(response.resources[0].name, resource_type.as_str());
            assert!(client.is_silent(Duration::from_millis(100)).await);
        }
    }
}

fn delta_wish(resource_type: ResourceType, type_url: &str) -> DeltaDiscoveryRequest {
    DeltaDiscoveryRequest {
        node: node("one"),
        type_url: type_url.into(),
        resource_names_subscribe: vec![resource_type.as_str().into()],
        ..DeltaDiscoveryRequest::default()
    }
}

#[tokio::test]
async fn a_service_refuses_another_type_than_its_own() {
    let port = Port::with_one_of_each(Limits::default()).await;
    let channel = port.channel().await;
    for (resource_type, sotw, delta) in SERVICES {
        let other = match resource_type {
            ResourceType::Cluster => ResourceType::Secret.type_url(),
            _ => CLUSTERS,
        };
        let mut client = Sotw::open(&channel, sotw).await;
        client.send(wish(other)).await;
        let status = client.ends().await;
        assert_code(&status, Code::InvalidArgument);
        for named in [other, resource_type.type_url()] {
            assert!(status.message().contains(named), "{status:?}");
        }
        let mut client = Delta::open(&channel, delta).await;
        client.send(delta_wish(resource_type, other)).await;
        assert_code(&client.ends().await, Code::InvalidArgument);
    }
    assert_eq!(port.refused("other_type"), 2 * SERVICES.len() as u64);
}

#[tokio::test]
async fn what_is_no_method_is_unimplemented() {
    let port = Port::open(Limits::default()).await;
    let channel = port.channel().await;
    for path in [
        "/envoy.service.cluster.v3.ClusterDiscoveryService/FetchClusters",
        "/envoy.service.cluster.v3.ClusterDiscoveryService/StreamRoutes",
        "/envoy.service.route.v3.VirtualHostDiscoveryService/DeltaVirtualHosts",
        "/somewhere/else",
    ] {
        let refused = Sotw::try_open(&channel, path).await.err().unwrap();
        assert_code(&refused, Code::Unimplemented);
    }
}

#[tokio::test]
async fn what_is_asked_for_and_not_served_is_counted_by_names_that_are_known() {
    let port = Port::with_one_of_each(Limits::default()).await;
    let channel = port.channel().await;
    for path in [
        "/envoy.service.load_stats.v3.LoadReportingService/StreamLoadStats",
        "/envoy.service.load_stats.v3.LoadReportingService/StreamLoadStats",
        "/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs",
        "/made.up.One/Call",
        "/made.up.Two/Call",
    ] {
        let refused = Sotw::try_open(&channel, path).await.err().unwrap();
        assert_code(&refused, Code::Unimplemented);
    }
    let runtime = "type.googleapis.com/envoy.service.runtime.v3.Runtime";
    let mut client = Sotw::open(&channel, SOTW).await;
    for _ in 0..2 {
        client.send(wish(runtime)).await;
    }
    client.next().await.unwrap().unwrap();
    let metrics = &port.ads.metrics;
    let told = metrics.encode(&Gauges::default(), &Process::default());
    let told = told.unwrap();
    for (name, count) in [
        ("envoy.service.load_stats.v3.LoadReportingService", 2),
        ("envoy.service.accesslog.v3.AccessLogService", 1),
        ("envoy.service.runtime.v3.Runtime", 1),
        ("other", 2),
    ] {
        let line = format!("chancery_xds_unserved_total{{name=\"{name}\"}} {count}\n");
        assert!(told.contains(&line), "{line}{told}");
    }
}
