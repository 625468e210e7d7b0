//! Who is connected, and what each acknowledged last.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;

use super::Protocol;

/// One connected node.
#[derive(Debug, Clone)]
pub struct Node {
    /// `node.id`, as the node says.
    pub id: Arc<str>,
    /// `node.cluster`: the gateway that it belongs to.
    pub gateway: Arc<str>,
    /// How it speaks.
    pub protocol: Protocol,
    /// Whether it accepted all of the newest snapshot that it wants.
    pub synced: bool,
    /// The error of the last response that it refused, until it accepts one of the type.
    pub refused: Option<Arc<str>>,
}

/// Who is connected. An entry per stream, as one node may have an old stream and a new one for a moment.
#[derive(Debug, Default)]
pub struct Nodes {
    streams: AtomicU64,
    by_stream: DashMap<u64, Node>,
}

/// A node's place among the connected; given up when dropped.
#[derive(Debug)]
pub struct Seat {
    nodes: Arc<Nodes>,
    stream: u64,
}

impl Nodes {
    /// A node connected.
    pub fn enter(self: &Arc<Self>, node: Node) -> Seat {
        let stream = self.streams.fetch_add(1, Ordering::Relaxed);
        self.by_stream.insert(stream, node);
        Seat {
            nodes: self.clone(),
            stream,
        }
    }

    /// All of them, in no order.
    pub fn connected(&self) -> Vec<Node> {
        self.by_stream.iter().map(|node| node.clone()).collect()
    }
}

impl Seat {
    /// Notes how the node fares.
    pub fn note(&self, synced: bool, refused: Option<Arc<str>>) {
        if let Some(mut node) = self.nodes.by_stream.get_mut(&self.stream) {
            node.synced = synced;
            node.refused = refused;
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.nodes.by_stream.remove(&self.stream);
    }
}
