//! The nodes that a revision is still waited for from. A node that has accepted it is not looked at again, so that a wait
//! costs what nodes say, however many of them there are and however many wait.

use crate::xds::Nodes;
use crate::xds::nodes::Node;

/// The streams of nodes that are not known to have accepted a revision.
#[derive(Debug)]
pub struct Awaited {
    /// Streams from here on have not been seen yet.
    unseen: u64,
    streams: Vec<u64>,
}

impl Awaited {
    /// All that are connected.
    pub fn new(nodes: &Nodes) -> Self {
        // In this order, so that whoever connects in between is seen, if need be twice.
        let unseen = nodes.next_stream();
        Self {
            unseen,
            streams: nodes.streams_connected(),
        }
    }

    /// Whether none is left of whom `has` is not true.
    pub fn is_over(&mut self, nodes: &Nodes, mut has: impl FnMut(&Node) -> bool) -> bool {
        let unseen = self.unseen;
        self.unseen = nodes.next_stream();
        self.streams.extend(unseen..self.unseen);
        while let Some(stream) = self.streams.last() {
            // One that is gone is waited for no more.
            if nodes.look_at(*stream, &mut has) == Some(false) {
                return false;
            }
            self.streams.pop();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::api::tests::node;

    #[test]
    fn a_wait_looks_at_each_node_once_and_again_only_at_one_that_it_waits_for() {
        const MANY: usize = 200;
        let nodes = Arc::new(Nodes::default());
        let enter = |n: usize| nodes.enter(node(&n.to_string(), false, 0));
        let mut seats: Vec<_> = (0..MANY).map(enter).collect();
        let mut awaited = Awaited::new(&nodes);
        let mut looks = 0;
        let mut is_over = || {
            awaited.is_over(&nodes, |node| {
                looks += 1;
                node.status.revision >= 7
            })
        };
        for seat in &seats {
            assert!(!is_over());
            seat.note(|status| status.revision = 7);
        }
        assert!(is_over());
        // Whoever connects meanwhile is waited for as well, unless it goes.
        seats.push(enter(MANY));
        assert!(!is_over());
        seats.pop();
        assert!(is_over());
        assert!(looks <= 3 * MANY, "{looks} looks");
    }
}
