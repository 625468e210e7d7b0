//! The xDS port: which services it has, and how its connections are kept.

use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::Routes;
use tonic::transport::Server;

use super::accept::{self, Tls};
use super::service::Ads;

/// Connections that may wait for the server to take them.
const QUEUE: usize = 64;

/// Serves until the process ends; clients' streams end then.
pub async fn serve(
    listener: TcpListener,
    tls: Tls,
    ads: Ads,
) -> Result<(), tonic::transport::Error> {
    let (accepted, connections) = mpsc::channel(QUEUE);
    tokio::spawn(accept::accept(listener, tls, ads.clone(), accepted));
    let shutdown = ads.shutdown.clone();
    let routes = Routes::default().into_axum_router().fallback_service(ads);
    Server::builder()
        // A client that vanished without a word is noticed after 40 s.
        .http2_keepalive_interval(Some(Duration::from_secs(30)))
        .http2_keepalive_timeout(Some(Duration::from_secs(10)))
        .add_routes(Routes::from(routes))
        .serve_with_incoming_shutdown(ReceiverStream::new(connections), shutdown.cancelled_owned())
        .await
}
