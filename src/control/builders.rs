//! The builders of each gateway, and which of them may have something to say.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::build::{Acceptance, Builder, Cohorts, Extensions, Held, Inputs, Instances, Moved};
use crate::cohort::Cohort;
use crate::documents::Route;
use crate::model::drain::Touched;
use crate::model::{Consumers, Document, Gateway, Id, ServiceKey};
use crate::xds::gateways::{Said, What};

/// The builders of each gateway.
#[derive(Debug, Default)]
pub struct Builders {
    by_gateway: HashMap<Id, Cohorts>,
    /// The gateways that each route was placed in.
    placed: HashMap<Id, Vec<Id>>,
    /// All gateways have the same; one that comes later has them as well.
    extensions: Arc<Extensions>,
    /// Gateways whose builder may have a next snapshot.
    touched: HashSet<Id>,
}

impl Builders {
    /// The gateway's document came, changed or went.
    pub fn handle_gateway(
        &mut self,
        id: &Id,
        gateway: Option<Arc<Gateway>>,
        instances: &Instances,
    ) {
        self.touch(id).handle_gateway(gateway.as_ref(), instances);
    }

    /// A route came, changed, moved to other gateways or went.
    pub fn handle_route(&mut self, id: &Id, route: Option<Arc<Route>>, instances: &Instances) {
        let before = self.placed.remove(id).unwrap_or_default();
        let after = route
            .as_ref()
            .map(|route| route.gateways.clone())
            .unwrap_or_default();
        for gateway in before.iter().filter(|gateway| !after.contains(gateway)) {
            self.touch(gateway).handle_route(id, None, instances);
        }
        for gateway in &after {
            self.touch(gateway)
                .handle_route(id, route.as_ref(), instances);
        }
        if !after.is_empty() {
            self.placed.insert(id.clone(), after);
        }
    }

    /// There are other consumers.
    pub fn handle_consumers(&mut self, consumers: &Arc<Consumers>) {
        self.extensions = Arc::new(self.extensions.next(consumers.clone()));
        for (gateway, builder) in &mut self.by_gateway {
            builder.handle_consumers(&self.extensions);
            self.touched.insert(gateway.clone());
        }
    }

    /// A service has other instances. Touches only the gateways that use it.
    pub fn handle_answer(&mut self, service: &ServiceKey, instances: &Instances) {
        self.touch_if(|builder| builder.handle_answer(service, instances));
    }

    /// Instances of these services, or these nodes, were taken out or put back.
    pub fn handle_drained(&mut self, touched: &Touched) {
        self.touch_if(|builder| builder.handle_drained(touched));
    }

    /// A proxy came, went, or said something of its snapshot. Proxies of a gateway that there is not yet are remembered.
    pub fn handle_said(&mut self, said: &Said, instances: &Instances) -> Moved {
        let Ok(id) = said.gateway.parse::<Id>() else {
            return Moved::default();
        };
        match &said.what {
            What::Came(node) => self.touch(&id).handle_came(&said.cohort, node, instances),
            What::Left(node) => self.handle_left(&id, &said.cohort, node),
            What::Answered(outcome) => {
                if self.by_gateway.contains_key(&id) {
                    self.touch(&id).handle_outcome(&said.cohort, outcome);
                }
                Moved::default()
            }
        }
    }

    /// What the proxies of each gateway have accepted.
    pub fn acceptances(&self) -> impl Iterator<Item = Acceptance> {
        self.by_gateway.values().flat_map(Cohorts::acceptances)
    }

    /// Takes what proxies had accepted in an earlier process. `remade` makes a route of the texts that it was made of.
    pub fn restore(
        &mut self,
        known: &Acceptance,
        remade: impl Fn(&Id, Vec<Document>) -> Option<Arc<Route>>,
        inputs: &Inputs<'_>,
    ) {
        self.touch(&known.gateway).restore(known, remade, inputs);
    }

    fn handle_left(&mut self, gateway: &Id, cohort: &Cohort, node: &str) -> Moved {
        let builders = self.touch(gateway);
        let moved = builders.handle_left(cohort, node);
        // Gateways that only proxies speak of must not pile up.
        if builders.are_idle() {
            self.by_gateway.remove(gateway);
        }
        moved
    }

    /// Tries a document again that proxies refuse. Tells whether any did.
    pub fn release(&mut self, document: &str) -> bool {
        let mut released = false;
        self.touch_if(|cohorts| {
            let was_refused = cohorts.release(document);
            released |= was_refused;
            was_refused
        });
        released
    }

    /// Whether any may have a next snapshot.
    pub fn are_touched(&self) -> bool {
        !self.touched.is_empty()
    }

    /// The gateways of those that may have one: they do not any more once that was looked at.
    pub fn take_touched(&mut self) -> HashSet<Id> {
        std::mem::take(&mut self.touched)
    }

    /// The builders of a gateway, to ask them for the next snapshots.
    pub fn find_mut(&mut self, gateway: &Id) -> Option<&mut Cohorts> {
        self.by_gateway.get_mut(gateway)
    }

    /// The builder of most proxies of a gateway.
    pub fn find(&self, gateway: &Id) -> Option<&Builder> {
        self.by_gateway.get(gateway).and_then(Cohorts::main)
    }

    fn all(&self) -> impl Iterator<Item = &Builder> {
        self.by_gateway.values().flat_map(Cohorts::iter)
    }

    /// Every builder, with its gateway.
    pub fn each(&self) -> impl Iterator<Item = (&Id, &Builder)> {
        let gateways = self.by_gateway.iter();
        gateways.flat_map(|(gateway, cohorts)| cohorts.iter().map(move |one| (gateway, one)))
    }

    /// The kinds of proxies of each gateway.
    pub fn cohorts(&self) -> impl Iterator<Item = (Id, Cohort)> {
        let each = self.each();
        each.filter_map(|(gateway, one)| Some((gateway.clone(), one.cohort()?.clone())))
    }

    fn main(&self) -> impl Iterator<Item = &Builder> {
        self.by_gateway.values().filter_map(Cohorts::main)
    }

    /// Whether the route of this id is in force in any gateway.
    pub fn have_route(&self, id: &Id) -> bool {
        self.all().any(|builder| builder.route(id).is_some())
    }

    /// The routes that wait for the first answer of their service, and it.
    pub fn waiting(&self) -> impl Iterator<Item = (&Id, &ServiceKey)> {
        self.main().flat_map(Builder::waiting)
    }

    /// The routes that some proxies cannot serve, and for each of these cohorts why.
    pub fn unable(&self) -> BTreeMap<&Id, Vec<String>> {
        let mut unable: BTreeMap<&Id, Vec<String>> = BTreeMap::new();
        for (id, said) in self.by_gateway.values().flat_map(Cohorts::unable) {
            unable.entry(id).or_default().push(said);
        }
        for said in unable.values_mut() {
            said.sort_unstable();
        }
        unable
    }

    /// The documents that proxies refuse, and who refuses what of them.
    pub fn refused(&self) -> BTreeMap<String, Vec<Held>> {
        let mut refused: BTreeMap<String, Vec<Held>> = BTreeMap::new();
        for (document, held) in self.by_gateway.values().flat_map(Cohorts::refused) {
            refused.entry(document).or_default().push(held);
        }
        refused
    }

    /// Those of them of which no accepted form is known, and that are in force nowhere: others have no use for an earlier form.
    pub fn withdrawn(&self) -> impl Iterator<Item = String> {
        let withdrawn = self.all().flat_map(Builder::withdrawn);
        let is_theirs = |builder: &&Builder| !builder.cohort().is_some_and(Cohort::is_foreign);
        let mut theirs = self.all().filter(is_theirs).collect::<Vec<_>>();
        theirs.retain(|builder| builder.exists());
        withdrawn
            .filter(move |document| !theirs.iter().any(|builder| builder.has_in_force(document)))
    }

    fn touch_if(&mut self, mut is_concerned: impl FnMut(&mut Cohorts) -> bool) {
        for (gateway, builder) in &mut self.by_gateway {
            if is_concerned(builder) {
                self.touched.insert(gateway.clone());
            }
        }
    }

    /// The gateway's builders, which are about to have something to say.
    fn touch(&mut self, gateway: &Id) -> &mut Cohorts {
        self.touched.insert(gateway.clone());
        let builders = self.by_gateway.entry(gateway.clone());
        builders.or_insert_with(|| Cohorts::new(gateway, &self.extensions))
    }
}
