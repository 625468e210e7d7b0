//! Derives one gateway's snapshots from the model and the instances: what changed is translated, the rest is kept.
//!
//! The one place where the model and the snapshot meet. Pure: told of changes, asked for the next snapshot.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::cohort::{Cohort, Envoy};
use crate::documents::Route;
use crate::model::drain::Touched;
use crate::model::{Drains, Gateway, Id, Instance, ServiceKey};
use crate::snapshot::{
    Accepted, Change, Outcome, Refused, Resource, ResourceType, Snapshot, Tallies,
};
use crate::translate;

mod acceptance;
mod asked;
mod cohorts;
mod derive;
mod edge;
mod extensions;
mod judge;
mod named;
mod routes;
mod size;
pub(crate) mod trial;
mod uses;
mod waiting;

pub use acceptance::{Acceptance, Unproven};
pub use cohorts::{Cohorts, Held, Moved, Next};
use edge::Edge;
pub use extensions::Extensions;
use judge::{Trials, document_of, mentions};
use named::Named;
use routes::Routes;
pub use size::largest_table;
pub use trial::Refusal;
use uses::Uses;

/// The instances of every service that has answered. A service that is not in it is unknown, not empty.
pub type Instances = HashMap<ServiceKey, Arc<[Instance]>>;

/// What a snapshot is derived from, beside what its builder was told.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// The store's revision.
    pub revision: i64,
    pub instances: &'a Instances,
    pub drains: &'a Drains,
}

/// A resource that proxies refused.
pub type Sent = (ResourceType, Arc<str>, Arc<Resource>);

/// How many of these are kept.
const SENT: usize = 100;

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
    /// What they refused last, as it was sent: it may not be wanted any more, as what needs it is withdrawn.
    refused: Vec<Sent>,
    /// What all consumers become, where they are others than in the last snapshot.
    extensions: Option<Arc<Extensions>>,
    current: Snapshot,
    /// What of it is new since it was asked for.
    untold: Tallies,
}

impl Builder {
    /// A builder for proxies of the gateway of that name, which does not exist yet.
    pub fn new(gateway: &Id, cohort: Option<Cohort>) -> Self {
        let name: Arc<str> = gateway.to_string().into();
        let envoy = cohort.as_ref().map_or(Envoy::NEWEST, Cohort::serves_as);
        let mut builder = Self {
            edge: Edge::default(),
            routes: Routes::new(&name, envoy),
            uses: Uses::default(),
            named: Named::default(),
            trials: Trials::default(),
            refused: Vec::new(),
            extensions: None,
            current: Snapshot::empty(name),
            untold: Tallies::default(),
        };
        builder.current.cohort = cohort;
        builder.handle_consumers(&Arc::default());
        builder
    }

    /// The same for other proxies, of whom nothing is known: everything as it is wanted. Its snapshots come after `sequence`,
    /// and know nothing of that one: a stream may have it from a builder that the cohort had before.
    pub fn fork(&self, gateway: &Id, cohort: Cohort, sequence: u64, instances: &Instances) -> Self {
        let mut fork = Self::new(gateway, Some(cohort));
        fork.current.sequence = sequence + 1;
        fork.handle_gateway(self.edge.gateway().cloned(), instances);
        for (id, route) in self.routes.all_wanted() {
            fork.handle_route(id, Some(route.clone()), instances);
        }
        fork
    }

    /// Which proxies it is for.
    pub fn cohort(&self) -> Option<&Cohort> {
        self.current.cohort.as_ref()
    }

    /// It is for these from now on: what was for nobody yet. Tells what they have with that.
    pub fn adopt(&mut self, cohort: Cohort) -> Arc<Snapshot> {
        self.current.cohort = Some(cohort);
        Arc::new(self.current.clone())
    }

    /// What is written of the gateway, if it exists.
    pub fn gateway(&self) -> Option<&Arc<Gateway>> {
        self.edge.gateway()
    }

    /// The newest snapshot.
    pub fn current(&self) -> &Snapshot {
        &self.current
    }

    /// Whether the gateway exists: one that does not is not served, so that its proxies wait.
    pub fn exists(&self) -> bool {
        self.edge.exists()
    }

    /// Whether any route is wanted in it.
    pub fn has_routes(&self) -> bool {
        self.routes.all_wanted().next().is_some()
    }

    /// The routes that wait for the first answer of their service, and it.
    pub fn waiting(&self) -> impl Iterator<Item = (&Id, &ServiceKey)> {
        self.routes.waiting()
    }

    /// The routes that its proxies cannot serve, and why: these are not in the table.
    pub fn unable(&self) -> impl Iterator<Item = (&Id, &str)> {
        self.routes.unable()
    }

    /// The documents' routes in the table, in no order.
    pub fn routes(&self) -> impl Iterator<Item = &Arc<Route>> {
        let placed = self.routes.placed().values();
        placed.filter(|route| !route.id.is_no_route())
    }

    /// The route of this id in the table.
    pub fn route(&self, id: &Id) -> Option<&Arc<Route>> {
        self.routes.placed().get(id)
    }

    /// The documents that proxies refuse, what of them, and by whom: they keep their last accepted form, or are withdrawn
    /// together with the routes that need them.
    pub fn refused(&self) -> BTreeMap<String, Vec<(String, Refusal)>> {
        let routes = self.routes.refused();
        let routes = routes.map(|(id, refusal)| {
            let document = self.culprit(id, &refusal.error);
            (document, (format!("route/{id}"), refusal.clone()))
        });
        let resources = self.trials.refused();
        let resources = resources.map(|(of, name, refusal)| {
            let resource = format!("{} {name}", of.as_str());
            (document_of(of, name), (resource, refusal.clone()))
        });
        let mut refused: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for (document, one) in routes.chain(resources) {
            refused.entry(document).or_default().push(one);
        }
        for all in refused.values_mut() {
            // What only needs what is refused says no more.
            if all.iter().any(|(_, refusal)| refusal.own) {
                all.retain(|(_, refusal)| refusal.own);
            } else {
                all.truncate(1);
            }
        }
        refused
    }

    /// What of a thing proxies refuse, as it was sent: `clusters route/a`; or what it needs, which they name.
    pub fn sent(&self, thing: &str, refusal: &Refusal) -> Option<&Sent> {
        let named = |(of, name, _): &&Sent| match thing.split_once(' ') {
            Some((kind, own)) => of.as_str() == kind && **name == *own,
            None => !refusal.own && mentions(&refusal.error, name),
        };
        self.refused.iter().rev().find(named)
    }

    /// Those of them of which no accepted form is known.
    pub fn withdrawn(&self) -> Vec<String> {
        let routes = self.routes.refused();
        let routes = routes.filter(|(id, _)| !self.routes.is_placed(id));
        let routes = routes.map(|(id, refusal)| self.culprit(id, &refusal.error));
        let resources = self.trials.refused();
        let resources = resources.filter(|(of, name, _)| !self.trials.is_placed(*of, name));
        let resources = resources.map(|(of, name, _)| document_of(of, name));
        routes.chain(resources).collect()
    }

    /// Whether what becomes of a document is in force, and no proxy refuses it.
    pub fn has_in_force(&self, document: &str) -> bool {
        match document.strip_prefix("routes/").map(str::parse::<Id>) {
            Some(Ok(id)) => {
                self.routes.is_placed(&id) && !self.routes.refused().any(|(one, _)| *one == id)
            }
            _ => self.trials.have_in_force(document),
        }
    }

    /// The document behind the refusal of a route: its own, or that of the cluster which the error is about.
    fn culprit(&self, id: &Id, error: &str) -> String {
        let wanted = self.routes.wanted(id);
        let mut rules = wanted
            .into_iter()
            .flat_map(|route| route.sources.rules.iter());
        if id.is_no_route()
            && let Some(rule) = rules.next()
        {
            return rule.path.to_string();
        }
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
        self.edge
            .handle_gateway(gateway, instances, uses, named, &self.trials);
    }

    /// A route came, changed or went (or left this gateway).
    pub fn handle_route(&mut self, id: &Id, route: Option<Arc<Route>>, instances: &Instances) {
        let (next, uses) = (self.next_sequence(), &mut self.uses);
        self.routes.handle_route(id, route, instances, next, uses);
    }

    /// Consumers came, changed or went. What listeners name of them is there from the beginning.
    pub fn handle_consumers(&mut self, extensions: &Arc<Extensions>) {
        self.extensions = Some(extensions.clone());
    }

    /// Translated once a snapshot, however often they change: it costs as many as there are.
    fn follow_consumers(&mut self) {
        let Some(extensions) = self.extensions.take() else {
            return;
        };
        for (name, resource) in extensions.iter() {
            let child = (ResourceType::ExtensionConfig, name.into());
            self.named.want_resource(child, resource.clone());
        }
    }

    /// Filters are told what routes ask of them ahead of the routes.
    fn follow_asked(&mut self) {
        let all = self.routes.asked();
        for filter in all.news() {
            let config = translate::asked(filter, all.of(filter));
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

    /// Instances of services, wherever these are asked for, or nodes were taken out or put back. Tells whether the gateway has
    /// anything to do with them.
    pub fn handle_drained(&mut self, touched: &Touched) -> bool {
        self.uses.handle_drained(touched)
    }

    /// A proxy accepted or refused a snapshot: what it refused is rolled back with the next one. Whoever may be any client takes
    /// nothing from others.
    pub fn handle_outcome(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Accepted(accepted) => self.handle_accepted(accepted),
            Outcome::Refused(_) if self.cohort().is_some_and(Cohort::is_foreign) => {}
            Outcome::Refused(refused) => self.handle_refused(refused),
        }
    }

    fn handle_accepted(&mut self, accepted: &Accepted) {
        let (next, uses) = (self.next_sequence(), &mut self.uses);
        if accepted.resource_type == ResourceType::RouteConfiguration {
            return self.routes.handle_accepted(accepted, next, uses);
        }
        let back = self.trials.handle_accepted(accepted, next);
        if accepted.resource_type == ResourceType::Cluster && !back.is_empty() {
            self.routes.restore(&back.iter().collect(), next, uses);
        }
        if !back.is_empty() {
            self.follow_types([accepted.resource_type]);
        }
    }

    fn handle_refused(&mut self, refused: &Refused) {
        let next = self.next_sequence();
        if refused.resource_type == ResourceType::RouteConfiguration {
            let uses = &mut self.uses;
            return self.routes.handle_refused(refused, next, uses);
        }
        let verdict = self.trials.handle_refused(refused, next);
        self.keep_refused(refused.resource_type, &verdict.refused);
        if refused.resource_type == ResourceType::Cluster {
            let refusal = Refusal::from(refused);
            let is_gone = |name: &&Arc<str>| !self.trials.is_placed(ResourceType::Cluster, name);
            let gone: HashSet<_> = verdict.refused.iter().filter(is_gone).collect();
            let uses = &mut self.uses;
            self.routes.withdraw(&gone, &refusal, next, uses);
            if self.edge.names_any(&verdict.refused) {
                self.edge.touch();
            }
            self.trials.refuse_nodes(&verdict.refused, &refusal, next);
        } else if !verdict.touched.is_empty() {
            self.follow_types([refused.resource_type]);
        }
    }

    fn keep_refused(&mut self, of: ResourceType, names: &[Arc<str>]) {
        for name in names {
            if let Some(resource) = self.trials.wanted(of, name) {
                let resource = resource.clone();
                self.refused
                    .retain(|(one, other, _)| (*one, other) != (of, name));
                self.refused.push((of, name.clone(), resource));
            }
        }
        let old = self.refused.len().saturating_sub(SENT);
        self.refused.drain(..old);
    }

    /// A proxy is gone for good: what nobody refuses any more is tried again.
    pub fn handle_left(&mut self, node: &str) {
        let (next, uses) = (self.next_sequence(), &mut self.uses);
        self.routes.handle_left(node, next, uses);
        let types = self.trials.handle_left(node, next);
        self.follow_types(types);
    }

    /// Tries a document again that proxies refuse. Tells whether they did.
    pub fn release(&mut self, document: &str) -> bool {
        let next = self.next_sequence();
        let theirs = self.routes.refused();
        let theirs = theirs.filter(|(id, refusal)| self.culprit(id, &refusal.error) == document);
        let theirs: Vec<Id> = theirs.map(|(id, _)| id.clone()).collect();
        for id in &theirs {
            self.routes.release(id, next, &mut self.uses);
        }
        let types = self.trials.release(document, next);
        let released = !theirs.is_empty() || !types.is_empty();
        self.follow_types(types);
        released
    }

    /// Resources of these types have other forms in force: listeners ask for no secret and no cluster that is not there.
    fn follow_types(&mut self, types: impl IntoIterator<Item = ResourceType>) {
        const NAMED: [ResourceType; 2] = [ResourceType::Cluster, ResourceType::Secret];
        if types.into_iter().any(|one| NAMED.contains(&one)) {
            self.edge.touch();
        }
    }

    /// The next snapshot, or nothing when all content is as before. What `other` has in the same form is shared with it.
    pub fn next(
        &mut self,
        inputs: &Inputs<'_>,
        other: Option<&Snapshot>,
    ) -> Option<(Arc<Snapshot>, Tallies)> {
        self.advance(inputs, other);
        let tallies = std::mem::take(&mut self.untold);
        let is_other = tallies != Tallies::default();
        is_other.then(|| (Arc::new(self.current.clone()), tallies))
    }

    fn advance(&mut self, inputs: &Inputs<'_>, other: Option<&Snapshot>) {
        let Inputs {
            revision,
            instances,
            drains,
        } = *inputs;
        let (before, next) = (self.current.revision, self.next_sequence());
        let mut changes = Vec::new();
        for name in self.uses.take_clusters() {
            self.next_cluster(name, drains, &mut changes);
        }
        for name in self.uses.take_assignments() {
            self.next_assignment(name, instances, drains, &mut changes);
        }
        self.follow_consumers();
        self.follow_asked();
        self.named.next(&mut changes);
        let share = |changes: &mut Vec<Change>| {
            if let Some(other) = other {
                other.share(changes);
            }
        };
        share(&mut changes);
        let mut changes = self.trials.place(changes, before, next);
        if let Some(gateway) = self.edge.gateway()
            && self.routes.settle(gateway.http.route_tables)
        {
            self.edge.touch();
        }
        if self.edge.take_dirty() {
            // Now it is known which clusters there are.
            let mut listeners = self.next_listeners();
            share(&mut listeners);
            changes.extend(self.trials.place(listeners, before, next));
        }
        let gone = self.named.leave(&self.current, &changes);
        changes.extend(self.trials.place(gone, before, next));
        let mut tables = self.next_tables();
        share(&mut tables);
        changes.append(&mut tables);
        let (snapshot, tallies) = self.current.next(changes, revision);
        if tallies != Tallies::default() {
            self.current = snapshot;
        }
        self.routes.handle_snapshot(self.current.sequence);
        self.trials.handle_snapshot(self.current.sequence);
        for (untold, tally) in self.untold.iter_mut().zip(tallies) {
            *untold = untold.and(tally);
        }
    }

    fn next_sequence(&self) -> u64 {
        self.current.sequence + 1
    }
}

#[cfg(test)]
mod tests;
