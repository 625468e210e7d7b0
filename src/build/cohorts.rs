//! One gateway's builders: one for each cohort of its proxies, so that what some of them refuse or cannot do is their own
//! matter. All share what they have in common.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Acceptance, Builder, Extensions, Inputs, Instances, Refusal, Sent};
use crate::cohort::{Cohort, Envoy};
use crate::documents::Route;
use crate::model::drain::Touched;
use crate::model::{Document, Gateway, Id, ServiceKey};
use crate::snapshot::{Outcome, Snapshot, Tallies};

/// The builders of one gateway. There is always one: as long as no proxy has come, it is for nobody yet.
#[derive(Debug)]
pub struct Cohorts {
    gateway: Id,
    builders: Vec<Builder>,
    extensions: Arc<Extensions>,
    /// Who is there, or was a moment ago, by `node.id`.
    nodes: BTreeMap<Cohort, BTreeSet<Arc<str>>>,
    /// The newest snapshot of all builders that are gone.
    gone: u64,
}

/// A snapshot to be published, and what is different in it.
pub type Next = (Arc<Snapshot>, Tallies);

/// What a proxy that came or went makes different.
#[derive(Debug, Default)]
pub struct Moved {
    /// What was for nobody, or for others, is for these.
    pub adopted: Option<Arc<Snapshot>>,
    /// Cohorts that are not served any longer.
    pub gone: Vec<Option<Cohort>>,
}

impl Cohorts {
    /// The builders of a gateway that does not exist yet.
    pub fn new(gateway: &Id, extensions: &Arc<Extensions>) -> Self {
        let mut cohorts = Self {
            gateway: gateway.clone(),
            builders: vec![Builder::new(gateway, None)],
            extensions: extensions.clone(),
            nodes: BTreeMap::new(),
            gone: 0,
        };
        cohorts.handle_consumers(extensions);
        cohorts
    }

    /// The builder whose proxies are the most: what people are shown when they do not ask for another cohort.
    pub fn main(&self) -> Option<&Builder> {
        let count = |builder: &&Builder| {
            let nodes = builder.cohort().and_then(|cohort| self.nodes.get(cohort));
            nodes.map_or(0, BTreeSet::len)
        };
        self.builders.iter().max_by_key(count)
    }

    /// Each cohort's builder.
    pub fn iter(&self) -> impl Iterator<Item = &Builder> {
        self.builders.iter()
    }

    /// Whether the gateway exists.
    pub fn exists(&self) -> bool {
        self.builders.iter().any(Builder::exists)
    }

    /// Whether no document speaks of the gateway, and no proxy.
    pub fn are_idle(&self) -> bool {
        let is_spoken_of = |builder: &Builder| builder.exists() || builder.has_routes();
        self.nodes.is_empty() && !self.builders.iter().any(is_spoken_of)
    }

    pub fn handle_gateway(&mut self, gateway: Option<&Arc<Gateway>>, instances: &Instances) {
        for builder in &mut self.builders {
            builder.handle_gateway(gateway.cloned(), instances);
        }
    }

    pub fn handle_route(&mut self, id: &Id, route: Option<&Arc<Route>>, instances: &Instances) {
        for builder in &mut self.builders {
            builder.handle_route(id, route.cloned(), instances);
        }
    }

    pub fn handle_consumers(&mut self, extensions: &Arc<Extensions>) {
        self.extensions = extensions.clone();
        for builder in &mut self.builders {
            builder.handle_consumers(extensions);
        }
    }

    /// Tells whether the gateway has anything to do with the service.
    pub fn handle_answer(&mut self, service: &ServiceKey, instances: &Instances) -> bool {
        self.any(|builder| builder.handle_answer(service, instances))
    }

    /// Tells whether the gateway has anything to do with them.
    pub fn handle_drained(&mut self, touched: &Touched) -> bool {
        self.any(|builder| builder.handle_drained(touched))
    }

    /// A proxy came: a cohort without a builder gets one.
    pub fn handle_came(
        &mut self,
        cohort: &Cohort,
        node: &Arc<str>,
        instances: &Instances,
    ) -> Moved {
        self.nodes
            .entry(cohort.clone())
            .or_default()
            .insert(node.clone());
        let was_for_nobody = self.has_for_nobody();
        let adopted = self.build_for(cohort, instances);
        let is_adopted = was_for_nobody && !self.has_for_nobody();
        let gone = is_adopted.then_some(None).into_iter();
        Moved {
            adopted,
            gone: gone.chain(self.drop_unused()).collect(),
        }
    }

    fn has_for_nobody(&self) -> bool {
        self.builders.iter().any(|one| one.cohort().is_none())
    }

    /// A builder for a cohort that has none. Tells what was for nobody and is for it now.
    fn build_for(&mut self, cohort: &Cohort, instances: &Instances) -> Option<Arc<Snapshot>> {
        if self.find_mut(cohort).is_some() {
            return None;
        }
        let unused = |builder: &&mut Builder| builder.cohort().is_none();
        // What is for nobody yet is for the newest Envoy.
        if cohort.serves_as() == Envoy::NEWEST
            && let Some(builder) = self.builders.iter_mut().find(unused)
        {
            let snapshot = builder.adopt(cohort.clone());
            let is_published = builder.exists() && snapshot.sequence > 0;
            return is_published.then_some(snapshot);
        }
        if let Some(like) = self.builders.first() {
            let mut fork = like.fork(&self.gateway, cohort.clone(), self.gone, instances);
            fork.handle_consumers(&self.extensions);
            self.builders.push(fork);
        }
        None
    }

    /// A proxy is gone for good. Tells whether anything may be different now.
    pub fn handle_left(&mut self, cohort: &Cohort, node: &str) -> Moved {
        if let Some(nodes) = self.nodes.get_mut(cohort) {
            nodes.remove(node);
            if nodes.is_empty() {
                self.nodes.remove(cohort);
            }
        }
        if let Some(builder) = self.find_mut(cohort) {
            builder.handle_left(node);
        }
        Moved {
            adopted: None,
            gone: self.drop_unused(),
        }
    }

    /// A proxy of a cohort said something of its snapshot.
    pub fn handle_outcome(&mut self, cohort: &Cohort, outcome: &Outcome) {
        if let Some(builder) = self.find_mut(cohort) {
            builder.handle_outcome(outcome);
        }
    }

    /// Tries a document again that proxies refuse. Tells whether any did.
    pub fn release(&mut self, document: &str) -> bool {
        self.any(|builder| builder.release(document))
    }

    /// The next snapshot of each cohort that has one.
    pub fn next(&mut self, inputs: &Inputs<'_>) -> Vec<Next> {
        let mut all = Vec::new();
        let mut first: Option<Snapshot> = None;
        for builder in &mut self.builders {
            all.extend(builder.next(inputs, first.as_ref()));
            first.get_or_insert_with(|| builder.current().clone());
        }
        all
    }

    /// What the proxies of each cohort have accepted.
    pub fn acceptances(&self) -> impl Iterator<Item = Acceptance> {
        self.builders.iter().filter_map(|builder| {
            let nodes = self.nodes.get(builder.cohort()?);
            builder.acceptance(&self.gateway, nodes.cloned().unwrap_or_default())
        })
    }

    /// Takes what the proxies of a cohort had accepted in an earlier process: they are taken to be there still. `remade` makes a route of
    /// the texts that it was made of.
    pub fn restore(
        &mut self,
        known: &Acceptance,
        remade: impl Fn(&Id, Vec<Document>) -> Option<Arc<Route>>,
        inputs: &Inputs<'_>,
    ) {
        let cohort = &known.cohort;
        self.build_for(cohort, inputs.instances);
        if !known.nodes.is_empty() {
            self.nodes.insert(cohort.clone(), known.nodes.clone());
        }
        let other = self.builders.first().map(|first| first.current().clone());
        if let Some(builder) = self.find_mut(cohort) {
            builder.restore(known, remade, inputs, other.as_ref());
        }
    }

    /// What proxies refuse: by document, the cohort, the resource and the refusal.
    pub fn refused(&self) -> impl Iterator<Item = (String, Held)> {
        self.builders.iter().flat_map(move |builder| {
            let cohort = builder.cohort();
            let refused = builder.refused().into_iter();
            let refused = refused.flat_map(|(document, all)| {
                all.into_iter().map(move |one| (document.clone(), one))
            });
            refused.map(move |(document, (resource, refusal))| {
                let held = Held {
                    sent: builder.sent(&resource, &refusal).cloned(),
                    gateway: self.gateway.clone(),
                    cohort: cohort.cloned(),
                    resource,
                    refusal,
                };
                (document, held)
            })
        })
    }

    /// The routes that some proxies cannot serve, which of these, and why. Whoever may be any client makes no document less
    /// than in force.
    pub fn unable(&self) -> impl Iterator<Item = (&Id, String)> {
        let own = self.builders.iter().filter_map(|builder| {
            let cohort = builder.cohort().filter(|cohort| !cohort.is_foreign())?;
            Some((cohort, builder))
        });
        own.flat_map(move |(cohort, builder)| {
            let unable = builder.unable();
            unable.map(move |(id, reason)| {
                let gateway = &self.gateway;
                let said = format!("not served in gateway {gateway} by {cohort}: {reason}");
                (id, said)
            })
        })
    }

    fn find_mut(&mut self, cohort: &Cohort) -> Option<&mut Builder> {
        let mut builders = self.builders.iter_mut();
        builders.find(|builder| builder.cohort() == Some(cohort))
    }

    fn any(&mut self, mut concerns: impl FnMut(&mut Builder) -> bool) -> bool {
        let mut any = false;
        for builder in &mut self.builders {
            any |= concerns(builder);
        }
        any
    }

    /// Cohorts without proxies are not kept, but for the last: it remembers what was accepted.
    fn drop_unused(&mut self) -> Vec<Option<Cohort>> {
        let mut gone = Vec::new();
        while self.builders.len() > 1
            && let Some(at) = self.builders.iter().position(|builder| {
                let cohort = builder.cohort();
                cohort.is_none_or(|cohort| !self.nodes.contains_key(cohort))
            })
        {
            let builder = self.builders.remove(at);
            self.gone = self.gone.max(builder.current().sequence);
            gone.push(builder.cohort().cloned());
        }
        gone
    }
}

/// What of a document some proxies refuse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    pub gateway: Id,
    pub cohort: Option<Cohort>,
    /// Of which type it is, and its name.
    pub resource: String,
    /// What is refused; nothing for a route, which is no resource by itself, nor for what an earlier process was told.
    pub sent: Option<Sent>,
    pub refusal: Refusal,
}
