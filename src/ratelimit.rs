//! The service that counts requests in Redis for all proxies of a gateway: Envoy's rate limit protocol on one side, scripts that
//! Redis runs on the other. A process of its own beside Redis, as Chancery sees no traffic.

mod asked;
mod redis;
mod script;

use std::sync::Arc;
use std::time::Duration;

use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_service_server::{
    RateLimitService, RateLimitServiceServer,
};
use envoy_types::pb::envoy::service::ratelimit::v3::{RateLimitRequest, RateLimitResponse};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Server, ServerTlsConfig};
use tonic::{Request, Response, Status};
use tracing::warn;

pub use redis::{Place, Servers, Unusable};

use asked::{Answer, Asked, Flight};

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
    let service =
        RateLimitServiceServer::new(Limiter(Arc::new(servers))).max_decoding_message_size(QUESTION);
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
struct Limiter(Arc<Servers>);

#[tonic::async_trait]
impl RateLimitService for Limiter {
    /// An error says that nobody knows: the proxy then does what the filter that asked is for.
    async fn should_rate_limit(
        &self,
        request: Request<RateLimitRequest>,
    ) -> Result<Response<RateLimitResponse>, Status> {
        let request = request.into_inner();
        for flight in asked::ended(&request).map_err(Status::invalid_argument)? {
            end(&self.0, &flight).await?;
        }
        let asked = asked::limits(&request).map_err(Status::invalid_argument)?;
        let answer = if asked.iter().any(Asked::is_flying) {
            heard(self.0.clone(), asked).await?
        } else {
            count(&self.0, &asked).await?
        };
        Ok(Response::new(answer.response(&request.domain)))
    }
}

/// Counts one limit after the other; the first that is reached is the answer, and those behind it are not counted.
async fn count(servers: &Servers, asked: &[Asked]) -> Result<Answer, Status> {
    let mut answer = Answer::default();
    for one in asked {
        let (counted, flight) = match servers.count(one).await {
            Ok(counted) => counted,
            Err(error) => {
                give_up(servers, answer).await;
                return Err(unknown(servers, &one.limit.redis, &error));
            }
        };
        answer.flights.extend(flight);
        if !answer.add(one, counted) {
            break;
        }
    }
    Ok(answer)
}

/// Counts those that are counted until they end. A proxy that no longer waits for the answer will not say when that is.
async fn heard(servers: Arc<Servers>, asked: Vec<Asked>) -> Result<Answer, Status> {
    let (tell, told) = oneshot::channel();
    tokio::spawn(async move {
        let answer = count(&servers, &asked).await;
        if let Err(Ok(unheard)) = tell.send(answer) {
            give_up(&servers, unheard).await;
        }
    });
    told.await
        .unwrap_or_else(|_| Err(Status::internal("nobody counts any more")))
}

/// Nobody will say that the requests of this answer have ended.
async fn give_up(servers: &Servers, answer: Answer) {
    for flight in &answer.flights {
        // It is said; what stays is forgotten after its time.
        let _said = end(servers, flight).await;
    }
}

async fn end(servers: &Servers, flight: &Flight) -> Result<(), Status> {
    let ended = servers.end(flight).await;
    ended.map_err(|error| unknown(servers, &flight.redis, &error))
}

fn unknown(servers: &Servers, redis: &str, error: &redis::Error) -> Status {
    if servers.is_worth_saying() {
        warn!(%redis, %error, "requests are not counted");
    }
    Status::unavailable(error.to_string())
}
