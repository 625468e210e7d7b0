//! The xDS port: which services it has, and how its connections are kept.

use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use envoy_types::pb::envoy::service::status::v3::client_status_discovery_service_server::ClientStatusDiscoveryServiceServer;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::Routes;
use tonic::transport::Server;

use tracing::info;

use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::connections::{self, Activity};

use super::accept::{self, Tls};
use super::admission::Peer;
use super::ads::Ads;
use super::csds::Csds;
use super::reflection;

/// The service that health is reported of, besides the whole.
const ADS: &str = "envoy.service.discovery.v3.AggregatedDiscoveryService";

/// How often what was not logged is summed up.
const SUMMED: Duration = Duration::from_secs(5);
/// Bytes that a client may send ahead of what is read, on a stream and on all of a connection.
const STREAM_WINDOW: u32 = 64 << 10;
const CONNECTION_WINDOW: u32 = 256 << 10;
/// Connections that may wait for the server to take them.
const QUEUE: usize = 64;

/// Serves until the process ends; clients' streams end then.
pub async fn serve(
    listener: TcpListener,
    tls: Tls,
    ads: Ads,
) -> Result<(), tonic::transport::Error> {
    ads.begin_counting();
    let (accepted, connections) = mpsc::channel(QUEUE);
    tokio::spawn(accept::accept(listener, tls, ads.clone(), accepted));
    let shutdown = ads.shutdown.clone();
    let (health, health_service) = tonic_health::server::health_reporter();
    tokio::spawn(report_health(health, ads.clone()));
    tokio::spawn(sum_up(ads.clone()));
    tokio::spawn(watch_absent(ads.clone()));
    let csds = ClientStatusDiscoveryServiceServer::new(Csds(ads.clone()));
    let mut routes = Routes::new(health_service).add_service(csds);
    match reflection::service() {
        Ok(reflection) => routes = routes.add_service(reflection),
        Err(error) => tracing::error!(%error, "the xDS port is served without reflection"),
    }
    let router = routes.into_axum_router().fallback_service(ads);
    let router = router.layer(from_fn(under_way));
    Server::builder()
        // What clients send is read at once, and small: what is not read is memory of every connection.
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        // A client that vanished without a word is noticed after 40 s.
        .http2_keepalive_interval(Some(Duration::from_secs(30)))
        .http2_keepalive_timeout(Some(Duration::from_secs(10)))
        .add_routes(Routes::from(router))
        .serve_with_incoming_shutdown(ReceiverStream::new(connections), shutdown.cancelled_owned())
        .await
}

/// Has a request keep its connection open until it is answered.
async fn under_way(request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>();
    let Some(under_way) = peer.map(|peer| Activity::begin(&peer.activity)) else {
        return next.run(request).await;
    };
    let response = next.run(request).await;
    response.map(|body| connections::tracked(body, under_way))
}

/// Logs how many nodes came and went, and were refused, that were too many for a line each.
async fn sum_up(ads: Ads) {
    loop {
        let over = ads.shutdown.cancelled();
        let over = tokio::time::timeout(SUMMED, over).await.is_ok();
        if let Some(unsaid) = ads.admission.take_unsaid() {
            info!(
                connected = unsaid.connected,
                disconnected = unsaid.disconnected,
                refused = unsaid.refused,
                "more nodes came, went or were refused than are named"
            );
        }
        if over {
            return;
        }
    }
}

/// Tells the loop who is gone for good.
async fn watch_absent(ads: Ads) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = ads.shutdown.cancelled() => return,
        }
        ads.nodes.take_gone(Instant::now(), |node| {
            ads.gateways.leave(&node.gateway, &node.cohort, &node.id);
        });
    }
}

/// Serving as soon as anything is served. Not before: whoever asks Chancery then would wait.
async fn report_health(health: HealthReporter, ads: Ads) {
    let mut served = ads.gateways.served();
    loop {
        let status = if *served.borrow_and_update() {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        };
        for service in ["", ADS] {
            health.set_service_status(service, status).await;
        }
        tokio::select! {
            changed = served.changed() => if changed.is_err() { return },
            () = ads.shutdown.cancelled() => return,
        }
    }
}
