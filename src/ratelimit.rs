//! The service that counts requests in Redis for all proxies of a gateway: Envoy's rate limit protocol on one side, scripts that
//! Redis runs on the other. A process of its own beside Redis, as Chancery sees no traffic.

mod asked;
mod redis;
mod script;

use std::time::Duration;

use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_service_server::{
    RateLimitService, RateLimitServiceServer,
};
use envoy_types::pb::envoy::service::ratelimit::v3::{RateLimitRequest, RateLimitResponse};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Server, ServerTlsConfig};
use tonic::{Request, Response, Status};
use tracing::warn;

pub use redis::{Place, Servers, Unusable};

/// Bytes of a question: all that requests say of their limits stands in headers.
const QUESTION: usize = 256 << 10;
/// Questions under way on one connection.
const STREAMS: u32 = 4096;

/// Answers until `shutdown` is cancelled.
pub async fn serve(
    listener: TcpListener,
    tls: Option<ServerTlsConfig>,
    servers: Servers,
    shutdown: CancellationToken,
) -> Result<(), tonic::transport::Error> {
    let (health, health_service) = tonic_health::server::health_reporter();
    health
        .set_serving::<RateLimitServiceServer<Limiter>>()
        .await;
    let service = RateLimitServiceServer::new(Limiter(servers)).max_decoding_message_size(QUESTION);
    let mut server = Server::builder();
    if let Some(tls) = tls {
        server = server.tls_config(tls)?;
    }
    server
        .max_concurrent_streams(STREAMS)
        // A proxy that vanished without a word is noticed after 40 s.
        .http2_keepalive_interval(Some(Duration::from_secs(30)))
        .http2_keepalive_timeout(Some(Duration::from_secs(10)))
        .tcp_nodelay(true)
        .add_service(health_service)
        .add_service(service)
        .serve_with_incoming_shutdown(
            TcpIncoming::from(listener).with_nodelay(Some(true)),
            shutdown.cancelled_owned(),
        )
        .await
}

/// Counts what it is asked to.
struct Limiter(Servers);

#[tonic::async_trait]
impl RateLimitService for Limiter {
    /// Counts one limit after the other; the first that is reached is the answer, and those behind it are not counted. An error
    /// says that nobody knows: the proxy then does what the filter that asked is for.
    async fn should_rate_limit(
        &self,
        request: Request<RateLimitRequest>,
    ) -> Result<Response<RateLimitResponse>, Status> {
        let request = request.into_inner();
        let asked = asked::limits(&request).map_err(Status::invalid_argument)?;
        let mut answer = asked::Answer::default();
        for one in &asked {
            let counted = self.0.count(one).await.map_err(|error| {
                if self.0.is_worth_saying() {
                    warn!(redis = %one.limit.redis, %error, "requests are not counted");
                }
                Status::unavailable(error.to_string())
            })?;
            if !answer.add(one, counted) {
                break;
            }
        }
        Ok(Response::new(answer.response()))
    }
}
