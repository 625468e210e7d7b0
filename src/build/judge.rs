//! What proxies say of snapshots, followed to routes and resources: rolled back, withdrawn, let out again.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::Builder;
use crate::documents::Route;
use crate::model::{Id, Kind};
use crate::snapshot::{Change, Outcome, Resource, ResourceType};

impl Builder {
    /// The documents that proxies refuse, and why: they keep their last accepted form, or are withdrawn together with the
    /// routes that need them, until they change.
    pub fn refused(&self) -> BTreeMap<String, Arc<str>> {
        let routes = self.routes.refused().iter();
        let routes = routes.map(|(id, error)| (self.culprit(id, error), error.clone()));
        let resources = ResourceType::ALL.into_iter().zip(&self.resources);
        let resources = resources.flat_map(|(resource_type, trial)| {
            let refused = trial.refused().iter();
            refused.map(move |(name, error)| (document_of(resource_type, name), error.clone()))
        });
        routes.chain(resources).collect()
    }

    /// Those of them of which no accepted form is known.
    pub fn withdrawn(&self) -> Vec<String> {
        let routes = self.routes.refused().iter();
        let routes = routes.filter(|(id, _)| self.routes.placed(id).is_none());
        let resources = ResourceType::ALL.into_iter().zip(&self.resources);
        let resources = resources.flat_map(|(resource_type, trial)| {
            let names = trial.refused().keys();
            let names = names.filter(|name| trial.placed(name).is_none());
            names.map(move |name| document_of(resource_type, name))
        });
        let routes = routes.map(|(id, error)| self.culprit(id, error));
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
                if resource_type == ResourceType::Cluster {
                    self.withdraw_routes(&verdict.refused, error);
                    self.dirty.listeners |= self.are_for_listeners(&verdict.refused);
                    for name in &verdict.refused {
                        self.refuse_nodes(name, error);
                    }
                }
                verdict.touched
            }
        };
        // Listeners ask for no secret that is not there.
        self.dirty.listeners |= resource_type == ResourceType::Secret && !touched.is_empty();
        let placed = touched.into_iter().map(|name| (resource_type, name));
        self.dirty.placed.extend(placed);
    }

    /// Rolls the nodes of a refused cluster back with it, as one document holds both.
    fn refuse_nodes(&mut self, cluster: &Arc<str>, error: &Arc<str>) {
        const NODES: ResourceType = ResourceType::LoadAssignment;
        let next = self.current.sequence + 1;
        let trial = &mut self.resources[NODES.index()];
        if trial.wanted(cluster).is_some() {
            let touched = trial.refuse(vec![cluster.clone()], error, next).touched;
            self.dirty
                .placed
                .extend(touched.into_iter().map(|name| (NODES, name)));
        }
    }

    /// Takes routes back whose cluster is one of these, refused, and has no accepted form. Looks at each route once, however
    /// many clusters there are.
    fn withdraw_routes(&mut self, refused: &[Arc<str>], error: &Arc<str>) {
        let trial = &self.resources[ResourceType::Cluster.index()];
        let gone = refused.iter().filter(|name| trial.placed(name).is_none());
        let gone: HashSet<&Arc<str>> = gone.collect();
        if gone.is_empty() {
            return;
        }
        let uses = |route: &Route| route.clusters().any(|one| gone.contains(&one.name));
        let users = self.placed.iter().filter(|(_, route)| uses(route));
        let users: Vec<Id> = users.map(|(id, _)| id.clone()).collect();
        let next = self.current.sequence + 1;
        for id in &self.routes.refuse(users, error, next).touched {
            self.follow(id);
        }
    }

    /// What of the wanted changes is to be in force, and what else is to be since proxies spoke.
    pub(super) fn on_trial(
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
                if resource_type == ResourceType::Cluster {
                    let nodes = &mut self.resources[ResourceType::LoadAssignment.index()];
                    if nodes.release(&name, next) {
                        changes.push((ResourceType::LoadAssignment, name.clone()));
                    }
                }
            }
            changes.push((resource_type, name));
        }
        changes.extend(placed);
        let in_force = changes.into_iter().filter_map(|(resource_type, name)| {
            let trial = &self.resources[resource_type.index()];
            let resource = trial.placed(&name).cloned();
            // What others name is never withdrawn: proxies keep what they have of it, and would wait for it without.
            let stays = resource_type.is_secret() && trial.wanted(&name).is_some();
            (resource.is_some() || !stays).then_some(Change {
                resource_type,
                name,
                resource,
            })
        });
        in_force.collect()
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
        // What a plugin adds is named after its document as well: `route/echo/traffic-split/0`.
        (_, Some((kind, rest))) if Kind::ALL.iter().any(|one| one.singular() == kind) => {
            let id = rest.split('/').next().unwrap_or(rest);
            format!("{kind}s/{id}")
        }
        _ => name.to_owned(),
    }
}
