//! A gateway's routes: those in force, in the table, those that wait for an answer, and those that proxies refuse.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::acceptance::Unproven;
use super::asked::AllAsked;
use super::trial::{Refusal, Trial};
use super::uses::Uses;
use super::waiting::{Waiting, is_known};
use super::{Instances, judge};
use crate::cohort::{Ability, Envoy};
use crate::documents::Route;
use crate::model::gateway::http::Tables;
use crate::model::{Document, Id, ServiceKey};
use crate::snapshot::{Accepted, Refused};
use crate::translate::{News, RouteTables};

#[derive(Debug)]
pub(super) struct Routes {
    tables: RouteTables,
    trial: Trial<Id, Route>,
    /// The routes in force.
    placed: HashMap<Id, Arc<Route>>,
    /// Those of which the table has another form: they are translated once a snapshot, however often they change.
    moved: HashSet<Id>,
    waiting: Waiting,
    asked: AllAsked,
    /// What the proxies are.
    envoy: Envoy,
    /// Routes that they cannot serve, and why. No form of these is in the table: it would mean something else than the document.
    unable: BTreeMap<Id, (Arc<Route>, String)>,
}

impl Routes {
    /// None yet, of the gateway of that name, for these.
    pub(super) fn new(gateway: &str, envoy: Envoy) -> Self {
        Self {
            tables: RouteTables::new(gateway),
            trial: Trial::default(),
            placed: HashMap::new(),
            moved: HashSet::new(),
            waiting: Waiting::default(),
            asked: AllAsked::default(),
            envoy,
            unable: BTreeMap::new(),
        }
    }

    /// The routes that wait for the first answer of their service, and it.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (&Id, &ServiceKey)> {
        self.waiting.iter()
    }

    /// What the proxies are.
    pub(super) fn envoy(&self) -> Envoy {
        self.envoy
    }

    /// The routes that they cannot serve, and why.
    pub(super) fn unable(&self) -> impl Iterator<Item = (&Id, &str)> {
        let unable = self.unable.iter();
        unable.map(|(id, (_, reason))| (id, reason.as_str()))
    }

    /// The routes in force, by id: the next snapshot's table has these.
    pub(super) fn placed(&self) -> &HashMap<Id, Arc<Route>> {
        &self.placed
    }

    /// Routes that are refused, and why.
    pub(super) fn refused(&self) -> impl Iterator<Item = (&Id, &Refusal)> {
        self.trial.refused().iter()
    }

    /// Whether a form of the route is in force.
    pub(super) fn is_placed(&self, id: &Id) -> bool {
        self.trial.placed(id).is_some()
    }

    pub(super) fn wanted(&self, id: &Id) -> Option<&Arc<Route>> {
        self.trial.wanted(id)
    }

    /// All routes in the form in which they are wanted, whether or not it is in force.
    pub(super) fn all_wanted(&self) -> impl Iterator<Item = (&Id, &Arc<Route>)> {
        let waiting = self.waiting.routes();
        let others = self.trial.all_wanted();
        let others = others.filter(|(id, _)| !self.waiting.has(id));
        let unable = self.unable.iter().map(|(id, (route, _))| (id, route));
        waiting.chain(others).chain(unable)
    }

    /// All tables are new to whoever is served.
    pub(super) fn touch(&mut self) {
        self.tables.touch();
    }

    /// Brings the tables in line with what is in force, and divides them as the gateway asks, for proxies that can do with
    /// several. Tells whether listeners are to find them otherwise than before.
    pub(super) fn settle(&mut self, mode: Tables) -> bool {
        for id in self.moved.drain() {
            let route = self.placed.get(&id).cloned();
            self.tables.replace(&id, route);
        }
        let can = self.envoy.can(Ability::Scopes);
        let before = self.are_divided();
        self.tables.settle(if can { mode } else { Tables::One });
        before != self.are_divided()
    }

    /// What they ask of filters that all of them share.
    pub(super) fn asked(&mut self) -> &mut AllAsked {
        &mut self.asked
    }

    /// Whether listeners find tables by scopes.
    pub(super) fn are_divided(&self) -> bool {
        self.tables.are_divided()
    }

    /// The tables and scopes that are others than before.
    pub(super) fn news(&mut self) -> News {
        self.tables.news()
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
        self.unable.remove(id);
        let route = route.and_then(|route| self.able(id, route));
        match route {
            Some(route) if !is_known(&route, instances) => self.waiting.insert(id, route),
            route => self.place(id, route, next, uses),
        }
    }

    /// The route, if the proxies can serve it.
    fn able(&mut self, id: &Id, route: Arc<Route>) -> Option<Arc<Route>> {
        let lacking = route.lacking(self.envoy);
        if lacking.is_empty() {
            return Some(route);
        }
        let reason = lacking.join("; ");
        self.unable.insert(id.clone(), (route, reason));
        None
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

    /// A proxy accepted the tables as they were in a snapshot. Whoever has a part of them says nothing of a route, which may stand in
    /// the others.
    pub(super) fn handle_accepted(&mut self, accepted: &Accepted, next: u64, uses: &mut Uses) {
        if let Some(sequence) = accepted.sequence
            && accepted.whole
        {
            let touched = self.trial.handle_ack(sequence, true, next);
            self.follow_all(&touched, uses);
        }
    }

    /// A proxy refused the table.
    pub(super) fn handle_refused(&mut self, refused: &Refused, next: u64, uses: &mut Uses) {
        let named = |id: &Id| judge::mentions(&refused.error, &format!("route/{id}"));
        let (after, sequence) = (refused.after, refused.sequence);
        let refusal = Refusal::from(refused);
        let verdict = self
            .trial
            .handle_nack(after, sequence, &refusal, next, named);
        self.follow_all(&verdict.touched, uses);
    }

    /// A proxy is gone.
    pub(super) fn handle_left(&mut self, node: &str, next: u64, uses: &mut Uses) {
        let touched = self.trial.handle_left(node, next);
        self.follow_all(&touched, uses);
    }

    /// Those whose wanted form no proxy has accepted, and what the accepted one was made of.
    pub(super) fn unproven(&self) -> impl Iterator<Item = (Id, Unproven<Vec<Document>>)> {
        let texts = |route: Arc<Route>| Some(route.sources.all().cloned().collect());
        let unproven = self.trial.unproven();
        unproven.map(move |(id, unproven)| (id.clone(), unproven.map(texts)))
    }

    /// Takes what an earlier process knew of these.
    pub(super) fn restore_unproven(
        &mut self,
        unproven: HashMap<Id, Unproven<Arc<Route>>>,
        next: u64,
        uses: &mut Uses,
    ) {
        let held = self.trial.restore(unproven, next);
        self.follow_all(&held, uses);
    }

    /// Whether the table is what the earlier process served.
    pub(super) fn judge_restored(
        &mut self,
        is_same: bool,
        unproven: &[Id],
        next: u64,
        uses: &mut Uses,
    ) {
        let tried = self.trial.judge_restored(is_same, unproven, next);
        self.follow_all(&tried, uses);
    }

    /// What was to be in the next snapshot is in this one.
    pub(super) fn handle_snapshot(&mut self, sequence: u64) {
        self.trial.handle_snapshot(sequence);
    }

    /// Tries a route again.
    pub(super) fn release(&mut self, id: &Id, next: u64, uses: &mut Uses) -> bool {
        let was_refused = self.trial.release(id, next);
        if was_refused {
            self.follow(id, uses);
        }
        was_refused
    }

    fn follow_all(&mut self, ids: &[Id], uses: &mut Uses) {
        for id in ids {
            self.follow(id, uses);
        }
    }

    /// Takes routes back that need one of these clusters. Looks at each route once, however many clusters there are.
    pub(super) fn withdraw(
        &mut self,
        clusters: &HashSet<&Arc<str>>,
        refusal: &Refusal,
        next: u64,
        uses: &mut Uses,
    ) {
        if clusters.is_empty() {
            return;
        }
        let needs = |route: &Route| route.clusters().any(|one| clusters.contains(&one.name));
        let users = self.placed.iter().filter(|(_, route)| needs(route));
        let users: Vec<Id> = users.map(|(id, _)| id.clone()).collect();
        let refusal = refusal.of_need();
        let touched = self.trial.refuse(users, &refusal, next).touched;
        self.follow_all(&touched, uses);
    }

    /// Lets routes back that were taken back for want of one of these clusters.
    pub(super) fn restore(&mut self, clusters: &HashSet<&Arc<str>>, next: u64, uses: &mut Uses) {
        let refused = self.trial.refused().iter();
        let needy = refused.filter(|(id, refusal)| {
            let route = self.trial.wanted(id).filter(|_| !refusal.own);
            let mut needs = route.into_iter().flat_map(|route| route.clusters());
            needs.any(|cluster| clusters.contains(&cluster.name))
        });
        let needy: Vec<Id> = needy.map(|(id, _)| id.clone()).collect();
        for id in &needy {
            self.release(id, next, uses);
        }
    }

    fn place(&mut self, id: &Id, route: Option<Arc<Route>>, next: u64, uses: &mut Uses) {
        let age = route.as_ref().map_or(0, |route| route.revision);
        self.trial.want(id, route, age, next);
        self.follow(id, uses);
    }

    /// Brings the clusters' use in line with the route's form in force, and sees that the table follows.
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
        let asked = |route: &Option<Arc<Route>>| -> Vec<_> {
            let routes = route.iter();
            routes.flat_map(|route| route.plugins.asked()).collect()
        };
        let (before_asked, now_asked) = (asked(&before), asked(&route));
        self.asked
            .replace(before_asked.into_iter(), now_asked.into_iter());
        if before.is_some() || route.is_some() {
            self.moved.insert(id.clone());
        }
    }
}
