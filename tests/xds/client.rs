//! A client that behaves as Envoy does, step by step: it keeps what it accepts, wants the load assignments of its clusters
//! and the route configurations of its listeners, and accepts clusters only once they are warm.
//!
//! Knows nothing of the server but its responses.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chancery::snapshot::ResourceType;
use chancery::xds::Protocol;

use crate::said::Said;
use crate::wire::{Entry, Received};
use crate::world::{children, references};

/// The types that the client uses.
pub const TYPES: [ResourceType; 7] = ResourceType::ALL;

/// The types that it wants by name.
const CHILDREN: [ResourceType; 4] = [
    ResourceType::LoadAssignment,
    ResourceType::Secret,
    ResourceType::ExtensionConfig,
    ResourceType::RouteConfiguration,
];

/// Resources without which others are not warm.
pub type Missing = BTreeSet<(ResourceType, String)>;

/// What the client knows of one type.
#[derive(Debug, Default)]
pub struct Side {
    /// Names it wants, besides everything.
    pub wanted: BTreeSet<String>,
    /// What it uses: text and version.
    pub has: BTreeMap<String, (String, String)>,
    /// The response that it thinks about.
    pub pending: Option<Received>,
    /// Names that it refused, and was not sent since.
    pub refused: BTreeSet<String>,
    extra: BTreeSet<String>,
    started: bool,
    answered: String,
    version: String,
}

/// A client.
#[derive(Debug)]
pub struct Client {
    protocol: Protocol,
    sides: [Side; ResourceType::ALL.len()],
    /// Requests on their way.
    pub outbox: VecDeque<Said>,
    /// That without which the pending clusters are not warm.
    pub cold: Missing,
    /// That without which new or changed listeners are not ready.
    pub unready: Missing,
    /// Clusters that routes may miss: the client refused them, or SotW left no other way.
    pub excused: BTreeSet<String>,
    /// Names that it asked for though it had them: it may be told that they are gone.
    asked_again: Missing,
    /// It came back with its scopes, and has accepted none on this stream.
    brought_scopes: bool,
    /// Whether the server gave up waiting to hear of the routes in use.
    pub late: bool,
    /// … and of the tables that its scopes are to name.
    pub was_late: bool,
    fresh_stream: bool,
    came_back: bool,
}

impl Client {
    /// A client that connects for the first time.
    pub fn new(protocol: Protocol) -> Self {
        let mut client = Self {
            protocol,
            sides: Default::default(),
            outbox: VecDeque::new(),
            cold: BTreeSet::new(),
            unready: BTreeSet::new(),
            excused: BTreeSet::new(),
            asked_again: Missing::new(),
            brought_scopes: false,
            late: false,
            was_late: false,
            fresh_stream: true,
            came_back: false,
        };
        client.greet(TYPES);
        client
    }

    /// What it knows of a type.
    pub fn side(&self, resource_type: ResourceType) -> &Side {
        &self.sides[resource_type.index()]
    }

    fn side_mut(&mut self, resource_type: ResourceType) -> &mut Side {
        &mut self.sides[resource_type.index()]
    }

    /// Loses its stream and opens another, asking in this order.
    pub fn reconnect(&mut self, order: [ResourceType; 7]) {
        self.outbox.clear();
        self.cold.clear();
        self.unready.clear();
        self.fresh_stream = true;
        self.came_back = true;
        self.brought_scopes = true;
        for side in &mut self.sides {
            side.pending = None;
            side.refused.clear();
            side.started = false;
            side.answered.clear();
        }
        for child in CHILDREN {
            let wanted = self.names_of(child);
            let side = self.side_mut(child);
            side.wanted = wanted;
            side.has.retain(|name, _| side.wanted.contains(name));
        }
        self.greet(order);
    }

    fn greet(&mut self, order: [ResourceType; 7]) {
        for resource_type in order {
            if resource_type.is_full_state() || !self.side(resource_type).wanted.is_empty() {
                let wanted = self.side(resource_type).wanted.clone();
                self.say(resource_type, wanted, BTreeSet::new(), None);
            }
        }
    }

    /// Wants a name of itself, or no longer does.
    pub fn wish(&mut self, resource_type: ResourceType, name: &str, wanted: bool) {
        let side = self.side_mut(resource_type);
        if wanted {
            side.extra.insert(name.to_owned());
        } else {
            side.extra.remove(name);
        }
        self.follow_children();
    }

    /// Delta: asks again for a name that it wants already.
    pub fn ask_again(&mut self, resource_type: ResourceType) {
        if self.protocol == Protocol::Delta
            && let Some(name) = self.side(resource_type).wanted.first().cloned()
        {
            self.asked_again.insert((resource_type, name.clone()));
            self.say(resource_type, [name].into(), BTreeSet::new(), None);
        }
    }

    /// Takes a response in, to think about.
    pub fn receive(&mut self, response: Received) {
        let resource_type = response.resource_type;
        let names = response.resources.iter().map(|entry| &entry.name);
        for name in names.chain(&response.removed) {
            let named = (resource_type, name.clone());
            self.cold.remove(&named);
            self.unready.remove(&named);
        }
        self.check_removals(&response);
        if resource_type == ResourceType::Cluster {
            self.cold = self.changed_children(&response);
        }
        if resource_type == ResourceType::Listener {
            let children = self.changed_children(&response);
            self.unready.extend(children);
        }
        let side = self.side_mut(resource_type);
        assert!(side.pending.is_none(), "two responses on their way");
        side.pending = Some(response);
        self.follow_children();
    }

    fn changed_children(&self, response: &Received) -> Missing {
        let has = &self.side(response.resource_type).has;
        let changed = response.resources.iter().filter(|entry| {
            let before = has.get(&entry.name);
            before.is_none_or(|(text, _)| *text != entry.text)
        });
        let children = changed.flat_map(|entry| children(response.resource_type, &entry.text));
        children
            .map(|(child, name)| (child, name.to_owned()))
            .collect()
    }

    /// Accepts what it thinks about, if it can.
    pub fn accept(&mut self, resource_type: ResourceType) -> bool {
        if resource_type == ResourceType::Cluster && !self.cold.is_empty() {
            return false;
        }
        let Some(response) = self.side_mut(resource_type).pending.take() else {
            return false;
        };
        let before: BTreeSet<String> = self.side(resource_type).has.keys().cloned().collect();
        if resource_type == ResourceType::ScopedRouteConfiguration {
            self.check_scopes(&response);
            self.brought_scopes = false;
            self.was_late = false;
        }
        let full_state = resource_type.is_full_state();
        let replaces = full_state && self.protocol == Protocol::Sotw;
        let side = self.side_mut(resource_type);
        if replaces {
            side.has.clear();
        }
        for name in &response.removed {
            side.has.remove(name);
        }
        for entry in &response.resources {
            if full_state || side.wanted.contains(&entry.name) {
                let held = (entry.text.clone(), entry.version.clone());
                side.has.insert(entry.name.clone(), held);
            }
        }
        side.version.clone_from(&response.version);
        self.late &= resource_type != ResourceType::RouteConfiguration;
        let side = self.side_mut(resource_type);
        if replaces {
            side.refused.clear();
        }
        let names = response.resources.iter().map(|entry| &entry.name);
        for name in names.chain(&response.removed) {
            side.refused.remove(name);
        }
        if resource_type == ResourceType::Cluster {
            let has = &self.sides[resource_type.index()].has;
            self.excused.retain(|name| !has.contains_key(name));
            if replaces && self.fresh_stream && self.came_back {
                let lost = before.into_iter().filter(|name| !has.contains_key(name));
                self.excused.extend(lost);
            }
            self.fresh_stream = false;
        }
        let nonce = response.nonce;
        self.say(
            resource_type,
            BTreeSet::new(),
            BTreeSet::new(),
            Some((nonce, false)),
        );
        self.follow_children();
        true
    }

    /// Refuses what it thinks about.
    pub fn refuse(&mut self, resource_type: ResourceType) {
        let Some(response) = self.side_mut(resource_type).pending.take() else {
            return;
        };
        if resource_type == ResourceType::Cluster {
            self.cold.clear();
            let has = &self.side(resource_type).has;
            // What is refused and then deleted cannot be kept in a state of the world.
            let sotw = self.protocol == Protocol::Sotw;
            let lacks = |entry: &&Entry| match has.get(&entry.name) {
                Some((text, _)) => sotw && *text != entry.text,
                None => true,
            };
            let lacking = response.resources.iter().filter(lacks);
            let lacking: Vec<_> = lacking.map(|entry| entry.name.clone()).collect();
            self.excused.extend(lacking);
        }
        if resource_type == ResourceType::Listener {
            self.unready.clear();
        }
        let names = response.resources.into_iter().map(|entry| entry.name);
        let replaces = resource_type.is_full_state() && self.protocol == Protocol::Sotw;
        let side = self.side_mut(resource_type);
        let wanted = |name: &String| resource_type.is_full_state() || side.wanted.contains(name);
        side.refused
            .extend(names.chain(response.removed).filter(wanted));
        if replaces {
            side.refused.extend(side.has.keys().cloned());
        }
        let nonce = response.nonce;
        self.say(
            resource_type,
            BTreeSet::new(),
            BTreeSet::new(),
            Some((nonce, true)),
        );
        self.follow_children();
    }

    /// The names of one type that it needs for its clusters, pending ones included, and its listeners.
    fn names_of(&self, child: ResourceType) -> BTreeSet<String> {
        let texts = child.parents().iter().flat_map(|parent| {
            let side = self.side(*parent);
            let pending = side.pending.iter();
            let pending = pending.filter(|_| *parent == ResourceType::Cluster);
            let pending = pending.flat_map(|response| &response.resources);
            let pending = pending.map(|entry| entry.text.as_str());
            let has = side.has.values().map(|(text, _)| text.as_str());
            has.chain(pending).map(|text| (*parent, text))
        });
        let names = texts.flat_map(|(parent, text)| children(parent, text));
        names
            .filter(|(of, _)| *of == child)
            .map(|(_, name)| name.to_owned())
            .chain(self.side(child).extra.iter().cloned())
            .collect()
    }

    /// Wants what its clusters and listeners name, and forgets what they no longer do.
    fn follow_children(&mut self) {
        for child in CHILDREN {
            let names = self.names_of(child);
            let side = self.side_mut(child);
            if names == side.wanted {
                continue;
            }
            let more = names.difference(&side.wanted).cloned().collect();
            let less = side.wanted.difference(&names).cloned().collect();
            side.has.retain(|name, _| names.contains(name));
            side.refused.retain(|name| names.contains(name));
            side.wanted = names;
            let wanted = &self.sides[child.index()].wanted;
            self.unready
                .retain(|(of, name)| *of != child || wanted.contains(name));
            self.say(child, more, less, None);
        }
    }

    fn say(
        &mut self,
        resource_type: ResourceType,
        more: BTreeSet<String>,
        less: BTreeSet<String>,
        answer: Option<(String, bool)>,
    ) {
        let protocol = self.protocol;
        let side = self.side_mut(resource_type);
        let first = !std::mem::replace(&mut side.started, true);
        let refuses = answer.as_ref().is_some_and(|(_, refuses)| *refuses);
        let nonce = match answer {
            Some((nonce, _)) => {
                side.answered.clone_from(&nonce);
                nonce
            }
            None if protocol == Protocol::Sotw => side.answered.clone(),
            None => String::new(),
        };
        // Envoy comes back with its last version even where it has dropped the names that it stood for, and waits for them
        // anew; no server can tell, so that this client does not.
        let forgot = first && side.wanted.iter().any(|name| !side.has.contains_key(name));
        if forgot {
            side.version.clear();
        }
        let said = Said {
            resource_type,
            first,
            all: side.wanted.clone(),
            more: if first { side.wanted.clone() } else { more },
            less,
            version: side.version.clone(),
            initial: if first {
                side.has.clone()
            } else {
                BTreeMap::new()
            },
            nonce,
            refuses,
        };
        self.outbox.push_back(said);
    }

    /// Fails when a secret or an extension config is taken away that a cluster or a listener in use names.
    fn check_removals(&self, response: &Received) {
        let of = response.resource_type;
        if !of.is_left() {
            return;
        }
        for parent in of.parents() {
            let has = self.side(*parent).has.values();
            let named = has.flat_map(|(text, _)| children(*parent, text));
            let broken = named.filter(|(child, name)| {
                let asked = self.asked_again.contains(&(of, (*name).to_owned()));
                let held = self.side(of).has.contains_key(*name) && !asked;
                *child == of && held && response.removed.iter().any(|removed| removed == name)
            });
            let broken: Vec<_> = broken.collect();
            assert!(broken.is_empty(), "{parent:?} in use needs {broken:?}");
        }
    }

    /// Fails when a scope that the client has is pointed at a route table that it does not have. In SotW a server cannot know
    /// which forms a client came back with, and it does not wait for good until it hears of routes.
    fn check_scopes(&self, response: &Received) {
        let of = response.resource_type;
        let side = self.side(of);
        let unknown = self.brought_scopes && self.protocol == Protocol::Sotw;
        if unknown || (self.brought_scopes && self.was_late) {
            return;
        }
        let routes = &self.side(ResourceType::RouteConfiguration).has;
        for entry in &response.resources {
            let before = side.has.get(&entry.name);
            let changed = before.is_some_and(|(text, _)| *text != entry.text);
            let missing = children(of, &entry.text).find(|(_, table)| !routes.contains_key(*table));
            assert!(
                !changed || missing.is_none(),
                "{before:?} becomes {entry:?}, whose table is not there"
            );
        }
    }

    /// Fails when a route in use names a cluster that the client does not have.
    pub fn check_routes(&self) {
        let listeners = self.side(ResourceType::Listener).has.values();
        let scopes = self
            .side(ResourceType::ScopedRouteConfiguration)
            .has
            .values();
        let used = listeners
            .chain(scopes)
            .flat_map(|(text, _)| references(text));
        for route in used {
            let routes = &self.side(ResourceType::RouteConfiguration).has;
            let named = routes
                .get(route)
                .into_iter()
                .flat_map(|(text, _)| references(text));
            for cluster in named {
                assert!(
                    self.side(ResourceType::Cluster).has.contains_key(cluster)
                        || self.late
                        || self.excused.contains(cluster),
                    "route {route} names cluster {cluster}, which the client does not have"
                );
            }
        }
    }
}
