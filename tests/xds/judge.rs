//! Watches one stream from beside the server, and fails when a response should not have been sent.

use std::collections::{BTreeMap, BTreeSet};

use chancery::snapshot::ResourceType;
use chancery::xds::Protocol;

use crate::said::Said;
use crate::wire::Received;
use crate::world::children;

/// What was sent on one stream, and what may be sent again.
#[derive(Debug)]
pub struct Judge {
    protocol: Protocol,
    lanes: [Lane; ResourceType::ALL.len()],
    /// Whether the client came with scopes.
    brought: bool,
}

#[derive(Debug, Default)]
struct Lane {
    /// The response that is not answered yet.
    on_its_way: Option<Received>,
    /// What the client was sent, or said it has.
    sent: BTreeMap<String, String>,
    wanted: BTreeSet<String>,
    /// SotW: the version that the client came with.
    claimed: String,
    /// Names that may be sent though nothing changed.
    free: BTreeSet<String>,
    /// Whether anything was refused: what was sent is then no measure of what the client has.
    refused: bool,
    /// Whether anything was ever refused on this stream.
    ever_refused: bool,
    answered: bool,
}

impl Judge {
    /// A stream on which nothing was said.
    pub fn new(protocol: Protocol) -> Self {
        Self {
            protocol,
            lanes: Default::default(),
            brought: false,
        }
    }

    /// The server reads a request.
    pub fn see_request(&mut self, said: &Said) {
        let lane = &mut self.lanes[said.resource_type.index()];
        if said.first {
            lane.claimed.clone_from(&said.version);
        }
        let scopes = said.resource_type.awaits().is_some();
        self.brought |= scopes && said.first && !said.initial.is_empty();
        if said.first && self.protocol == Protocol::Delta {
            let initial = said.initial.iter();
            lane.sent = initial
                .map(|(name, (text, _))| (name.clone(), text.clone()))
                .collect();
        }
        let answers = lane
            .on_its_way
            .as_ref()
            .is_some_and(|sent| sent.nonce == said.nonce);
        match self.protocol {
            Protocol::Sotw => {
                lane.free.extend(said.all.difference(&lane.wanted).cloned());
                lane.wanted.clone_from(&said.all);
            }
            Protocol::Delta => {
                let known = |name: &&String| said.first && said.initial.contains_key(*name);
                lane.free
                    .extend(said.more.iter().filter(|name| !known(name)).cloned());
                for name in &said.less {
                    lane.sent.remove(name);
                }
            }
        }
        if answers && let Some(response) = lane.on_its_way.take() {
            lane.refused = said.refuses;
            lane.ever_refused |= said.refuses;
            if said.refuses {
                for name in response.resources.iter().map(|entry| &entry.name) {
                    lane.free.insert(name.clone());
                }
                for name in &response.removed {
                    lane.free.insert(name.clone());
                }
            }
        }
    }

    /// The server sends a response.
    pub fn see_response(&mut self, response: &Received) {
        let protocol = self.protocol;
        let of = response.resource_type;
        let lane = &mut self.lanes[of.index()];
        assert!(lane.on_its_way.is_none(), "two on their way: {response:?}");
        let replaces = protocol == Protocol::Sotw && of.is_full_state();
        let changed = |name: &str, text: &str| lane.sent.get(name).is_none_or(|sent| sent != text);
        let entries = response.resources.iter();
        let (news, olds): (Vec<_>, Vec<_>) =
            entries.partition(|entry| changed(&entry.name, &entry.text));
        let gone: Vec<String> = if replaces {
            let names = response.resources.iter().map(|entry| &entry.name);
            let names: BTreeSet<_> = names.collect();
            lane.sent
                .keys()
                .filter(|name| !names.contains(name))
                .cloned()
                .collect()
        } else {
            let removed = response.removed.iter();
            removed
                .filter(|name| lane.sent.contains_key(*name))
                .cloned()
                .collect()
        };
        if of == ResourceType::Cluster && !lane.refused {
            let first_of_sotw = replaces && !lane.answered;
            assert!(
                news.is_empty() || gone.is_empty() || first_of_sotw,
                "adds and removes: {response:?}"
            );
        }
        if replaces && !lane.answered {
            assert_ne!(
                response.version, lane.claimed,
                "the client has it: {response:?}"
            );
        }
        if replaces {
            let anything = !news.is_empty() || !gone.is_empty();
            let asked = lane.free.iter().any(|name| lane.wanted.contains(name));
            // Removals that were refused are said once more, though the state of the world left them out already.
            let again = of.awaits().is_some() && lane.ever_refused;
            let excused = !lane.answered || asked || lane.refused || again;
            assert!(anything || excused, "nothing new: {response:?}");
        } else {
            let again = olds.iter().find(|entry| !lane.free.contains(&entry.name));
            // Of the forms that a client brought the server knows no more than that they are others.
            let again = again.filter(|_| !(of == ResourceType::RouteConfiguration && self.brought));
            assert!(again.is_none(), "sent again: {again:?} in {response:?}");
        }
        let parents = if replaces && !lane.refused {
            news
        } else {
            response.resources.iter().collect()
        };
        let due = parents.iter().flat_map(|entry| children(of, &entry.text));
        let due: Vec<_> = due.map(|(child, name)| (child, name.to_owned())).collect();
        let named = |lane: &Lane| -> BTreeSet<_> {
            let children = lane.sent.values().flat_map(|text| children(of, text));
            children
                .map(|(child, name)| (child, name.to_owned()))
                .collect()
        };
        let named_before = named(lane);
        for name in gone.iter().chain(&response.removed) {
            lane.sent.remove(name);
            lane.free.remove(name);
        }
        for entry in &response.resources {
            lane.sent.insert(entry.name.clone(), entry.text.clone());
            lane.free.remove(&entry.name);
        }
        // What nothing names any more is dropped by the client, sooner or later.
        let dropped: Vec<_> = named_before.difference(&named(lane)).cloned().collect();
        lane.answered = true;
        lane.on_its_way = Some(response.clone());
        let dropped = dropped.into_iter().filter(|_| of.awaits().is_some());
        for (child, name) in due.into_iter().chain(dropped) {
            self.lanes[child.index()].free.insert(name);
        }
    }
}
