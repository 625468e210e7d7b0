//! A gateway's routes: those in force, in the table, those that wait for an answer, and those that proxies refuse.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;

use super::trial::Trial;
use super::uses::Uses;
use super::waiting::{Waiting, is_known};
use super::{Instances, judge};
use crate::documents::Route;
use crate::model::{Id, ServiceKey};
use crate::snapshot::Outcome;
use crate::translate::RouteTable;

#[derive(Debug)]
pub(super) struct Routes {
    table: RouteTable,
    trial: Trial<Id, Route>,
    /// The routes in the table.
    placed: HashMap<Id, Arc<Route>>,
    waiting: Waiting,
    /// Whether the table is to be encoded anew.
    dirty: bool,
}

impl Routes {
    /// None yet, in a table of that name.
    pub(super) fn new(table: &str) -> Self {
        Self {
            table: RouteTable::new(table),
            trial: Trial::default(),
            placed: HashMap::new(),
            waiting: Waiting::default(),
            dirty: false,
        }
    }

    /// The routes that wait for the first answer of their service, and it.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (&Id, &ServiceKey)> {
        self.waiting.iter()
    }

    /// The routes in the table, by id.
    pub(super) fn placed(&self) -> &HashMap<Id, Arc<Route>> {
        &self.placed
    }

    /// Routes that are refused, and why.
    pub(super) fn refused(&self) -> impl Iterator<Item = (&Id, &Arc<str>)> {
        self.trial.refused().iter()
    }

    /// Whether a form of the route is in force.
    pub(super) fn is_placed(&self, id: &Id) -> bool {
        self.trial.placed(id).is_some()
    }

    pub(super) fn wanted(&self, id: &Id) -> Option<&Arc<Route>> {
        self.trial.wanted(id)
    }

    /// The table is to be encoded anew.
    pub(super) fn touch(&mut self) {
        self.dirty = true;
    }

    /// Whether it is; from here on it is not.
    pub(super) fn take_dirty(&mut self) -> bool {
        std::mem::take(&mut self.dirty)
    }

    pub(super) fn encode(&mut self) -> Bytes {
        self.table.encode()
    }

    /// A route came, changed or went. `next` is the sequence of the snapshot that will have it.
    pub(super) fn handle_route(
        &mut self,
        id: &Id,
        route: Option<Arc<Route>>,
        instances: &Instances,
        next: u64,
        uses: &mut Uses,
    ) {
        self.waiting.remove(id);
        match route {
            Some(route) if !is_known(&route, instances) => self.waiting.insert(id, route),
            route => self.place(id, route, next, uses),
        }
    }

    /// A service answered. Tells whether a route waited for it.
    pub(super) fn handle_answer(
        &mut self,
        service: &ServiceKey,
        instances: &Instances,
        next: u64,
        uses: &mut Uses,
    ) -> bool {
        let placed = self.waiting.take(service, instances);
        for (id, route) in &placed {
            self.place(id, Some(route.clone()), next, uses);
        }
        !placed.is_empty()
    }

    /// A proxy accepted or refused the table.
    pub(super) fn handle_outcome(&mut self, outcome: &Outcome, next: u64, uses: &mut Uses) {
        let (after, sequence) = (outcome.after, outcome.sequence);
        let touched = match &outcome.error {
            None => self.trial.handle_ack(sequence, next),
            Some(error) => {
                let named = |id: &Id| judge::mentions(error, &format!("route/{id}"));
                let verdict = self.trial.handle_nack(after, sequence, error, next, named);
                verdict.touched
            }
        };
        for id in &touched {
            self.follow(id, uses);
        }
    }

    /// Takes routes back that need one of these clusters. Looks at each route once, however many clusters there are.
    pub(super) fn withdraw(
        &mut self,
        clusters: &HashSet<&Arc<str>>,
        error: &Arc<str>,
        next: u64,
        uses: &mut Uses,
    ) {
        if clusters.is_empty() {
            return;
        }
        let needs = |route: &Route| route.clusters().any(|one| clusters.contains(&one.name));
        let users: Vec<Id> = self
            .placed
            .iter()
            .filter(|(_, route)| needs(route))
            .map(|(id, _)| id.clone())
            .collect();
        for id in &self.trial.refuse(users, error, next).touched {
            self.follow(id, uses);
        }
    }

    fn place(&mut self, id: &Id, route: Option<Arc<Route>>, next: u64, uses: &mut Uses) {
        let age = route.as_ref().map_or(0, |route| route.revision);
        self.trial.want(id, route, age, next);
        self.follow(id, uses);
    }

    /// Brings the table and the clusters' use in line with the route's form in force.
    fn follow(&mut self, id: &Id, uses: &mut Uses) {
        let route = self.trial.placed(id).cloned();
        let wanted = self.trial.wanted(id).map(Arc::as_ptr);
        let is_newest = wanted == route.as_ref().map(Arc::as_ptr);
        for cluster in route.iter().flat_map(|route| route.clusters()) {
            let before = self.placed.get(id).into_iter();
            let clusters = before.flat_map(|route| route.clusters());
            let by_itself = clusters.filter(|one| one.name == cluster.name).count();
            let shared = uses.users(&cluster.name) > by_itself;
            // A route that is rolled back does not take back an upstream that others share.
            uses.retain(cluster, is_newest || !shared);
        }
        let before = match &route {
            Some(route) => self.placed.insert(id.clone(), route.clone()),
            None => self.placed.remove(id),
        };
        for cluster in before.iter().flat_map(|before| before.clusters()) {
            uses.release(&cluster.name);
        }
        if before.is_some() || route.is_some() {
            self.dirty |= self.table.replace(id, route);
        }
    }
}
