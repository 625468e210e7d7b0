//! Instances of a service: small HTTP servers within the test that tell who they are and what they saw.
//!
//! An instance answers any request with `{"instance", "method", "path", "headers"}`; with `?chunks=N&every_ms=M` it answers in N
//! lines, one every M milliseconds; a WebSocket gets back what it sends.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ws::{WebSocket, WebSocketUpgrade, rejection::WebSocketUpgradeRejection};
use axum::extract::{Query, Request, State};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::serve::Listener;
use futures_util::{StreamExt, stream};
use http_body_util::BodyExt;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;

/// An instance. It ends when it is dropped.
pub struct Instance {
    pub name: String,
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Instance {
    /// One that answers.
    pub async fn echo(name: &str, address: impl Into<IpAddr>) -> Self {
        let app = Router::new()
            .fallback(answer)
            .with_state(Arc::<str>::from(name));
        let listener = TcpListener::bind((address.into(), 0)).await.unwrap();
        Self::run(name, listener, async |listener| {
            axum::serve(listener, app).await.unwrap();
        })
    }

    /// One that speaks gRPC: it sends back what it gets as it gets it, and ends with status 0.
    pub async fn grpc(name: &str, address: Ipv4Addr) -> Self {
        let app = Router::new().fallback(grpc_echo);
        let listener = TcpListener::bind((address, 0)).await.unwrap();
        Self::run(name, listener, async |listener| {
            axum::serve(listener, app).await.unwrap();
        })
    }

    /// One that answers with a status that the scene changes.
    pub async fn answering(name: &str, address: Ipv4Addr, status: Arc<AtomicU16>) -> Self {
        let name: Arc<str> = name.into();
        let listener = TcpListener::bind((address, 0)).await.unwrap();
        let app = Router::new()
            .fallback(answer)
            .layer(middleware::map_response(move |mut answer: Response| {
                let status = status.load(Ordering::Relaxed);
                *answer.status_mut() = status.try_into().unwrap();
                std::future::ready(answer)
            }))
            .with_state(name.clone());
        Self::run(&name, listener, async |listener| {
            axum::serve(listener, app).await.unwrap();
        })
    }

    /// One that answers over TLS.
    pub async fn secure(name: &str, address: Ipv4Addr, config: ServerConfig) -> Self {
        let app = Router::new()
            .fallback(answer)
            .with_state(Arc::<str>::from(name));
        let listener = TcpListener::bind((address, 0)).await.unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Self::run(name, listener, async |listener| {
            let listener = SecureListener { listener, acceptor };
            axum::serve(listener, app).await.unwrap();
        })
    }

    /// One that reads a request and resets the connection without a word.
    pub async fn resetting(name: &str, address: Ipv4Addr) -> Self {
        let listener = TcpListener::bind((address, 0)).await.unwrap();
        Self::run(name, listener, async |listener| {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(reset(connection));
            }
        })
    }

    /// `HOST:PORT`, as a document's `nodes` wants it.
    pub fn node(&self) -> String {
        self.address.to_string()
    }

    fn run<F, Fut>(name: &str, listener: TcpListener, serve: F) -> Self
    where
        F: FnOnce(TcpListener) -> Fut,
        Fut: Future<Output = ()> + Send + 'static,
    {
        Self {
            name: name.to_owned(),
            address: listener.local_addr().unwrap(),
            task: tokio::spawn(serve(listener)),
        }
    }
}

/// Connections after their handshake; those that fail it are dropped.
struct SecureListener {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for SecureListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (connection, address) = self.listener.accept().await.unwrap();
            if let Ok(connection) = self.acceptor.accept(connection).await {
                return (connection, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(
    State(name): State<Arc<str>>,
    Query(query): Query<HashMap<String, String>>,
    websocket: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    request: Request,
) -> Response {
    if let Ok(upgrade) = websocket {
        return upgrade.on_upgrade(echo);
    }
    let number = |name| {
        query
            .get(name)
            .and_then(|value: &String| value.parse().ok())
    };
    match (number("chunks"), number("every_ms")) {
        (Some(chunks), Some(every)) => slowly(chunks, Duration::from_millis(every)),
        _ => saw(&name, &request).into_response(),
    }
}

fn saw(name: &str, request: &Request) -> String {
    let headers: BTreeMap<_, _> = request
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes())))
        .collect();
    json!({
        "instance": name,
        "method": request.method().as_str(),
        "path": request.uri().to_string(),
        "headers": headers,
    })
    .to_string()
}

fn slowly(chunks: u64, every: Duration) -> Response {
    let lines = stream::iter(0..chunks).then(move |line| async move {
        tokio::time::sleep(every).await;
        Ok::<_, std::io::Error>(Bytes::from(format!("line {line}\n")))
    });
    Body::from_stream(lines).into_response()
}

async fn grpc_echo(request: Request) -> Response {
    let trailers = http::HeaderMap::from_iter([(
        http::HeaderName::from_static("grpc-status"),
        http::HeaderValue::from_static("0"),
    )]);
    let body = request.into_body();
    let body = body.with_trailers(async { Some(Ok(trailers)) });
    let content_type = [("content-type", "application/grpc")];
    (content_type, Body::new(body)).into_response()
}

async fn echo(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        if socket.send(message).await.is_err() {
            return;
        }
    }
}

async fn reset(mut connection: TcpStream) {
    let mut request = [0; 4096];
    if connection.read(&mut request).await.is_ok() {
        // Closing with unsent data thrown away is what makes it a reset.
        connection.set_zero_linger().unwrap();
    }
}
