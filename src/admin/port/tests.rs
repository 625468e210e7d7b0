//! Connections over a real socket, with bounds that are short.

use axum::routing::{get, post};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// How long to wait for what must come.
const PATIENCE: Duration = Duration::from_secs(180);

const LONG: Bounds = Bounds {
    all: 8,
    address: 8,
    first: PATIENCE,
    idle: PATIENCE,
    unread: PATIENCE,
};
const SHORT: Duration = Duration::from_millis(200);

struct Port {
    address: SocketAddr,
    shutdown: CancellationToken,
    served: tokio::task::JoinHandle<()>,
}

impl Port {
    async fn open(bounds: Bounds) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endless = async || {
            let lines =
                futures_util::stream::repeat_with(|| Ok::<_, Infallible>(vec![b'x'; 65536]));
            Body::from_stream(lines)
        };
        let slow = async || {
            tokio::time::sleep(5 * SHORT).await;
            "slow"
        };
        let router = Router::new()
            .route("/", get(async || "ok"))
            .route("/slow", get(slow))
            .route("/endless", get(endless))
            .route("/body", post(async |body: String| body));
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let served = tokio::spawn(serve(listener, router, bounds, None, shutdown.clone()));
        Self {
            address,
            shutdown,
            served,
        }
    }

    async fn say(&self, bytes: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        stream
    }
}

/// All that comes until the other side closes.
async fn rest(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    // A connection may be reset as well.
    let _ = read.expect("the connection stays open");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn who_sends_no_whole_request_is_closed() {
    let first = SHORT;
    let port = Port::open(Bounds { first, ..LONG }).await;
    // Nothing, half a head, half of what HTTP/2 begins with, and an HTTP/2 connection without a request.
    for half in [
        "",
        "GET / HTTP/1.1\r\nHost: a\r\n",
        "PRI * HTTP/2.0\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        rest(port.say(half).await).await;
    }
    let half = "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf";
    let answer = rest(port.say(half).await).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}

#[tokio::test]
async fn who_asks_for_nothing_more_is_closed_and_who_waits_for_an_answer_is_not() {
    let idle = SHORT;
    let port = Port::open(Bounds { idle, ..LONG }).await;
    let answer = rest(port.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await).await;
    assert!(answer.ends_with("ok"), "{answer}");
    let slow = "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /slow HTTP/1.1\r\nHost: a\r\n\r\n";
    let answer = rest(port.say(slow).await).await;
    assert!(answer.ends_with("slow"), "{answer}");
}

#[tokio::test]
async fn who_reads_nothing_is_closed() {
    let unread = SHORT;
    let port = Port::open(Bounds {
        unread,
        all: 1,
        ..LONG
    })
    .await;
    let stuck = port.say("GET /endless HTTP/1.1\r\nHost: a\r\n\r\n").await;
    // Its place is free again though it never closed.
    let deadline = Instant::now() + PATIENCE;
    loop {
        let close = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        let answer = rest(port.say(close).await).await;
        if answer.starts_with("HTTP/1.1 200") {
            break;
        }
        assert!(Instant::now() < deadline, "{answer}");
        tokio::time::sleep(SHORT).await;
    }
    drop(stuck);
}

#[tokio::test]
async fn there_are_so_many_connections_in_all_and_by_address() {
    for (all, address, words) in [
        (2, 8, "2 connections to"),
        (8, 2, "2 connections from 127.0.0.1"),
    ] {
        let port = Port::open(Bounds {
            all,
            address,
            ..LONG
        })
        .await;
        let mut held = [port.say("").await, port.say("").await];
        let answer = rest(port.say("").await).await;
        assert!(answer.starts_with("HTTP/1.1 429"), "{answer}");
        assert!(answer.contains(words), "{answer}");
        // Those that are open go on, and one that ends makes room.
        let [first, _second] = &mut held;
        let close = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        first.write_all(close.as_bytes()).await.unwrap();
        let mut answer = String::new();
        first.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("ok"), "{answer}");
        let deadline = Instant::now() + PATIENCE;
        while !rest(port.say(close).await).await.ends_with("ok") {
            assert!(Instant::now() < deadline);
            tokio::time::sleep(SHORT).await;
        }
    }
}

#[tokio::test]
async fn what_is_under_way_is_answered_when_the_port_closes() {
    let port = Port::open(LONG).await;
    let slow = port.say("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let idle = port.say("").await;
    tokio::time::sleep(SHORT).await;
    port.shutdown.cancel();
    let (slow, _) = tokio::join!(rest(slow), rest(idle));
    assert!(slow.ends_with("slow"), "{slow}");
    tokio::time::timeout(PATIENCE, port.served)
        .await
        .unwrap()
        .unwrap();
}
