//! Long-lived streams: a WebSocket and a slow answer go on while routes and upstreams are edited around and below them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, ensure};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::support::eventually;
use crate::support::stage::{Stage, route_to, weights};

const EDITS: usize = 100;

#[tokio::test]
async fn streams_survive_a_hundred_edits() {
    let stage = Stage::set().await;
    let blue = stage.instance("blue").await;
    let green = stage.instance("green").await;
    let route = |read: usize| {
        json!({
            "uri": "/live", "upstream_id": "live", "enable_websocket": true,
            "timeout": { "connect": 6, "send": 60, "read": read },
        })
    };
    let upstream = |nodes: Value, balancer: &str| json!({ "type": balancer, "nodes": nodes });
    let both = weights(&[&blue, &green]);
    stage.etcd.put("routes/live", &route(60)).await;
    stage
        .etcd
        .put("upstreams/live", &upstream(weights(&[&blue]), "roundrobin"))
        .await;
    stage.envoy.answers_by("/live", "blue").await;

    let mut websocket = open_websocket(&stage).await;
    let slow = SlowAnswer::open(&stage).await;
    for edit in 0..EDITS {
        match edit % 5 {
            0 => stage.etcd.put("routes/live", &route(60 + edit)).await,
            // The instance that the streams are on leaves the upstream …
            1 => {
                let others = upstream(weights(&[&green]), "roundrobin");
                stage.etcd.put("upstreams/live", &others).await;
            }
            // … and comes back to another kind of cluster.
            2 => {
                let other = upstream(both.clone(), "least_conn");
                stage.etcd.put("upstreams/live", &other).await;
            }
            3 => {
                let other = route_to(&format!("/other/{edit}"), &[&green]);
                stage.etcd.put("routes/other", &other).await;
                let uri = format!("/other/{edit}");
                stage.envoy.answers_by(&uri, "green").await;
            }
            _ => stage.etcd.delete("routes/other").await,
        }
        echoes(&mut websocket, &format!("edit {edit}")).await;
    }
    let last = route_to("/last", &[&green]);
    stage.etcd.put("routes/last", &last).await;
    stage.envoy.answers_by("/last", "green").await;
    echoes(&mut websocket, "after all").await;
    slow.goes_on().await;
    assert_eq!(
        stage.envoy.stat("listener_manager.listener_modified").await,
        0
    );
}

async fn open_websocket(stage: &Stage) -> WebSocketStream<TcpStream> {
    let listener = stage.envoy.listener();
    let connection = TcpStream::connect(listener).await.unwrap();
    let url = format!("ws://{listener}/live");
    let (websocket, _) = tokio_tungstenite::client_async(url, connection)
        .await
        .unwrap();
    websocket
}

async fn echoes(websocket: &mut WebSocketStream<TcpStream>, text: &str) {
    websocket.send(Message::text(text)).await.unwrap();
    let answer = tokio::time::timeout(crate::support::PATIENCE, websocket.next()).await;
    assert_eq!(answer.unwrap().unwrap().unwrap(), Message::text(text));
}

/// An answer of far more lines than the scene waits for.
struct SlowAnswer {
    lines: Arc<AtomicUsize>,
    reader: JoinHandle<anyhow::Error>,
}

impl SlowAnswer {
    async fn open(stage: &Stage) -> Self {
        let url = stage.envoy.url("/live?chunks=1000000&every_ms=20");
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let response = client.get(url).send().await.unwrap();
        let lines = Arc::<AtomicUsize>::default();
        let reader = tokio::spawn(read(response, lines.clone()));
        let slow = Self { lines, reader };
        slow.goes_on().await;
        slow
    }

    /// Waits until some more lines came.
    async fn goes_on(&self) {
        let before = self.lines.load(Ordering::Relaxed);
        eventually(async || {
            assert!(!self.reader.is_finished(), "the slow answer broke off");
            let lines = self.lines.load(Ordering::Relaxed);
            ensure!(lines > before + 5, "{lines} lines, {before} before");
            Ok(())
        })
        .await;
    }
}

async fn read(mut response: reqwest::Response, lines: Arc<AtomicUsize>) -> anyhow::Error {
    loop {
        match response.chunk().await.context("broken off") {
            Ok(Some(_)) => lines.fetch_add(1, Ordering::Relaxed),
            Ok(None) => return anyhow::anyhow!("ended"),
            Err(error) => return error,
        };
    }
}

impl Drop for SlowAnswer {
    fn drop(&mut self) {
        self.reader.abort();
    }
}
