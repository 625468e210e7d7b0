//! A builder per gateway, and which of them may have something to say.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::build::{Builder, Instances};
use crate::documents::Route;
use crate::model::drain::Touched;
use crate::model::{Consumers, Gateway, Id, ServiceKey};
use crate::xds::gateways::Said;

/// A builder per gateway.
#[derive(Debug, Default)]
pub struct Builders {
    by_gateway: HashMap<Id, Builder>,
    /// The gateways that each route was placed in.
    placed: HashMap<Id, Vec<Id>>,
    /// All gateways have the same; one that comes later has them as well.
    consumers: Arc<Consumers>,
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
        self.touch(id).handle_gateway(gateway, instances);
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
                .handle_route(id, route.clone(), instances);
        }
        if !after.is_empty() {
            self.placed.insert(id.clone(), after);
        }
    }

    /// There are other consumers.
    pub fn handle_consumers(&mut self, consumers: &Arc<Consumers>) {
        self.consumers = consumers.clone();
        for (gateway, builder) in &mut self.by_gateway {
            builder.handle_consumers(consumers);
            self.touched.insert(gateway.clone());
        }
    }

    /// A service has other instances. Touches only the gateways that use it.
    pub fn handle_answer(&mut self, service: &ServiceKey, instances: &Instances) {
        self.touch_if(|builder| builder.handle_answer(service, instances));
    }

    /// Instances of these services were taken out or put back.
    pub fn handle_drained(&mut self, services: &Touched) {
        for service in services {
            self.touch_if(|builder| builder.handle_drained(service));
        }
    }

    /// A proxy said something of a gateway's snapshot.
    pub fn handle_said(&mut self, (gateway, outcome): &Said) {
        if let Ok(id) = gateway.parse::<Id>()
            && let Some(builder) = self.by_gateway.get_mut(&id)
        {
            builder.handle_outcome(outcome);
            self.touched.insert(id);
        }
    }

    /// Whether any may have a next snapshot.
    pub fn are_touched(&self) -> bool {
        !self.touched.is_empty()
    }

    /// The gateways of those that may have one: they do not any more once that was looked at.
    pub fn take_touched(&mut self) -> HashSet<Id> {
        std::mem::take(&mut self.touched)
    }

    /// The builder of a gateway, to ask it for the next snapshot.
    pub fn find_mut(&mut self, gateway: &Id) -> Option<&mut Builder> {
        self.by_gateway.get_mut(gateway)
    }

    pub fn find(&self, gateway: &Id) -> Option<&Builder> {
        self.by_gateway.get(gateway)
    }

    /// Whether the route of this id is in force in any gateway.
    pub fn have_route(&self, id: &Id) -> bool {
        let mut all = self.by_gateway.values();
        all.any(|builder| builder.route(id).is_some())
    }

    /// The routes that wait for the first answer of their service, and it.
    pub fn waiting(&self) -> impl Iterator<Item = (&Id, &ServiceKey)> {
        self.by_gateway.values().flat_map(Builder::waiting)
    }

    /// The documents that proxies refuse, and why.
    pub fn refused(&self) -> BTreeMap<String, Arc<str>> {
        let all = self.by_gateway.values();
        all.flat_map(Builder::refused).collect()
    }

    /// Those of them of which no accepted form is known.
    pub fn withdrawn(&self) -> impl Iterator<Item = String> {
        self.by_gateway.values().flat_map(Builder::withdrawn)
    }

    fn touch_if(&mut self, mut is_concerned: impl FnMut(&mut Builder) -> bool) {
        for (gateway, builder) in &mut self.by_gateway {
            if is_concerned(builder) {
                self.touched.insert(gateway.clone());
            }
        }
    }

    /// The gateway's builder, which is about to have something to say.
    fn touch(&mut self, gateway: &Id) -> &mut Builder {
        self.touched.insert(gateway.clone());
        self.by_gateway.entry(gateway.clone()).or_insert_with(|| {
            let mut builder = Builder::new(gateway);
            builder.handle_consumers(&self.consumers);
            builder
        })
    }
}
