//! Derives one gateway's snapshots from the model and the instances: what changed is translated, the rest is kept.
//!
//! The one place where the model and the snapshot meet. Pure: told of changes, asked for the next snapshot.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::documents::Route;
use crate::model::{Consumers, Drains, Gateway, Id, Instance, ServiceKey};
use crate::snapshot::{Outcome, ResourceType, Snapshot, Tallies};
use crate::translate;

mod derive;
mod edge;
mod judge;
mod named;
mod routes;
pub(crate) mod trial;
mod uses;
mod waiting;

use edge::Edge;
use judge::{Trials, document_of, mentions};
use named::Named;
use routes::Routes;
use uses::Uses;

/// The instances of every service that has answered. A service that is not in it is unknown, not empty.
pub type Instances = HashMap<ServiceKey, Arc<[Instance]>>;

/// Derives one gateway's snapshots.
#[derive(Debug)]
pub struct Builder {
    edge: Edge,
    routes: Routes,
    /// What routes and the edge send traffic to.
    uses: Uses,
    /// What listeners and clusters name.
    named: Named,
    /// What proxies say of all that but the route table.
    trials: Trials,
    /// All of them, where they are others than in the last snapshot.
    consumers: Option<Arc<Consumers>>,
    current: Snapshot,
}

impl Builder {
    /// A builder for the gateway of that name, which does not exist yet.
    pub fn new(gateway: &Id) -> Self {
        let name: Arc<str> = gateway.to_string().into();
        let mut builder = Self {
            edge: Edge::default(),
            routes: Routes::new(&name),
            uses: Uses::default(),
            named: Named::default(),
            trials: Trials::default(),
            consumers: None,
            current: Snapshot::empty(name),
        };
        builder.handle_consumers(&Arc::default());
        builder
    }

    /// Whether the gateway exists: one that does not is not served, so that its proxies wait.
    pub fn exists(&self) -> bool {
        self.edge.exists()
    }

    /// The routes that wait for the first answer of their service, and it.
    pub fn waiting(&self) -> impl Iterator<Item = (&Id, &ServiceKey)> {
        self.routes.waiting()
    }

    /// The routes in the table, in no order.
    pub fn routes(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.routes.placed().values()
    }

    /// The route of this id in the table.
    pub fn route(&self, id: &Id) -> Option<&Arc<Route>> {
        self.routes.placed().get(id)
    }

    /// The documents that proxies refuse, and why: they keep their last accepted form, or are withdrawn together with the
    /// routes that need them, until they change.
    pub fn refused(&self) -> BTreeMap<String, Arc<str>> {
        let routes = self
            .routes
            .refused()
            .map(|(id, error)| (self.culprit(id, error), error.clone()));
        let resources = self
            .trials
            .refused()
            .map(|(of, name, error)| (document_of(of, name), error.clone()));
        routes.chain(resources).collect()
    }

    /// Those of them of which no accepted form is known.
    pub fn withdrawn(&self) -> Vec<String> {
        let routes = self
            .routes
            .refused()
            .filter(|(id, _)| !self.routes.is_placed(id))
            .map(|(id, error)| self.culprit(id, error));
        let resources = self
            .trials
            .refused()
            .filter(|(of, name, _)| !self.trials.is_placed(*of, name))
            .map(|(of, name, _)| document_of(of, name));
        routes.chain(resources).collect()
    }

    /// The document behind the refusal of a route: its own, or that of the cluster which the error is about.
    fn culprit(&self, id: &Id, error: &str) -> String {
        let wanted = self.routes.wanted(id);
        let mut clusters = wanted.into_iter().flat_map(|route| route.clusters());
        match clusters.find(|cluster| mentions(error, &cluster.name)) {
            Some(cluster) => document_of(ResourceType::Cluster, &cluster.name),
            None => format!("routes/{id}"),
        }
    }

    /// The gateway's document came, changed or went, or one of its ssls or stream routes did.
    pub fn handle_gateway(&mut self, gateway: Option<Arc<Gateway>>, instances: &Instances) {
        if self.edge.exists() != gateway.is_some() {
            self.routes.touch();
        }
        let (uses, named) = (&mut self.uses, &mut self.named);
        self.edge.handle_gateway(gateway, instances, uses, named);
    }

    /// A route came, changed or went (or left this gateway).
    pub fn handle_route(&mut self, id: &Id, route: Option<Arc<Route>>, instances: &Instances) {
        let (next, uses) = (self.next_sequence(), &mut self.uses);
        self.routes.handle_route(id, route, instances, next, uses);
    }

    /// Consumers came, changed or went. What listeners name of them is there from the beginning.
    pub fn handle_consumers(&mut self, consumers: &Arc<Consumers>) {
        self.consumers = Some(consumers.clone());
    }

    /// Translated once a snapshot, however often they change: it costs as many as there are.
    fn follow_consumers(&mut self) {
        let Some(consumers) = self.consumers.take() else {
            return;
        };
        for config in translate::consumers(&consumers) {
            let name = config.name.as_str().into();
            self.named
                .want(ResourceType::ExtensionConfig, &name, &config);
        }
    }

    /// A service answered. Routes that waited for it are placed. Tells whether the gateway has anything to do with it.
    pub fn handle_answer(&mut self, service: &ServiceKey, instances: &Instances) -> bool {
        let (next, uses) = (self.next_sequence(), &mut self.uses);
        let assigned = uses.handle_answer(service);
        let edge = self.edge.handle_answer(service, instances, uses);
        let routes = self.routes.handle_answer(service, instances, next, uses);
        assigned || edge || routes
    }

    /// Instances of a service, wherever it is asked for, were taken out or put back. Tells whether the gateway has anything
    /// to do with it.
    pub fn handle_drained(&mut self, service: &ServiceKey) -> bool {
        self.uses.handle_drained(service)
    }

    /// A proxy accepted or refused a snapshot: what it refused is rolled back with the next one.
    pub fn handle_outcome(&mut self, outcome: &Outcome) {
        let (next, uses) = (self.next_sequence(), &mut self.uses);
        if outcome.resource_type == ResourceType::RouteConfiguration {
            return self.routes.handle_outcome(outcome, next, uses);
        }
        let verdict = self.trials.handle_outcome(outcome, next);
        if outcome.resource_type == ResourceType::Cluster
            && let Some(error) = &outcome.error
        {
            let is_gone = |name: &&Arc<str>| !self.trials.is_placed(ResourceType::Cluster, name);
            let gone: HashSet<_> = verdict.refused.iter().filter(is_gone).collect();
            self.routes.withdraw(&gone, error, next, uses);
            if self.edge.names_any(&verdict.refused) {
                self.edge.touch();
            }
            self.trials.refuse_nodes(&verdict.refused, error, next);
        }
        // Listeners ask for no secret that is not there.
        if outcome.resource_type == ResourceType::Secret && !verdict.touched.is_empty() {
            self.edge.touch();
        }
    }

    /// The next snapshot, or nothing when all content is as before.
    pub fn next(
        &mut self,
        revision: i64,
        instances: &Instances,
        drains: &Drains,
    ) -> Option<(Arc<Snapshot>, Tallies)> {
        let (before, next) = (self.current.revision, self.next_sequence());
        let mut changes = Vec::new();
        for name in self.uses.take_clusters() {
            self.next_cluster(name, &mut changes);
        }
        for name in self.uses.take_assignments() {
            self.next_assignment(name, instances, drains, &mut changes);
        }
        self.follow_consumers();
        self.named.next(&mut changes);
        let mut changes = self.trials.place(changes, before, next);
        if self.edge.take_dirty() {
            // Now it is known which clusters there are.
            let listeners = self.next_listeners();
            changes.extend(self.trials.place(listeners, before, next));
        }
        let gone = self.named.leave(&self.current, &changes);
        changes.extend(self.trials.place(gone, before, next));
        if self.routes.take_dirty() {
            changes.push(self.next_table());
        }
        let (snapshot, tallies) = self.current.next(changes, revision);
        if tallies == Tallies::default() {
            return None;
        }
        self.current = snapshot;
        Some((Arc::new(self.current.clone()), tallies))
    }

    fn next_sequence(&self) -> u64 {
        self.current.sequence + 1
    }
}

#[cfg(test)]
mod tests;
