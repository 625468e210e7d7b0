//! A Consul that says what the test tells it to, where the real one cannot be made to.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use url::Url;

/// Generous: a test that waits this long has failed.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// The server; its queries come out one by one and wait for an answer. Must live in the test's runtime.
pub struct Scripted {
    pub address: String,
    queries: mpsc::Receiver<Query>,
}

/// One query that waits for its answer.
#[derive(Debug)]
pub struct Query {
    /// The service's name, or the path when another thing is asked.
    pub service: String,
    pub parameters: BTreeMap<String, String>,
    /// Request line and headers.
    pub head: String,
    reply: oneshot::Sender<String>,
}

impl Scripted {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (queries_in, queries) = mpsc::channel(1024);
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serve(connection, queries_in.clone()));
            }
        });
        Self { address, queries }
    }

    /// The next query, whosever it is.
    pub async fn query(&mut self) -> Query {
        let next = timeout(DEADLINE, self.queries.recv()).await;
        next.expect("a query within the deadline").unwrap()
    }

    /// Whether another query comes within `time`.
    pub async fn is_asked_within(&mut self, time: Duration) -> bool {
        timeout(time, self.queries.recv()).await.is_ok()
    }
}

impl Query {
    pub fn index(&self) -> Option<u64> {
        Some(self.parameters.get("index")?.parse().unwrap())
    }

    /// Answers with `index` and an instance on each of `ports`.
    pub fn answer(self, index: u64, ports: &[u16]) {
        self.reply(
            200,
            &format!("X-Consul-Index: {index}\r\n"),
            &instances(ports),
        );
    }

    pub fn reply(self, status: u16, headers: &str, body: &str) {
        let length = body.len();
        self.send(format!(
            "HTTP/1.1 {status} X\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
        ));
    }

    /// Sends what is no complete answer, and hangs up.
    pub fn break_off(self, index: u64, ports: &[u16]) {
        let body = instances(ports);
        let (half, length) = (&body[..body.len() / 2], body.len());
        self.send(format!(
            "HTTP/1.1 200 OK\r\nX-Consul-Index: {index}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{half}"
        ));
    }

    /// Waits until the client gives up.
    pub async fn given_up(mut self) {
        timeout(DEADLINE, self.reply.closed())
            .await
            .expect("given up");
    }

    fn send(self, reply: String) {
        // The client may have gone; the test will see that elsewhere.
        let _ = self.reply.send(reply);
    }
}

fn instances(ports: &[u16]) -> String {
    let entry = |port: &u16| {
        serde_json::json!({
            "Node": {"Node": "node-1", "Address": "10.0.0.1", "Datacenter": "dc1"},
            "Service": {"ID": format!("echo-{port}"), "Tags": null, "Address": "", "Port": port},
        })
    };
    serde_json::Value::Array(ports.iter().map(entry).collect()).to_string()
}

/// One connection: a request, its answer, the next request.
async fn serve(mut connection: TcpStream, queries: mpsc::Sender<Query>) {
    let mut buffer = Vec::new();
    loop {
        let Some(head) = head(&mut connection, &mut buffer).await else {
            return;
        };
        let (sender, replied) = oneshot::channel();
        if queries.send(query(head, sender)).await.is_err() {
            return;
        }
        let received = tokio::select! {
            // The client sends nothing before it has its answer: this is its end.
            _ = connection.read_u8() => return,
            reply = replied => reply,
        };
        let Ok(reply) = received else { return };
        if connection.write_all(reply.as_bytes()).await.is_err()
            || reply.contains("Connection: close")
        {
            return;
        }
    }
}

async fn head(connection: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<String> {
    buffer.clear();
    while !buffer.ends_with(b"\r\n\r\n") {
        if connection.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    String::from_utf8(buffer.clone()).ok()
}

fn query(head: String, reply: oneshot::Sender<String>) -> Query {
    let target = head.split(' ').nth(1).unwrap();
    let url = Url::parse("http://consul").unwrap().join(target).unwrap();
    Query {
        service: url
            .path()
            .strip_prefix("/v1/health/service/")
            .unwrap_or(url.path())
            .to_owned(),
        parameters: url.query_pairs().into_owned().collect(),
        head,
        reply,
    }
}
