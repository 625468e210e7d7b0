//! The admin port's connections: bounded in all and by address, and closed when nothing goes on, so that nobody takes the
//! port, or the process's descriptors, away from all others.

mod body;
mod opening;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use tracing::{debug, warn};

use crate::connections::{self, Activity, Patience, Rooms, Verdict, Watched};

pub use opening::Tls;
use opening::{Opened, Shown};

/// How long to wait when the system has no more sockets.
const EXHAUSTED: Duration = Duration::from_millis(100);
/// How often connections that are refused are told of.
const TOLD: Duration = Duration::from_secs(10);
/// A client that vanished without a word is noticed after twice that.
const KEEPALIVE: Duration = Duration::from_secs(20);
/// Requests at a time on one connection.
const STREAMS: u32 = 100;

/// Bounds on connections.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// Open at a time.
    pub all: usize,
    /// Of these, from one address.
    pub address: usize,
    /// How long a connection may be open without a whole head of a request, and a request's body may take.
    pub first: Duration,
    /// How long a connection may be open between two requests.
    pub idle: Duration,
    /// How long a client may leave unread what it is answered.
    pub unread: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            all: 2048,
            address: 1024,
            first: Duration::from_secs(30),
            idle: Duration::from_secs(120),
            unread: Duration::from_secs(60),
        }
    }
}

impl Bounds {
    fn patience(&self) -> Patience {
        Patience {
            first: self.first,
            idle: self.idle,
            unread: self.unread,
        }
    }
}

/// Tells of connections that are refused, now and then.
#[derive(Debug, Default)]
struct Refusals(Mutex<(Option<Instant>, u64)>);

impl Refusals {
    fn tell(&self, address: SocketAddr, reason: &str) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, refused) = &mut *told;
        *refused += 1;
        if last.is_none_or(|last| last.elapsed() >= TOLD) {
            warn!(%address, reason, refused, "connections to the admin port are refused");
            *told = (Some(Instant::now()), 0);
        }
    }
}

/// Serves until `shutdown`; requests that are under way then are answered.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    bounds: Bounds,
    tls: Option<Tls>,
    shutdown: CancellationToken,
) {
    let rooms = Arc::new(Rooms::new(bounds.all, bounds.address));
    let mut connections = JoinSet::new();
    let refusals = Arc::<Refusals>::default();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
            () = shutdown.cancelled() => break,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // A client that is gone already is no reason to wait; too many open files are.
                if error.kind() != io::ErrorKind::ConnectionAborted {
                    warn!(%error, "the admin port cannot accept connections; trying again");
                    tokio::time::sleep(EXHAUSTED).await;
                }
                continue;
            }
        };
        match rooms.take(address.ip()) {
            Ok(room) => {
                let (router, bounds) = (router.clone(), bounds.clone());
                let (tls, refusals) = (tls.clone(), refusals.clone());
                let shutdown = shutdown.clone();
                connections.spawn(async move {
                    let _room = room;
                    let _ = stream.set_nodelay(true);
                    let opening = opening::open(stream, tls.as_ref(), bounds.first);
                    let refused = match shutdown.run_until_cancelled(opening).await {
                        Some(Ok(Some(opened))) => {
                            connection(opened, address, router, &bounds, shutdown).await
                        }
                        Some(Err(error)) => Err(format!("TLS handshake: {error}")),
                        Some(Ok(None)) | None => Ok(()),
                    };
                    if let Err(reason) = refused {
                        refusals.tell(address, &reason);
                    }
                });
            }
            Err(full) => {
                let reason = format!("{full}: close some, or try again later");
                refusals.tell(address, &reason);
                // In TLS nothing can be said before a handshake, which would cost what the bound is to save.
                if tls.is_none() {
                    refuse(&stream, &reason);
                }
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// Tells a client why, as far as that can be done at once.
fn refuse(stream: &TcpStream, reason: &str) {
    let body =
        serde_json::json!({ "code": i32::from(tonic::Code::ResourceExhausted), "message": reason });
    let body = body.to_string();
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n{body}"
    );
    // Nobody waits for a client that is refused.
    let _ = stream.try_write(answer.as_bytes());
}

/// One connection, for as long as something goes on; why it was ended, where what its client showed is not good any more.
async fn connection(
    opened: Opened,
    address: SocketAddr,
    router: Router,
    bounds: &Bounds,
    shutdown: CancellationToken,
) -> Result<(), String> {
    let router = opened.answers.unwrap_or(router);
    let mut shown = opened.shown;
    let activity = Arc::new(Activity::new(Instant::now()));
    let io = TokioIo::new(Watched::new(opened.io, activity.clone()));
    let (by_request, patience) = (activity.clone(), bounds.first);
    let service = hyper::service::service_fn(move |request| {
        let under_way = Activity::begin(&by_request);
        let router = router.clone();
        async move {
            let request = prepared(request, address, patience);
            let response: Result<Response<Body>, Infallible> = router.oneshot(request).await;
            response.map(|response| response.map(|body| connections::tracked(body, under_way)))
        }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.first.max(bounds.idle));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE);
    let mut served = pin!(builder.serve_connection(io, service));
    // Often enough to be about right.
    let mut looks = interval(bounds.first.min(bounds.idle).min(bounds.unread) / 4);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut ending, mut asked_to_end) = (false, false);
    let mut outcome = Ok(());
    loop {
        tokio::select! {
            ended = served.as_mut() => {
                if let Err(error) = ended {
                    debug!(%address, error, "a connection to the admin port ended");
                }
                return outcome;
            }
            _ = looks.tick() => {
                // It was told that it ends, and has had time to.
                outcome?;
                let good = shown.as_mut().map_or(Ok(()), Shown::check);
                outcome = good.map_err(|why| format!("the client's certificate: {why}"));
                let verdict = activity.verdict(Instant::now(), bounds.patience());
                let open = verdict == Verdict::Open;
                if verdict == Verdict::Stuck || asked_to_end && !open {
                    return outcome;
                }
                if !open || outcome.is_err() {
                    served.as_mut().graceful_shutdown();
                    asked_to_end = true;
                }
            }
            () = shutdown.cancelled(), if !ending => {
                served.as_mut().graceful_shutdown();
                ending = true;
            }
        }
    }
}

fn prepared(
    request: Request<hyper::body::Incoming>,
    address: SocketAddr,
    patience: Duration,
) -> Request<Body> {
    // Who reads the contract by reflection says all it wants on one stream, when it likes.
    let waits = request.uri().path().starts_with("/grpc.reflection.");
    let mut request = request.map(|body| {
        if waits {
            Body::new(body)
        } else {
            body::timely(Body::new(body), patience)
        }
    });
    request.extensions_mut().insert(ConnectInfo(address));
    request
}
