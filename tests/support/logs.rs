//! `chancery logs`, and a server that it posts to.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::chancery::BINARY;
use super::eventually;
use super::process::Process;
use super::stage::{Stage, gateway};

const PORT: u16 = 18091;

/// A `chancery logs` on port 18091 of the stage, and a gateway `default` that names it.
pub async fn logging(stage: &Stage, more: &[&str]) -> Logs {
    let logs = Logs::start(stage.address, more, stage.folder()).await;
    stage.etcd.put("upstreams/logs", &logs.upstream()).await;
    let own = names_who_posts(gateway(stage.envoy.listener()));
    stage.etcd.put("gateways/default", &own).await;
    logs
}

pub fn names_who_posts(mut gateway: Value) -> Value {
    gateway["logs"] = json!({ "upstream_id": "logs" });
    gateway
}

pub struct Logs {
    pub process: Process,
    address: Ipv4Addr,
}

impl Logs {
    pub async fn start(address: Ipv4Addr, more: &[&str], folder: &Path) -> Self {
        let listen = format!("{address}:{PORT}");
        let arguments = [&["logs", "--listen", &listen], more].concat();
        let process = Process::start("logs", Path::new(BINARY), arguments, folder);
        let logs = Self { process, address };
        logs.listens().await;
        logs
    }

    pub async fn listens(&self) {
        eventually(async || {
            TcpStream::connect((self.address, PORT)).await?;
            Ok(())
        })
        .await;
    }

    /// The upstream that a gateway names.
    pub fn upstream(&self) -> Value {
        json!({ "scheme": "grpc", "nodes": { format!("{}:{PORT}", self.address): 1 } })
    }

    /// A sample of its metrics, by name and labels; 0 where there is none.
    pub async fn metric(&self, sample: &str) -> anyhow::Result<u64> {
        let url = format!("http://{}:{PORT}/metrics", self.address);
        let text = reqwest::get(url).await?.error_for_status()?.text().await?;
        let mut values = text.lines().filter_map(|line| line.strip_prefix(sample));
        let value = values.find_map(|rest| rest.strip_prefix(' '));
        Ok(value.map_or(Ok(0), str::parse)?)
    }

    /// Waits until a sample of `chancery_logs_…` has this value.
    pub async fn counted(&self, sample: &str, value: u64) {
        let sample = format!("chancery_logs_{sample}");
        eventually(async || {
            let found = self.metric(&sample).await?;
            anyhow::ensure!(found == value, "{sample}: {found}, not {value}");
            Ok(())
        })
        .await;
    }
}

/// What a logger has in a document: its own fields, and how its entries go together.
pub fn logger(own: &Value, most: u32) -> Value {
    let mut logger = json!({ "batch_max_size": most, "inactive_timeout": 1 });
    let fields = logger.as_object_mut().unwrap();
    fields.extend(own.as_object().unwrap().clone());
    logger
}

/// What was posted.
#[derive(Debug, Clone)]
pub struct Post {
    pub method: Method,
    pub path: String,
    pub headers: HeaderMap,
    pub body: String,
}

impl Post {
    /// The entries of a batch.
    pub fn entries(&self) -> Vec<Value> {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// A server that takes posts, unless it is told to refuse them. It is away when dropped.
pub struct Receiver {
    pub address: SocketAddr,
    posts: Arc<Mutex<Vec<Post>>>,
    status: Arc<AtomicU16>,
    says: Arc<Mutex<&'static str>>,
    task: JoinHandle<()>,
}

impl Receiver {
    pub async fn start(address: Ipv4Addr) -> Self {
        let listener = TcpListener::bind((address, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let posts: Arc<Mutex<Vec<Post>>> = Arc::default();
        let status = Arc::new(AtomicU16::new(200));
        let says: Arc<Mutex<&'static str>> = Arc::default();
        let (kept, told, said) = (posts.clone(), status.clone(), says.clone());
        let take =
            async move |method: Method, uri: axum::http::Uri, headers: HeaderMap, body: Bytes| {
                let status = StatusCode::from_u16(told.load(Ordering::SeqCst)).unwrap();
                if status.is_success() {
                    kept.lock().unwrap().push(Post {
                        method,
                        path: uri.to_string(),
                        headers,
                        body: String::from_utf8(body.to_vec()).unwrap(),
                    });
                }
                (status, *said.lock().unwrap())
            };
        let router = Router::new().fallback(take);
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            posts,
            status,
            says,
            task,
        }
    }

    pub fn uri(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Has it answer so from now on.
    pub fn answer(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    /// Has it say so with each answer.
    pub fn say(&self, body: &'static str) {
        *self.says.lock().unwrap() = body;
    }

    pub fn posts(&self) -> Vec<Post> {
        self.posts.lock().unwrap().clone()
    }

    /// All entries so far.
    pub fn entries(&self) -> Vec<Value> {
        self.posts().iter().flat_map(Post::entries).collect()
    }

    /// Waits for so many entries, and no more.
    pub async fn has(&self, count: usize) -> Vec<Value> {
        eventually(async || {
            let found = self.entries();
            anyhow::ensure!(
                found.len() == count,
                "{} of {count}: {found:#?}",
                found.len()
            );
            Ok(found)
        })
        .await
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}
