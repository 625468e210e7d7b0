//! The floor: the least that any server of this kind does. A change is watched in etcd, and as many bytes as Chancery sends for
//! it are broadcast to bare tonic streams.
//!
//! Nothing is parsed, translated or compared; requests are read and forgotten.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use etcd_client::{Client, EventType, WatchOptions};
use futures_util::StreamExt;
use futures_util::stream;
use tokio::net::TcpSocket;
use tokio::sync::broadcast;
use tonic::Streaming;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use crate::documents::{FLOOR, Kind, LEARNED};
use crate::learn;
use crate::support::raw::{Ads, Responses};

/// Streams that may come at the same moment.
const BACKLOG: u32 = 4096;

/// Runs the process; ends with its input.
pub async fn run(listen: SocketAddr, etcd: String, lesson: &Path) -> Result<()> {
    let lesson = learn::Lesson::read(lesson)?;
    let (changes, _) = broadcast::channel(64);
    let floor = Floor {
        sync: lesson.sync.iter().cloned().map(Bytes::from).collect(),
        changes: changes.clone(),
    };
    let mut client = Client::connect([etcd], None).await?;
    let options = WatchOptions::new().with_prefix();
    let mut watch = client.watch(format!("{FLOOR}/"), Some(options)).await?;
    let socket = TcpSocket::new_v4()?;
    socket.bind(listen)?;
    let incoming = TcpIncoming::from(socket.listen(BACKLOG)?).with_nodelay(Some(true));
    let served = Server::builder()
        .http2_keepalive_interval(Some(Duration::from_secs(30)))
        .add_service(Ads(move |requests| floor.open(requests)))
        .serve_with_incoming(incoming);
    let watched = async {
        while let Some(answer) = watch.message().await? {
            for event in answer.events() {
                if let (EventType::Put, Some(put)) = (event.event_type(), event.kv()) {
                    // Without a stream there is nobody to tell.
                    let _ = changes.send(response(&lesson.changes, put.key_str()?)?);
                }
            }
        }
        Ok(())
    };
    tokio::select! {
        served = served => Ok(served?),
        watched = watched => watched,
        ended = crate::machine::input_ended() => ended,
    }
}

/// What Chancery would send for the change of that key: the marker in it is all that differs.
fn response(learned: &HashMap<String, Vec<u8>>, key: &str) -> Result<Bytes> {
    let (rest, marker) = key.rsplit_once('/').context("a key without a marker")?;
    let kind = Kind::ALL
        .into_iter()
        .find(|kind| rest.ends_with(kind.as_str()))
        .with_context(|| format!("{key} is no change that the floor knows"))?;
    let learned = &learned[kind.as_str()];
    let before = kind.marker(LEARNED).into_bytes();
    let mut response = learned.clone();
    let at = learn::find(&response, &before).context("the marker is in what was learned")?;
    response[at..at + before.len()].copy_from_slice(marker.as_bytes());
    Ok(response.into())
}

/// The bare streams.
#[derive(Clone)]
struct Floor {
    /// What a stream is sent when it opens.
    sync: Vec<Bytes>,
    changes: broadcast::Sender<Bytes>,
}

impl Floor {
    fn open(&self, mut requests: Streaming<Bytes>) -> Responses {
        tokio::spawn(async move { while let Ok(Some(_)) = requests.message().await {} });
        let changes = stream::unfold(self.changes.subscribe(), |mut changes| async {
            let change = changes.recv().await.ok()?;
            Some((change, changes))
        });
        stream::iter(self.sync.clone())
            .chain(changes)
            .map(Ok)
            .boxed()
    }
}
