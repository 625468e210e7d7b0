//! What a random gateway holds: clusters with load assignments and perhaps a secret, route configurations that name
//! clusters, listeners that name route configurations and perhaps a secret and an extension config, and scopes that name route
//! tables, each of which a scope of its own holds. Every reference is to something that is there.

use std::collections::{BTreeMap, BTreeSet};

use chancery::snapshot::ResourceType;
use proptest::prelude::*;

use crate::world::Changes;

const CLUSTERS: [&str; 4] = ["a", "b", "c", "d"];
/// The assignment that several clusters may refer to.
const SHARED: &str = "s";
const ROUTES: [&str; 2] = ["main", "alt"];
const SECRETS: [&str; 2] = ["k", "l"];
const EXTENSIONS: [&str; 2] = ["auth", "limit"];
const LISTENERS: [&str; 2] = ["web", "tls"];
const SCOPES: [&str; 3] = ["1", "2", "3"];
/// Route tables, and the scopes that hold them.
const TABLES: [(&str, &str); 4] = [
    ("p", "hold-p"),
    ("q", "hold-q"),
    ("r", "hold-r"),
    ("s", "hold-s"),
];

/// What a gateway holds.
#[derive(Debug, Default, Clone)]
pub struct Plan {
    clusters: BTreeMap<&'static str, (u8, bool, Option<&'static str>)>,
    endpoints: BTreeMap<&'static str, u8>,
    routes: BTreeMap<&'static str, (u8, BTreeSet<&'static str>)>,
    listeners: BTreeMap<&'static str, (u8, &'static str, Needs)>,
    secrets: BTreeMap<&'static str, u8>,
    extensions: BTreeMap<&'static str, u8>,
    /// Which table each scope names; nothing when routes are not divided.
    scopes: Option<[usize; 3]>,
    tables: [(u8, BTreeSet<&'static str>); 4],
}

/// A secret and an extension config.
type Needs = (Option<&'static str>, Option<&'static str>);

/// Resources by type and name.
type Texts = BTreeMap<(ResourceType, &'static str), String>;

/// One change of it.
#[derive(Debug, Clone)]
pub enum Mutation {
    /// A cluster comes or changes, with an assignment of its own or the shared one, and with that secret or none.
    Cluster(usize, u8, bool, usize),
    /// A cluster goes, and with it what names it.
    NoCluster(usize),
    /// Instances change.
    Endpoints(usize, u8),
    /// Routes come or change; a bit per cluster they name.
    Route(usize, u8, u8),
    /// A listener comes or changes, with that route configuration, secret or none, and extension config or none.
    Listener(usize, u8, usize, usize, usize),
    /// A listener goes.
    NoListener(usize),
    /// A secret is renewed.
    Secret(usize, u8),
    /// An extension config changes.
    Extension(usize, u8),
    /// Every scope names another table.
    Divide([usize; 3]),
    /// One scope names another table.
    Point(usize, usize),
    /// Routes of a table change; a bit per cluster they name.
    Table(usize, u8, u8),
}

/// Any change.
pub fn mutation() -> impl Strategy<Value = Mutation> {
    let content = 0..3_u8;
    prop_oneof![
        3 => (0..4_usize, content.clone(), any::<bool>(), 0..4_usize).prop_map(|(i, v, s, k)| Mutation::Cluster(i, v, s, k)),
        2 => (0..4_usize).prop_map(Mutation::NoCluster),
        3 => (0..5_usize, content.clone()).prop_map(|(i, v)| Mutation::Endpoints(i, v)),
        4 => (0..2_usize, content.clone(), 0..16_u8).prop_map(|(i, v, m)| Mutation::Route(i, v, m)),
        2 => (0..2_usize, content.clone(), 0..2_usize, 0..3_usize, 0..3_usize)
            .prop_map(|(i, v, r, k, e)| Mutation::Listener(i, v, r, k, e)),
        1 => (0..2_usize).prop_map(Mutation::NoListener),
        1 => (0..2_usize, content.clone()).prop_map(|(i, v)| Mutation::Secret(i, v)),
        1 => (0..2_usize, content.clone()).prop_map(|(i, v)| Mutation::Extension(i, v)),
        3 => (0..4_usize, 0..4_usize, 0..4_usize).prop_map(|(a, b, c)| Mutation::Divide([a, b, c])),
        3 => (0..3_usize, 0..4_usize).prop_map(|(i, t)| Mutation::Point(i, t)),
        3 => (0..4_usize, content, 0..16_u8).prop_map(|(i, v, m)| Mutation::Table(i, v, m)),
    ]
}

impl Plan {
    /// Makes a change, and what it needs.
    pub fn apply(&mut self, mutation: &Mutation) {
        match *mutation {
            Mutation::Cluster(index, content, shared, secret) => {
                let secret = SECRETS.get(secret).copied();
                self.clusters
                    .insert(CLUSTERS[index], (content, shared, secret));
            }
            Mutation::NoCluster(index) => {
                self.clusters.remove(CLUSTERS[index]);
                let tables = self.routes.values_mut().chain(&mut self.tables);
                for (_, named) in tables {
                    named.remove(CLUSTERS[index]);
                }
            }
            Mutation::Endpoints(index, content) => {
                let name = CLUSTERS.get(index).copied().unwrap_or(SHARED);
                self.endpoints.insert(name, content);
            }
            Mutation::Route(index, content, mask) => {
                let named = self.named(mask);
                self.routes.insert(ROUTES[index], (content, named));
            }
            Mutation::Listener(index, content, route, secret, extension) => {
                self.routes.entry(ROUTES[route]).or_default();
                let secret = SECRETS.get(secret).copied();
                let needs = (secret, EXTENSIONS.get(extension).copied());
                self.listeners
                    .insert(LISTENERS[index], (content, ROUTES[route], needs));
            }
            Mutation::NoListener(index) => {
                self.listeners.remove(LISTENERS[index]);
            }
            Mutation::Secret(index, content) => {
                self.secrets.insert(SECRETS[index], content);
            }
            Mutation::Extension(index, content) => {
                self.extensions.insert(EXTENSIONS[index], content);
            }
            Mutation::Divide(tables) => self.scopes = Some(tables),
            Mutation::Point(index, table) => {
                if let Some(scopes) = &mut self.scopes {
                    scopes[index] = table;
                }
            }
            Mutation::Table(index, content, mask) => {
                self.tables[index] = (content, self.named(mask));
            }
        }
    }

    /// The clusters of these bits; they are there from now on.
    fn named(&mut self, mask: u8) -> BTreeSet<&'static str> {
        let named = CLUSTERS.into_iter().enumerate();
        let named = named.filter(|(bit, _)| mask & (1 << bit) != 0);
        let named: BTreeSet<_> = named.map(|(_, name)| name).collect();
        for name in &named {
            self.clusters.entry(name).or_default();
        }
        named
    }

    /// All of it as text.
    pub fn texts(&self) -> Changes {
        let mut all = Texts::new();
        for (name, (content, shared, secret)) in &self.clusters {
            let child = if *shared { SHARED } else { name };
            let endpoints = self.endpoints.get(child).copied().unwrap_or_default();
            let secret = self.secret(*secret, &mut all);
            all.insert(
                (ResourceType::Cluster, *name),
                format!("{name}={content}({child}{secret})"),
            );
            let assignment = format!("{child}={endpoints}");
            all.insert((ResourceType::LoadAssignment, child), assignment);
        }
        let scopes = self.scopes.iter().flatten();
        for (scope, table) in SCOPES.into_iter().zip(scopes) {
            let (name, hold) = TABLES[*table];
            for scope in [scope, hold] {
                let text = format!("{scope}={name}({name})");
                all.insert((ResourceType::ScopedRouteConfiguration, scope), text);
            }
        }
        let tables = self.scopes.iter().flatten();
        let tables = tables.map(|table| (&TABLES[*table].0, &self.tables[*table]));
        for (name, (content, named)) in self.routes.iter().chain(tables) {
            let named: Vec<_> = named.iter().copied().collect();
            let text = format!("{name}={content}({})", named.join(","));
            all.insert((ResourceType::RouteConfiguration, *name), text);
        }
        for (name, (content, route, (secret, extension))) in &self.listeners {
            let mut needs = self.secret(*secret, &mut all);
            if let Some(extension) = *extension {
                let content = self.extensions.get(extension).copied().unwrap_or_default();
                let text = format!("{extension}={content}");
                all.insert((ResourceType::ExtensionConfig, extension), text);
                needs += &format!(",ECDS/{extension}");
            }
            all.insert(
                (ResourceType::Listener, *name),
                format!("{name}={content}({route}{needs})"),
            );
        }
        all.into_iter()
            .map(|((resource_type, name), text)| (resource_type, name.to_owned(), Some(text)))
            .collect()
    }

    /// A secret as its user refers to it; it is there as long as it is used.
    fn secret(&self, name: Option<&'static str>, all: &mut Texts) -> String {
        let Some(name) = name else {
            return String::new();
        };
        let content = self.secrets.get(name).copied().unwrap_or_default();
        let text = format!("{name}={content}");
        all.insert((ResourceType::Secret, name), text);
        format!(",SDS/{name}")
    }
}
