//! Forms of routes that wait for the first answer of their services, found by service: an answer costs who waits for it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::Instances;
use crate::documents::Route;
use crate::model::{Id, ServiceKey};

/// Forms of routes that wait; a form placed before stays meanwhile.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    routes: HashMap<Id, Arc<Route>>,
    by_service: HashMap<ServiceKey, BTreeSet<Id>>,
}

impl Waiting {
    pub(super) fn insert(&mut self, id: &Id, route: Arc<Route>) {
        for service in awaited(&route) {
            let waiting = self.by_service.entry(service.clone()).or_default();
            waiting.insert(id.clone());
        }
        self.routes.insert(id.clone(), route);
    }

    pub(super) fn remove(&mut self, id: &Id) -> Option<Arc<Route>> {
        let route = self.routes.remove(id)?;
        for service in awaited(&route) {
            if let Some(waiting) = self.by_service.get_mut(service) {
                waiting.remove(id);
                if waiting.is_empty() {
                    self.by_service.remove(service);
                }
            }
        }
        Some(route)
    }

    /// Takes those that waited for nothing but the service.
    pub(super) fn take(
        &mut self,
        service: &ServiceKey,
        instances: &Instances,
    ) -> Vec<(Id, Arc<Route>)> {
        let is_complete = |id: &Id| {
            let route = self.routes.get(id);
            route.is_some_and(|route| is_known(route, instances))
        };
        let waiting = self.by_service.get(service).into_iter().flatten();
        let complete: Vec<Id> = waiting.filter(|id| is_complete(id)).cloned().collect();
        complete
            .into_iter()
            .filter_map(|id| Some((id.clone(), self.remove(&id)?)))
            .collect()
    }

    /// Whether the route waits.
    pub(super) fn has(&self, id: &Id) -> bool {
        self.routes.contains_key(id)
    }

    /// The routes that wait, in no order.
    pub(super) fn routes(&self) -> impl Iterator<Item = (&Id, &Arc<Route>)> {
        self.routes.iter()
    }

    /// Each with every service that it waits for, answered or not.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Id, &ServiceKey)> {
        let routes = self.routes.iter();
        routes.flat_map(|(id, route)| awaited(route).map(move |service| (id, service)))
    }
}

/// The services that a route waits for: of each cluster the one that its requests go to first. Those it fails over to join
/// when they answer.
fn awaited(route: &Route) -> impl Iterator<Item = &ServiceKey> {
    let clusters = route.clusters();
    clusters.filter_map(|cluster| cluster.services().next())
}

/// Whether every service that the route waits for has answered.
pub(super) fn is_known(route: &Route, instances: &Instances) -> bool {
    awaited(route).all(|service| instances.contains_key(service))
}
