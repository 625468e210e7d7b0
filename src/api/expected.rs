//! Who is expected to confirm a revision: the nodes that are connected to a live replica, and those that were a moment ago. A
//! proxy whose connection broke, or whose replica died, still serves what it has.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::confirmed::seconds;
use super::pb;
use super::replicas::{self, Others};
use crate::xds::Nodes;
use crate::xds::nodes::GRACE;

/// Between two looks while somebody is away.
const TICK: Duration = Duration::from_secs(1);
/// More nodes than these are not waited for: their names come from outside.
const MOST: usize = 10_000;

/// A node's gateway and its `node.id`.
pub type Name = (String, String);

/// Who is connected to which replica, and who was.
#[derive(Debug, Default)]
pub struct Expected {
    seen: Mutex<BTreeMap<Name, Seen>>,
    changes: watch::Sender<()>,
}

#[derive(Debug)]
struct Seen {
    replica: String,
    /// Since when it is not connected.
    away: Option<(Instant, SystemTime)>,
}

impl Expected {
    /// These are connected now, each to the replica of that name.
    pub fn observe(&self, connected: BTreeMap<Name, String>, now: Instant) {
        let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = false;
        for (name, seen) in all.iter_mut() {
            if seen.away.is_none() && !connected.contains_key(name) {
                seen.away = Some((now, SystemTime::now()));
                changed = true;
            }
        }
        for (name, replica) in connected {
            let away = None;
            let before = all.insert(name, Seen { replica, away });
            changed |= before.is_none_or(|before| before.away.is_some());
        }
        let crowded = all.len() > MOST;
        let before = all.len();
        all.retain(|_, seen| {
            let gone = |(since, _)| crowded || now.saturating_duration_since(since) >= GRACE;
            !seen.away.is_some_and(gone)
        });
        if changed || all.len() != before {
            self.changes.send_replace(());
        }
    }

    /// These were connected before this process, and may come back: Envoy waits for up to as long as the grace between attempts,
    /// and has it once more.
    pub fn expect(&self, names: impl Iterator<Item = (Name, String)>, now: Instant) {
        let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, replica) in names {
            let away = Some((now + GRACE, SystemTime::now()));
            all.entry(name).or_insert(Seen { replica, away });
        }
    }

    /// Tells that others are expected, or away, than before.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// All that are expected.
    pub fn names(&self) -> BTreeSet<Name> {
        let all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        all.keys().cloned().collect()
    }

    /// Those that are away, as they are told.
    pub fn away(&self) -> Vec<pb::Behind> {
        let all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let away = all.iter().filter_map(|((gateway, node), seen)| {
            let (_, since) = seen.away?;
            let since = seconds(since);
            Some(pb::Behind {
                since: Some(since),
                replica: seen.replica.clone(),
                node: node.clone(),
                gateway: gateway.clone(),
                reason: format!(
                    "away since {since}, and may still serve; it counts as gone after {} s",
                    GRACE.as_secs()
                ),
                ..pb::Behind::default()
            })
        });
        away.collect()
    }
}

/// Who is connected now: to this replica, which is called `own`, or to another live one.
pub fn connected(nodes: &Nodes, own: &str, live: &[pb::Replica]) -> BTreeMap<Name, String> {
    let mut connected = BTreeMap::new();
    for replica in live {
        for (gateway, ids) in &replica.connected {
            let names = ids.ids.iter().map(|id| (gateway.clone(), id.clone()));
            connected.extend(names.map(|name| (name, replica.id.clone())));
        }
    }
    nodes.look(|node| {
        connected.insert(
            (node.gateway.to_string(), node.id.to_string()),
            own.to_owned(),
        );
    });
    connected
}

/// Keeps account of who is connected. Ends with the process.
pub async fn watch(
    expected: Arc<Expected>,
    nodes: Arc<Nodes>,
    others: Others,
    shutdown: CancellationToken,
) {
    let mut here = nodes.changes();
    let mut elsewhere = others.changes();
    loop {
        here.mark_unchanged();
        elsewhere.mark_unchanged();
        let connected = connected(&nodes, &others.own(), &others.live());
        expected.observe(connected, Instant::now());
        let someone_is_away = !expected.away().is_empty();
        tokio::select! {
            Ok(()) = here.changed() => {}
            Ok(()) = elsewhere.changed() => {}
            () = tokio::time::sleep(TICK), if someone_is_away => {}
            () = shutdown.cancelled() => return,
        }
        tokio::time::sleep(replicas::PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connected(names: &[&str]) -> BTreeMap<Name, String> {
        let names = names.iter();
        names
            .map(|name| (("edge".to_owned(), (*name).to_owned()), "a".to_owned()))
            .collect()
    }

    #[test]
    fn who_was_connected_is_expected_until_it_is_back_or_has_been_away_for_too_long() {
        let (expected, start) = (Expected::default(), Instant::now());
        expected.observe(connected(&["one", "two"]), start);
        assert!(expected.away().is_empty());
        expected.observe(connected(&["one"]), start);
        let away = expected.away();
        assert_eq!(away.len(), 1);
        assert_eq!((&*away[0].node, &*away[0].replica), ("two", "a"));
        assert_eq!(expected.names().len(), 2);
        expected.observe(connected(&["one", "two"]), start + GRACE / 2);
        assert!(expected.away().is_empty(), "it is back");
        expected.observe(connected(&["one"]), start + GRACE);
        expected.observe(connected(&["one"]), start + 2 * GRACE - TICK);
        assert_eq!(expected.away().len(), 1);
        expected.observe(connected(&["one"]), start + 2 * GRACE);
        assert_eq!(expected.names().len(), 1, "it is gone");
    }

    #[test]
    fn who_was_connected_before_this_process_has_the_grace_twice() {
        let (expected, start) = (Expected::default(), Instant::now());
        expected.expect(connected(&["one", "two"]).into_iter(), start);
        expected.observe(connected(&["two"]), start + 2 * GRACE - TICK);
        assert_eq!(expected.away().len(), 1);
        expected.observe(connected(&["two"]), start + 2 * GRACE);
        assert_eq!(expected.names().len(), 1);
    }
}
