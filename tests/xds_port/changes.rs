//! How long a change takes is counted when the last client has accepted it; and answers to outdated responses are.

use chancery::snapshot::ResourceType;
use chancery::telemetry::metrics;
use chancery::xds::Limits;
use envoy_types::pb::envoy::service::discovery::v3::{DiscoveryRequest, DiscoveryResponse};
use envoy_types::pb::google::rpc::Status;
use tonic::transport::Channel;

use crate::port::{CLUSTERS, Port, SOTW, Sotw, wish};
use crate::support::eventually;

fn accepts(response: &DiscoveryResponse) -> DiscoveryRequest {
    DiscoveryRequest {
        response_nonce: response.nonce.clone(),
        version_info: response.version_info.clone(),
        ..wish(CLUSTERS)
    }
}

fn refuses(response: &DiscoveryResponse) -> DiscoveryRequest {
    DiscoveryRequest {
        version_info: String::new(),
        error_detail: Some(Status::default()),
        ..accepts(response)
    }
}

fn publish(port: &Port, content: &[u8]) {
    port.publish([(ResourceType::Cluster, "one", content)]);
}

async fn next(client: &mut Sotw) -> DiscoveryResponse {
    client.next().await.unwrap().unwrap()
}

/// A client that has accepted everything.
async fn at_rest(channel: &Channel) -> Sotw {
    let mut client = Sotw::open(channel, SOTW).await;
    client.send(wish(CLUSTERS)).await;
    let response = next(&mut client).await;
    client.send(accepts(&response)).await;
    client
}

/// How many changes have been counted.
fn counted(port: &Port) -> u64 {
    let (gauges, process) = (Default::default(), Default::default());
    let text = port.ads.metrics.encode(&gauges, &process).unwrap();
    let mut lines = text.lines();
    let count = lines
        .find_map(|line| line.strip_prefix(r#"chancery_change_seconds_count{gateway="default"} "#));
    count.map_or(0, |count| count.parse().unwrap())
}

/// Waits until the clients have been heard.
async fn hears(port: &Port, acks: u64, nacks: u64) {
    let clusters = metrics::Type { r#type: "clusters" };
    let metrics = &port.ads.metrics;
    eventually(async || {
        let heard = [&metrics.acks, &metrics.nacks].map(|of| of.get_or_create(&clusters).get());
        anyhow::ensure!(heard == [acks, nacks], "{heard:?}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_change_is_counted_once_all_have_accepted_it() {
    let port = Port::open(Limits::default()).await;
    publish(&port, b"1");
    let channel = port.channel().await;
    let (mut one, mut other) = (at_rest(&channel).await, at_rest(&channel).await);
    hears(&port, 2, 0).await;
    publish(&port, b"2");
    let (first, second) = (next(&mut one).await, next(&mut other).await);
    one.send(accepts(&first)).await;
    hears(&port, 3, 0).await;
    assert_eq!(counted(&port), 0);
    // What it refuses it has not accepted.
    other.send(refuses(&second)).await;
    hears(&port, 3, 1).await;
    assert_eq!(counted(&port), 0);
    publish(&port, b"3");
    let (first, second) = (next(&mut one).await, next(&mut other).await);
    one.send(accepts(&first)).await;
    hears(&port, 4, 1).await;
    assert_eq!(counted(&port), 0);
    other.send(accepts(&second)).await;
    eventually(async || {
        let counted = counted(&port);
        anyhow::ensure!(counted == 2, "{counted} are counted");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn answers_to_outdated_responses_are_counted() {
    let port = Port::open(Limits::default()).await;
    publish(&port, b"1");
    let channel = port.channel().await;
    let mut client = at_rest(&channel).await;
    publish(&port, b"2");
    let response = next(&mut client).await;
    client.send(accepts(&response)).await;
    let outdated = DiscoveryResponse {
        nonce: "1".to_owned(),
        ..response
    };
    client.send(accepts(&outdated)).await;
    let clusters = metrics::Type { r#type: "clusters" };
    eventually(async || {
        let expired = &port.ads.metrics.expired_nonces;
        let expired = expired.get_or_create(&clusters).get();
        anyhow::ensure!(expired == 1, "{expired}");
        Ok(())
    })
    .await;
    hears(&port, 2, 0).await;
}
