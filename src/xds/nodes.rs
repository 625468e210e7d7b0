//! Who is connected, and what each was sent, accepted and refused.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use dashmap::DashMap;
use tokio::sync::{mpsc, oneshot, watch};

use crate::cohort::Cohort;
use crate::snapshot::{ResourceType, Version};

use super::request::Protocol;
use super::stream::view::Holding;

/// One connected node.
#[derive(Debug, Clone)]
pub struct Node {
    /// `node.id`, as the node says.
    pub id: Arc<str>,
    /// `node.cluster`: the gateway that it belongs to.
    pub gateway: Arc<str>,
    /// Where it connects from.
    pub address: Option<SocketAddr>,
    /// With whom it is served the same.
    pub cohort: Cohort,
    /// What it is, as it says: `envoy 1.40.0+5f3c9a10`.
    pub agent: Arc<str>,
    /// How it speaks.
    pub protocol: Protocol,
    /// When its stream was opened.
    pub connected: SystemTime,
    pub status: NodeStatus,
}

impl Node {
    /// Who it is.
    pub fn identity(&self) -> Identity {
        Identity {
            gateway: self.gateway.clone(),
            cohort: self.cohort.clone(),
            id: self.id.clone(),
        }
    }
}

/// How one node fares.
#[derive(Debug, Clone, Default)]
pub struct NodeStatus {
    /// Whether it accepted all of the newest snapshot that it wants.
    pub synced: bool,
    /// The store's revision of the snapshot that it has accepted all of; 0 when of none.
    pub revision: i64,
    /// By type, what it asked for; nothing for a type that it did not.
    pub types: [Option<TypeStatus>; ResourceType::ALL.len()],
    /// The type URLs that it asked for and that are not served.
    pub unserved: Vec<Arc<str>>,
}

impl NodeStatus {
    /// What others wait for.
    fn summary(&self) -> (bool, i64, [bool; ResourceType::ALL.len()]) {
        let refuses = self
            .types
            .each_ref()
            .map(|of| of.as_ref().is_some_and(|status| status.refused.is_some()));
        (self.synced, self.revision, refuses)
    }
}

/// What a node was sent of one type, and what it answered.
#[derive(Debug, Clone, Default)]
pub struct TypeStatus {
    /// The last response.
    pub sent: Option<Mark>,
    pub acked: Option<Mark>,
    /// The last response, when it was refused, and why.
    pub refused: Option<(Mark, Arc<str>)>,
}

/// A response, by the content it brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The version of all that the node has of the type with it.
    pub version: Version,
    /// The store's revision that it includes.
    pub revision: i64,
    /// When it was sent, accepted or refused.
    pub at: SystemTime,
}

/// Who is connected. An entry per stream, as one node may have an old stream and a new one for a moment.
#[derive(Debug, Default)]
pub struct Nodes {
    streams: AtomicU64,
    /// Boxed: a table has empty places too.
    by_stream: DashMap<u64, Box<(Node, Questions)>>,
    /// Who is connected, or was a moment ago.
    presence: DashMap<Identity, Presence>,
    changes: watch::Sender<()>,
}

/// A node of a gateway, as it is served.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    pub gateway: Arc<str>,
    pub cohort: Cohort,
    /// `node.id`
    pub id: Arc<str>,
}

/// How long a node may be away before it is taken to be gone: its connection may have broken, or its replica died.
pub const GRACE: Duration = Duration::from_secs(30);

/// More nodes than these are not waited for: their names come from outside.
const AWAITED: usize = 10_000;

#[derive(Debug, Default)]
struct Presence {
    streams: usize,
    /// When the last of its streams ended, if none is left.
    left: Option<Instant>,
}

/// The way to ask a stream what its client was sent.
#[derive(Debug, Clone)]
pub struct Questions(mpsc::Sender<Question>);

/// Whom to tell what a client was sent.
pub type Question = oneshot::Sender<Vec<Holding>>;

impl Questions {
    /// What the client was sent; nothing when it is gone.
    pub async fn ask(&self) -> Option<Vec<Holding>> {
        let (sender, answer) = oneshot::channel();
        self.0.send(sender).await.ok()?;
        answer.await.ok()
    }
}

/// A node's place among the connected; given up when dropped.
#[derive(Debug)]
pub struct Seat {
    nodes: Arc<Nodes>,
    identity: Identity,
    stream: u64,
    questions: mpsc::Receiver<Question>,
}

impl Nodes {
    /// A node connected.
    pub fn enter(self: &Arc<Self>, node: Node) -> Seat {
        let stream = self.streams.fetch_add(1, Ordering::Relaxed);
        let (sender, questions) = mpsc::channel(1);
        let identity = node.identity();
        {
            let mut presence = self.presence.entry(identity.clone()).or_default();
            presence.streams += 1;
            presence.left = None;
        }
        let seated = Box::new((node, Questions(sender)));
        self.by_stream.insert(stream, seated);
        self.changes.send_replace(());
        Seat {
            nodes: self.clone(),
            identity,
            stream,
            questions,
        }
    }

    /// A node was connected before this process, and may come back: Envoy waits for up to as long again between attempts.
    pub fn expect(&self, identity: Identity, now: Instant) {
        let left = Some(now + GRACE);
        let presence = Presence { streams: 0, left };
        self.presence.entry(identity).or_insert(presence);
    }

    /// Takes those out that have been away for too long, and tells of each that it is gone: before it could come back, which
    /// is told after [`enter`](Self::enter).
    pub fn take_gone(&self, now: Instant, gone: impl Fn(&Identity)) {
        let crowded = self.presence.len() > AWAITED;
        let is_gone = |presence: &Presence| {
            let left = presence.left;
            left.is_some_and(|at| crowded || now.saturating_duration_since(at) >= GRACE)
        };
        let mut any = false;
        self.presence.retain(|identity, presence| {
            let is_gone = is_gone(presence);
            if is_gone {
                gone(identity);
            }
            any |= is_gone;
            !is_gone
        });
        if any {
            self.changes.send_replace(());
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.by_stream.len()
    }

    /// Looks at each of them, in no order.
    pub fn look(&self, mut at: impl FnMut(&Node)) {
        for entry in &self.by_stream {
            at(&entry.0);
        }
    }

    /// Looks at the one on a stream, if it is still connected.
    pub fn look_at<T>(&self, stream: u64, at: impl FnOnce(&Node) -> T) -> Option<T> {
        let entry = self.by_stream.get(&stream)?;
        Some(at(&entry.0))
    }

    /// The streams that they are connected on, in no order.
    pub fn streams_connected(&self) -> Vec<u64> {
        self.by_stream.iter().map(|entry| *entry.key()).collect()
    }

    /// The stream that the next one will be connected on: streams are counted.
    pub fn next_stream(&self) -> u64 {
        self.streams.load(Ordering::Relaxed)
    }

    /// All of them, in no order.
    pub fn connected(&self) -> Vec<Node> {
        self.by_stream.iter().map(|entry| entry.0.clone()).collect()
    }

    /// All of them, each with the way to ask its stream.
    pub fn streams(&self) -> Vec<(Node, Questions)> {
        let all = self.by_stream.iter();
        all.map(|entry| (**entry).clone()).collect()
    }

    /// Tells that a node came or went, or has come nearer to the newest snapshot or further from it.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }
}

impl Seat {
    /// Who sits there.
    pub fn node(&self) -> &Identity {
        &self.identity
    }

    /// Notes how the node fares.
    pub fn note(&self, note: impl FnOnce(&mut NodeStatus)) {
        let entry = self.nodes.by_stream.get_mut(&self.stream);
        let changed = entry.map(|mut entry| {
            let status = &mut entry.0.status;
            let before = status.summary();
            note(status);
            before != status.summary()
        });
        if changed == Some(true) {
            self.nodes.changes.send_replace(());
        }
    }

    /// The next question; waits as long as there is none.
    pub async fn question(&mut self) -> Option<Question> {
        self.questions.recv().await
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.nodes.by_stream.remove(&self.stream);
        if let Some(mut presence) = self.nodes.presence.get_mut(&self.identity) {
            presence.streams = presence.streams.saturating_sub(1);
            if presence.streams == 0 {
                presence.left = Some(Instant::now());
            }
        }
        self.nodes.changes.send_replace(());
    }
}
