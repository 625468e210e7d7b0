//! Derives one gateway's snapshots from the model and the instances: what changed is translated, the rest is kept.
//!
//! The one place where the model and the snapshot meet. Pure: told of changes, asked for the next snapshot.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::model::{Cluster, Gateway, Id, Members, Route};
use crate::registry::{Instance, ServiceKey};
use crate::translate::{self, RouteTable};

use super::trial::Trial;
use super::{Change, Resource, ResourceType, Snapshot, Tallies};

/// The healthy instances of every service that has answered. A service that is not in it is unknown, not empty.
pub type Instances = HashMap<ServiceKey, Arc<[Instance]>>;

/// Derives one gateway's snapshots.
#[derive(Debug)]
pub struct Builder {
    gateway: Option<Arc<Gateway>>,
    table: RouteTable,
    /// Routes, and which of them proxies refuse.
    routes: Trial<Id, Route>,
    /// The routes in the table.
    placed: HashMap<Id, Arc<Route>>,
    /// Forms of routes that wait for the first answer of their service; a form placed before stays meanwhile.
    waiting: HashMap<Id, Arc<Route>>,
    clusters: HashMap<Arc<str>, Used<Arc<Cluster>>>,
    assignments: HashMap<Arc<str>, Used<Members>>,
    /// Resources of every type but route tables, and which of them proxies refuse.
    resources: [Trial<Arc<str>, Resource>; ResourceType::ALL.len()],
    dirty: Dirty,
    current: Snapshot,
}

/// What proxies said of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The type that it is about.
    pub resource_type: ResourceType,
    /// The newest snapshot that the proxy had accepted before.
    pub after: Option<u64>,
    /// The snapshot that it accepted or refused.
    pub sequence: u64,
    /// Why it was refused, if it was.
    pub error: Option<Arc<str>>,
}

/// Something that is there as long as it is used.
#[derive(Debug)]
struct Used<T> {
    by: usize,
    what: T,
}

/// What has to be translated anew.
#[derive(Debug, Default)]
struct Dirty {
    listeners: bool,
    routes: bool,
    clusters: HashSet<Arc<str>>,
    assignments: HashSet<Arc<str>>,
    /// Resources whose wanted form is the same, and whose form in force is another one.
    placed: Vec<(ResourceType, Arc<str>)>,
}

impl Builder {
    /// A builder for the gateway of that name, which does not exist yet.
    pub fn new(gateway: &Id) -> Self {
        let name: Arc<str> = gateway.to_string().into();
        Self {
            gateway: None,
            table: RouteTable::new(&name),
            routes: Trial::default(),
            placed: HashMap::new(),
            waiting: HashMap::new(),
            clusters: HashMap::new(),
            assignments: HashMap::new(),
            resources: Default::default(),
            dirty: Dirty::default(),
            current: Snapshot::empty(name),
        }
    }

    /// Whether nothing is left that could ever be served.
    pub fn is_idle(&self) -> bool {
        self.gateway.is_none() && self.placed.is_empty() && self.waiting.is_empty()
    }

    /// Whether the gateway exists: one that does not is not served, so that its proxies wait.
    pub fn exists(&self) -> bool {
        self.gateway.is_some()
    }

    /// How many routes wait for the first answer of their service.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// How many routes are in force.
    pub fn placed(&self) -> usize {
        self.placed.len()
    }

    /// The gateway's document came, changed or went.
    pub fn handle_gateway(&mut self, gateway: Option<Arc<Gateway>>) {
        self.gateway = gateway;
        self.dirty.listeners = true;
        self.dirty.routes = true;
    }

    /// A route came, changed or went (or left this gateway).
    pub fn handle_route(&mut self, id: &Id, route: Option<Arc<Route>>, instances: &Instances) {
        self.waiting.remove(id);
        match route {
            Some(route)
                if service_of(&route).is_none_or(|service| instances.contains_key(service)) =>
            {
                self.place(id, Some(route));
            }
            Some(route) => {
                self.waiting.insert(id.clone(), route);
            }
            None => self.place(id, None),
        }
    }

    /// A service answered. Routes that waited for it are placed.
    pub fn handle_answer(&mut self, service: &ServiceKey) {
        self.dirty.assignments.insert(service.to_string().into());
        let answered: Vec<Id> = self
            .waiting
            .iter()
            .filter(|(_, route)| service_of(route) == Some(service))
            .map(|(id, _)| id.clone())
            .collect();
        for id in answered {
            let route = self.waiting.remove(&id);
            self.place(&id, route);
        }
    }

    /// The next snapshot, or nothing when all content is as before.
    pub fn next(
        &mut self,
        revision: i64,
        instances: &Instances,
    ) -> Option<(Arc<Snapshot>, Tallies)> {
        let mut changes = Vec::new();
        let dirty = std::mem::take(&mut self.dirty);
        for name in dirty.clusters {
            self.next_cluster(name, &mut changes);
        }
        for name in dirty
            .assignments
            .into_iter()
            .chain(std::mem::take(&mut self.dirty.assignments))
        {
            self.next_assignment(name, instances, &mut changes);
        }
        if dirty.listeners {
            self.next_listeners(&mut changes);
        }
        let mut changes = self.on_trial(changes, dirty.placed);
        if dirty.routes {
            let name = self.current.gateway.clone();
            let encoded = self.gateway.is_some().then(|| self.table.encode());
            changes.push(Change {
                resource_type: ResourceType::RouteConfiguration,
                resource: encoded.map(|value| {
                    let children = Box::default();
                    Arc::new(Resource::new(
                        ResourceType::RouteConfiguration,
                        &name,
                        &value,
                        children,
                    ))
                }),
                name,
            });
        }
        let (next, tallies) = self.current.next(changes, revision);
        if tallies == Tallies::default() {
            return None;
        }
        self.current = next;
        Some((Arc::new(self.current.clone()), tallies))
    }

    /// The documents that proxies refuse, and why: they keep their last accepted form, or are withdrawn together with the
    /// routes that need them, until they change.
    pub fn refused(&self) -> BTreeMap<String, Arc<str>> {
        let routes = self.routes.refused().iter();
        let routes = routes.map(|(id, error)| (format!("routes/{id}"), error.clone()));
        let resources = ResourceType::ALL.into_iter().zip(&self.resources);
        let resources = resources.flat_map(|(resource_type, trial)| {
            let refused = trial.refused().iter();
            refused.map(move |(name, error)| (document_of(resource_type, name), error.clone()))
        });
        routes.chain(resources).collect()
    }

    /// A proxy accepted or refused a snapshot: what it refused is rolled back with the next one.
    pub fn handle_outcome(&mut self, outcome: &Outcome) {
        match outcome.resource_type {
            ResourceType::RouteConfiguration => self.judge_routes(outcome),
            _ => self.judge_resources(outcome),
        }
    }

    fn judge_routes(&mut self, outcome: &Outcome) {
        let next = self.current.sequence + 1;
        let (after, sequence) = (outcome.after, outcome.sequence);
        let touched = match &outcome.error {
            None => self.routes.handle_ack(sequence, next),
            Some(error) => {
                let named = |id: &Id| mentions(error, &format!("route/{id}"));
                self.routes
                    .handle_nack(after, sequence, error, next, named)
                    .touched
            }
        };
        for id in &touched {
            self.follow(id);
        }
    }

    fn judge_resources(&mut self, outcome: &Outcome) {
        let next = self.current.sequence + 1;
        let (after, sequence) = (outcome.after, outcome.sequence);
        let resource_type = outcome.resource_type;
        let trial = &mut self.resources[resource_type.index()];
        let touched = match &outcome.error {
            None => trial.handle_ack(sequence, next),
            Some(error) => {
                let named = |name: &Arc<str>| mentions(error, name);
                let verdict = trial.handle_nack(after, sequence, error, next, named);
                for name in &verdict.refused {
                    self.withdraw_routes(resource_type, name, error);
                }
                verdict.touched
            }
        };
        let placed = touched.into_iter().map(|name| (resource_type, name));
        self.dirty.placed.extend(placed);
    }

    /// Takes routes back whose cluster is refused and has no accepted form.
    fn withdraw_routes(&mut self, resource_type: ResourceType, name: &Arc<str>, error: &Arc<str>) {
        let is_there = self.resources[resource_type.index()].placed(name).is_some();
        if resource_type != ResourceType::Cluster || is_there {
            return;
        }
        let uses = |route: &Route| {
            route
                .cluster
                .as_ref()
                .is_some_and(|cluster| cluster.name == *name)
        };
        let users = self.placed.iter().filter(|(_, route)| uses(route));
        let users: Vec<Id> = users.map(|(id, _)| id.clone()).collect();
        let next = self.current.sequence + 1;
        for id in &self.routes.refuse(users, error, next).touched {
            self.follow(id);
        }
    }

    fn place(&mut self, id: &Id, route: Option<Arc<Route>>) {
        let next = self.current.sequence + 1;
        let age = route.as_ref().map_or(0, |route| route.revision);
        self.routes.want(id, route, age, next);
        self.follow(id);
    }

    /// Brings the table and the clusters' use in line with the route's form in force.
    fn follow(&mut self, id: &Id) {
        let route = self.routes.placed(id).cloned();
        if let Some(cluster) = route.as_ref().and_then(|route| route.cluster.as_ref()) {
            let used = self.clusters.entry(cluster.name.clone());
            let used = used.or_insert_with(|| Used {
                by: 0,
                what: cluster.clone(),
            });
            used.by += 1;
            used.what = cluster.clone();
            self.dirty.clusters.insert(cluster.name.clone());
        }
        let before = match &route {
            Some(route) => self.placed.insert(id.clone(), route.clone()),
            None => self.placed.remove(id),
        };
        if let Some(cluster) = before.as_ref().and_then(|before| before.cluster.as_ref()) {
            if let Some(used) = self.clusters.get_mut(&cluster.name) {
                used.by -= 1;
            }
            self.dirty.clusters.insert(cluster.name.clone());
        }
        if before.is_some() || route.is_some() {
            self.table.replace(id, route);
            self.dirty.routes = true;
        }
    }

    /// What of the wanted changes is to be in force, and what else is to be since proxies spoke.
    fn on_trial(
        &mut self,
        wanted: Vec<Change>,
        placed: Vec<(ResourceType, Arc<str>)>,
    ) -> Vec<Change> {
        let next = self.current.sequence + 1;
        let mut changes = Vec::with_capacity(wanted.len() + placed.len());
        for change in wanted {
            let Change {
                resource_type,
                name,
                resource,
            } = change;
            let trial = &mut self.resources[resource_type.index()];
            let version =
                |resource: Option<&Arc<Resource>>| resource.map(|resource| resource.version);
            if version(trial.wanted(&name)) != version(resource.as_ref()) {
                trial.want(&name, resource, self.current.revision, next);
            }
            changes.push((resource_type, name));
        }
        changes.extend(placed);
        let in_force = changes.into_iter().map(|(resource_type, name)| Change {
            resource: self.resources[resource_type.index()].placed(&name).cloned(),
            resource_type,
            name,
        });
        in_force.collect()
    }

    fn next_cluster(&mut self, name: Arc<str>, changes: &mut Vec<Change>) {
        let before = self
            .current
            .set(ResourceType::Cluster)
            .find(&name)
            .and_then(|resource| resource.children.first().cloned());
        if self.clusters.get(&name).is_some_and(|used| used.by == 0) {
            self.clusters.remove(&name);
        }
        let cluster = self.clusters.get(&name).map(|used| used.what.clone());
        let after = cluster.as_deref().and_then(load_assignment_of);
        if before != after {
            self.release_assignment(before);
            self.retain_assignment(after.clone(), cluster.as_deref());
        } else if let (Some(assignment), Some(cluster)) = (&after, &cluster)
            && let Some(used) = self.assignments.get_mut(assignment)
            && used.what != cluster.upstream.members
        {
            used.what = cluster.upstream.members.clone();
            self.dirty.assignments.insert(assignment.clone());
        }
        let resource = cluster.map(|cluster| {
            let value = translate::canonical(&translate::cluster(&cluster));
            let children = after.into_iter().collect();
            Arc::new(Resource::new(
                ResourceType::Cluster,
                &name,
                &value,
                children,
            ))
        });
        changes.push(Change {
            resource_type: ResourceType::Cluster,
            name,
            resource,
        });
    }

    fn retain_assignment(&mut self, name: Option<Arc<str>>, cluster: Option<&Cluster>) {
        if let (Some(name), Some(cluster)) = (name, cluster) {
            let what = cluster.upstream.members.clone();
            let used = self
                .assignments
                .entry(name.clone())
                .or_insert(Used { by: 0, what });
            used.by += 1;
            self.dirty.assignments.insert(name);
        }
    }

    fn release_assignment(&mut self, name: Option<Arc<str>>) {
        if let Some(name) = name
            && let Some(used) = self.assignments.get_mut(&name)
        {
            used.by -= 1;
            self.dirty.assignments.insert(name);
        }
    }

    fn next_assignment(
        &mut self,
        name: Arc<str>,
        instances: &Instances,
        changes: &mut Vec<Change>,
    ) {
        if self.assignments.get(&name).is_some_and(|used| used.by == 0) {
            self.assignments.remove(&name);
        }
        let message = match self.assignments.get(&name).map(|used| &used.what) {
            Some(Members::Nodes(nodes)) => Some(translate::static_load_assignment(&name, nodes)),
            Some(Members::Service(service)) => match instances.get(service) {
                Some(instances) => Some(translate::load_assignment(&name, instances)),
                // Unknown is not empty: what was sent stays.
                None => return,
            },
            None => None,
        };
        changes.push(Change {
            resource_type: ResourceType::LoadAssignment,
            resource: message.map(|message| {
                let value = translate::canonical(&message);
                let children = Box::default();
                Arc::new(Resource::new(
                    ResourceType::LoadAssignment,
                    &name,
                    &value,
                    children,
                ))
            }),
            name,
        });
    }

    fn next_listeners(&self, changes: &mut Vec<Change>) {
        let listeners = self
            .gateway
            .as_deref()
            .map(translate::listeners)
            .unwrap_or_default();
        let names: HashSet<&Arc<str>> = listeners.iter().map(|(name, _)| name).collect();
        for (name, _) in self.current.set(ResourceType::Listener).iter() {
            if !names.contains(name) {
                changes.push(Change {
                    resource_type: ResourceType::Listener,
                    name: name.clone(),
                    resource: None,
                });
            }
        }
        for (name, listener) in &listeners {
            let value = translate::canonical(listener);
            let children = Box::new([self.current.gateway.clone()]);
            changes.push(Change {
                resource_type: ResourceType::Listener,
                name: name.clone(),
                resource: Some(Arc::new(Resource::new(
                    ResourceType::Listener,
                    name,
                    &value,
                    children,
                ))),
            });
        }
    }
}

/// The load assignment that a cluster asks for; none when Envoy resolves its nodes' names itself.
fn load_assignment_of(cluster: &Cluster) -> Option<Arc<str>> {
    match &cluster.upstream.members {
        Members::Nodes(nodes) if translate::resolved_by_envoy(nodes) => None,
        _ => Some(cluster.load_assignment()),
    }
}

/// Whether a proxy's words name a thing: as a whole word, for `route/a` is not `route/ab`.
fn mentions(words: &str, name: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    words.match_indices(name).any(|(at, _)| {
        let after = &words[at + name.len()..];
        // A sentence may end in a full stop.
        let after = after
            .strip_prefix('.')
            .filter(|rest| !rest.starts_with(inside))
            .unwrap_or(after);
        !words[..at].ends_with(inside) && !after.starts_with(inside)
    })
}

/// The document that a resource comes from.
fn document_of(resource_type: ResourceType, name: &str) -> String {
    match (resource_type, name.split_once('/')) {
        (ResourceType::Listener, Some((gateway, _))) => format!("gateways/{gateway}"),
        (_, Some((kind @ ("route" | "upstream" | "service"), id))) => format!("{kind}s/{id}"),
        _ => name.to_owned(),
    }
}

fn service_of(route: &Route) -> Option<&ServiceKey> {
    match &route.cluster.as_ref()?.upstream.members {
        Members::Service(service) => Some(service),
        Members::Nodes(_) => None,
    }
}

#[cfg(test)]
mod tests;
