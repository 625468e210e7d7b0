//! What a random gateway holds: clusters with load assignments, route configurations that name clusters, listeners that
//! name route configurations. Every reference is to something that is there.

use std::collections::{BTreeMap, BTreeSet};

use chancery::snapshot::ResourceType;
use proptest::prelude::*;

use crate::world::Changes;

const CLUSTERS: [&str; 4] = ["a", "b", "c", "d"];
/// The assignment that several clusters may refer to.
const SHARED: &str = "s";
const ROUTES: [&str; 2] = ["main", "alt"];
const LISTENERS: [&str; 2] = ["web", "tls"];

/// What a gateway holds.
#[derive(Debug, Default, Clone)]
pub struct Plan {
    clusters: BTreeMap<&'static str, (u8, bool)>,
    endpoints: BTreeMap<&'static str, u8>,
    routes: BTreeMap<&'static str, (u8, BTreeSet<&'static str>)>,
    listeners: BTreeMap<&'static str, (u8, &'static str)>,
}

/// One change of it.
#[derive(Debug, Clone)]
pub enum Mutation {
    /// A cluster comes or changes, with an assignment of its own or the shared one.
    Cluster(usize, u8, bool),
    /// A cluster goes, and with it what names it.
    NoCluster(usize),
    /// Instances change.
    Endpoints(usize, u8),
    /// Routes come or change; a bit per cluster they name.
    Route(usize, u8, u8),
    /// A listener comes or changes.
    Listener(usize, u8, usize),
    /// A listener goes.
    NoListener(usize),
}

/// Any change.
pub fn mutation() -> impl Strategy<Value = Mutation> {
    let content = 0..3_u8;
    prop_oneof![
        3 => (0..4_usize, content.clone(), any::<bool>()).prop_map(|(i, v, s)| Mutation::Cluster(i, v, s)),
        2 => (0..4_usize).prop_map(Mutation::NoCluster),
        3 => (0..5_usize, content.clone()).prop_map(|(i, v)| Mutation::Endpoints(i, v)),
        4 => (0..2_usize, content.clone(), 0..16_u8).prop_map(|(i, v, m)| Mutation::Route(i, v, m)),
        2 => (0..2_usize, content, 0..2_usize).prop_map(|(i, v, r)| Mutation::Listener(i, v, r)),
        1 => (0..2_usize).prop_map(Mutation::NoListener),
    ]
}

impl Plan {
    /// Makes a change, and what it needs.
    pub fn apply(&mut self, mutation: &Mutation) {
        match *mutation {
            Mutation::Cluster(index, content, shared) => {
                self.clusters.insert(CLUSTERS[index], (content, shared));
            }
            Mutation::NoCluster(index) => {
                self.clusters.remove(CLUSTERS[index]);
                for (_, named) in self.routes.values_mut() {
                    named.remove(CLUSTERS[index]);
                }
            }
            Mutation::Endpoints(index, content) => {
                let name = CLUSTERS.get(index).copied().unwrap_or(SHARED);
                self.endpoints.insert(name, content);
            }
            Mutation::Route(index, content, mask) => {
                let named = CLUSTERS.into_iter().enumerate();
                let named = named.filter(|(bit, _)| mask & (1 << bit) != 0);
                let named: BTreeSet<_> = named.map(|(_, name)| name).collect();
                for name in &named {
                    self.clusters.entry(name).or_default();
                }
                self.routes.insert(ROUTES[index], (content, named));
            }
            Mutation::Listener(index, content, route) => {
                self.routes.entry(ROUTES[route]).or_default();
                self.listeners
                    .insert(LISTENERS[index], (content, ROUTES[route]));
            }
            Mutation::NoListener(index) => {
                self.listeners.remove(LISTENERS[index]);
            }
        }
    }

    /// All of it as text.
    pub fn texts(&self) -> Changes {
        let mut all = BTreeMap::new();
        for (name, (content, shared)) in &self.clusters {
            let child = if *shared { SHARED } else { name };
            let endpoints = self.endpoints.get(child).copied().unwrap_or_default();
            all.insert(
                (ResourceType::Cluster, *name),
                format!("{name}={content}({child})"),
            );
            let assignment = format!("{child}={endpoints}");
            all.insert((ResourceType::LoadAssignment, child), assignment);
        }
        for (name, (content, named)) in &self.routes {
            let named: Vec<_> = named.iter().copied().collect();
            let text = format!("{name}={content}({})", named.join(","));
            all.insert((ResourceType::RouteConfiguration, *name), text);
        }
        for (name, (content, route)) in &self.listeners {
            all.insert(
                (ResourceType::Listener, *name),
                format!("{name}={content}({route})"),
            );
        }
        all.into_iter()
            .map(|((resource_type, name), text)| (resource_type, name.to_owned(), Some(text)))
            .collect()
    }
}
