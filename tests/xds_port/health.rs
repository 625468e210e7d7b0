//! gRPC health of the xDS port.

use anyhow::ensure;
use chancery::cohort::Cohort;
use chancery::snapshot::ResourceType;
use chancery::xds::Limits;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::port::Port;
use crate::support::eventually;

#[tokio::test]
async fn it_serves_once_there_is_something_to_serve() {
    let port = Port::open(Limits::default()).await;
    let health = HealthClient::new(port.channel().await);
    let becomes = async |status: ServingStatus| {
        for service in ["", "envoy.service.discovery.v3.AggregatedDiscoveryService"] {
            eventually(async || {
                let request = HealthCheckRequest {
                    service: service.into(),
                };
                let answer = health.clone().check(request).await?.into_inner();
                ensure!(
                    answer.status() == status,
                    "{service:?} is {:?}",
                    answer.status()
                );
                Ok(())
            })
            .await;
        }
    };
    becomes(ServingStatus::NotServing).await;
    port.publish([(ResourceType::Cluster, "clusters", b"".as_slice())]);
    becomes(ServingStatus::Serving).await;
    port.ads
        .gateways
        .publish("default", Some(&Cohort::foreign("")), None);
    becomes(ServingStatus::NotServing).await;
}
