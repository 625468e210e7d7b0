//! Derives one gateway's snapshots from the model and the instances: what changed is translated, the rest is kept.
//!
//! The one place where the model and the snapshot meet. Pure: told of changes, asked for the next snapshot.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::documents::Route;
use crate::model::{
    Cluster, Consumers, Drains, Gateway, Id, Instance, Members, ServiceKey, StreamRoute,
};
use crate::snapshot::{Change, Child, Resource, ResourceType, Snapshot, Tallies};
use crate::translate::RouteTable;

mod derive;
mod edge;
mod judge;
mod named;
pub(crate) mod trial;
mod waiting;

use trial::Trial;
use waiting::{Waiting, is_known};

/// The instances of every service that has answered. A service that is not in it is unknown, not empty.
pub type Instances = HashMap<ServiceKey, Arc<[Instance]>>;

/// Derives one gateway's snapshots.
#[derive(Debug)]
pub struct Builder {
    gateway: Option<Arc<Gateway>>,
    /// The cluster that spans go to, once its instances are known: a gateway is not held up by tracing.
    collector: Option<Arc<Cluster>>,
    /// The gateway's stream routes, once their instances are known.
    stream_routes: BTreeMap<Id, Arc<StreamRoute>>,
    table: RouteTable,
    /// Routes, and which of them proxies refuse.
    routes: Trial<Id, Route>,
    /// The routes in the table.
    placed: HashMap<Id, Arc<Route>>,
    waiting: Waiting,
    /// The services whose first answer the gateway's stream routes or its collector wait for.
    awaited: HashSet<ServiceKey>,
    clusters: HashMap<Arc<str>, Used<Arc<Cluster>>>,
    assignments: HashMap<Arc<str>, Used<Members>>,
    /// The load assignments of each service's instances.
    assigned: BTreeMap<ServiceKey, BTreeSet<Arc<str>>>,
    /// Resources of every type but route tables, and which of them proxies refuse.
    resources: [Trial<Arc<str>, Resource>; ResourceType::ALL.len()],
    /// Secrets and extension configs that are not wanted any more and may still be named.
    leaving: HashSet<Child>,
    dirty: Dirty,
    current: Snapshot,
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
    /// Secrets and extension configs, as they are wanted from now on.
    named: BTreeMap<Child, Option<Arc<Resource>>>,
    /// Resources whose wanted form is the same, and whose form in force is another one.
    placed: Vec<(ResourceType, Arc<str>)>,
}

impl Builder {
    /// A builder for the gateway of that name, which does not exist yet.
    pub fn new(gateway: &Id) -> Self {
        let name: Arc<str> = gateway.to_string().into();
        let mut builder = Self {
            gateway: None,
            collector: None,
            stream_routes: BTreeMap::new(),
            table: RouteTable::new(&name),
            routes: Trial::default(),
            placed: HashMap::new(),
            waiting: Waiting::default(),
            awaited: HashSet::new(),
            clusters: HashMap::new(),
            assignments: HashMap::new(),
            assigned: BTreeMap::new(),
            resources: Default::default(),
            leaving: HashSet::new(),
            dirty: Dirty::default(),
            current: Snapshot::empty(name),
        };
        builder.handle_consumers(&Consumers::default());
        builder
    }

    /// Whether the gateway exists: one that does not is not served, so that its proxies wait.
    pub fn exists(&self) -> bool {
        self.gateway.is_some()
    }

    /// The routes that wait for the first answer of their service, and it.
    pub fn waiting(&self) -> impl Iterator<Item = (&Id, &ServiceKey)> {
        self.waiting.iter()
    }

    /// The routes in the table, in no order.
    pub fn routes(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.placed.values()
    }

    /// The route of this id in the table.
    pub fn route(&self, id: &Id) -> Option<&Arc<Route>> {
        self.placed.get(id)
    }

    /// How many routes are in force.
    pub fn placed(&self) -> usize {
        self.placed.len()
    }

    /// The gateway's document came, changed or went, or one of its ssls or stream routes did.
    pub fn handle_gateway(&mut self, gateway: Option<Arc<Gateway>>, instances: &Instances) {
        self.dirty.routes |= self.gateway.is_some() != gateway.is_some();
        self.follow_ssls(gateway.as_ref());
        self.gateway = gateway;
        self.dirty.listeners = true;
        self.follow_edge(instances);
    }

    /// A route came, changed or went (or left this gateway).
    pub fn handle_route(&mut self, id: &Id, route: Option<Arc<Route>>, instances: &Instances) {
        self.waiting.remove(id);
        match route {
            Some(route) if is_known(&route, instances) => self.place(id, Some(route)),
            Some(route) => {
                self.waiting.insert(id, route);
            }
            None => self.place(id, None),
        }
    }

    /// A service answered. Routes that waited for it are placed. Tells whether the gateway has anything to do with it.
    pub fn handle_answer(&mut self, service: &ServiceKey, instances: &Instances) -> bool {
        let assigned = self.assigned.get(service);
        let mut concerned = assigned.is_some();
        let assigned = assigned.into_iter().flatten();
        self.dirty.assignments.extend(assigned.cloned());
        if self.awaited.contains(service) {
            concerned = true;
            self.follow_edge(instances);
        }
        for (id, route) in self.waiting.take(service, instances) {
            concerned = true;
            self.place(&id, Some(route));
        }
        concerned
    }

    /// Instances of a service, wherever it is asked for, were taken out or put back. Tells whether the gateway has anything
    /// to do with it.
    pub fn handle_drained(&mut self, service: &ServiceKey) -> bool {
        let plain = service.plain();
        // Wherever a service is asked for, it comes right behind the one that says nothing but its name.
        let assigned = self.assigned.range(plain.clone()..);
        let assigned = assigned.take_while(|(of, _)| of.plain() == plain);
        let mut concerned = false;
        for (_, names) in assigned {
            concerned = true;
            self.dirty.assignments.extend(names.iter().cloned());
        }
        concerned
    }

    /// The next snapshot, or nothing when all content is as before.
    pub fn next(
        &mut self,
        revision: i64,
        instances: &Instances,
        drains: &Drains,
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
            self.next_assignment(name, instances, drains, &mut changes);
        }
        let named = dirty.named.into_iter();
        let named = named.chain(std::mem::take(&mut self.dirty.named));
        self.next_named(named, &mut changes);
        let mut changes = self.on_trial(changes, dirty.placed);
        if dirty.listeners {
            // Now it is known which clusters there are.
            let listeners = self.next_listeners();
            changes.extend(self.on_trial(listeners, Vec::new()));
        }
        let gone = self.leave(&changes);
        changes.extend(self.on_trial(gone, Vec::new()));
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

    fn place(&mut self, id: &Id, route: Option<Arc<Route>>) {
        let next = self.current.sequence + 1;
        let age = route.as_ref().map_or(0, |route| route.revision);
        self.routes.want(id, route, age, next);
        self.follow(id);
    }

    /// Brings the table and the clusters' use in line with the route's form in force.
    fn follow(&mut self, id: &Id) {
        let route = self.routes.placed(id).cloned();
        let wanted = self.routes.wanted(id).map(Arc::as_ptr);
        let is_newest = wanted == route.as_ref().map(Arc::as_ptr);
        for cluster in route.iter().flat_map(|route| route.clusters()) {
            let before = self.placed.get(id).into_iter();
            let before = before.flat_map(|before| before.clusters());
            let by_itself = before.filter(|before| before.name == cluster.name).count();
            let used = self.clusters.get(&cluster.name);
            let shared = used.is_some_and(|used| used.by > by_itself);
            // A route that is rolled back does not take back an upstream that others share.
            self.retain_cluster(cluster, is_newest || !shared);
        }
        let before = match &route {
            Some(route) => self.placed.insert(id.clone(), route.clone()),
            None => self.placed.remove(id),
        };
        for cluster in before.iter().flat_map(|before| before.clusters()) {
            self.release_cluster(&cluster.name);
        }
        if before.is_some() || route.is_some() {
            self.dirty.routes |= self.table.replace(id, route);
        }
    }
}

#[cfg(test)]
mod tests;
