//! What proxies would be sent if documents were otherwise: everything is derived once more, beside the loop, from copies of what it
//! has. What proxies refuse does not count: it is what documents say.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::build::{Inputs, Instances};
use crate::cohort::Cohort;
use crate::documents::{Changes, Documents, Reader};
use crate::explain;
use crate::model::document::Change;
use crate::model::{Document, Drains, Id};
use crate::snapshot::{ResourceType, Set, Snapshot};
use crate::xds::gateways::{Said, What};

use super::Control;
use super::builders::Builders;

/// All that snapshots follow from.
#[derive(Debug)]
pub struct World {
    revision: i64,
    reader: Reader,
    documents: Vec<Document>,
    /// Forms that are in force in the place of a newer one that is not.
    earlier: Vec<Document>,
    instances: Instances,
    drains: Drains,
    /// The kinds of proxies of each gateway.
    cohorts: Vec<(Id, Cohort)>,
}

/// What proxies of a gateway would be sent otherwise.
#[derive(Debug, PartialEq, Eq)]
pub struct Foreseen {
    pub gateway: Id,
    /// Nothing where no proxy is there.
    pub cohort: Option<Cohort>,
    /// By type; those of which nothing is other than it was are left out.
    pub by_type: BTreeMap<ResourceType, Difference>,
    /// Routes that no request would reach any more, each with one that comes first.
    pub shadowed: Vec<(Id, Id)>,
}

/// Names of resources.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Difference {
    pub added: Vec<Arc<str>>,
    pub changed: Vec<Arc<str>>,
    pub removed: Vec<Arc<str>>,
}

impl Control {
    /// A copy of all that snapshots follow from.
    pub(super) fn world(&self) -> World {
        let (newest, earlier): (Vec<_>, Vec<_>) = self.documents.texts().unzip();
        World {
            revision: self.publication.settled.revision,
            reader: self.documents.reader().clone(),
            documents: newest.into_iter().cloned().collect(),
            earlier: earlier.into_iter().flatten().cloned().collect(),
            instances: self.services.instances().clone(),
            drains: self.drains.clone(),
            cohorts: self.builders.cohorts().collect(),
        }
    }
}

impl World {
    /// What proxies would be sent otherwise after `changes`, had `earlier` been made before.
    pub fn foresee(mut self, earlier: Vec<Change>, changes: Vec<Change>) -> Vec<Foreseen> {
        let mut documents = Documents::read_by(self.reader.clone());
        let mut builders = Builders::default();
        for (gateway, cohort) in &self.cohorts {
            let said = Said {
                gateway: gateway.as_str().into(),
                cohort: cohort.clone(),
                what: What::Came("foreseen".into()),
            };
            builders.handle_said(&said, &self.instances);
        }
        documents.list(std::mem::take(&mut self.documents));
        for earlier in std::mem::take(&mut self.earlier) {
            documents.earlier(earlier);
        }
        for change in earlier {
            documents.apply(change);
        }
        self.derive(&mut builders, documents.settle());
        let before = snapshots(&builders);
        for change in changes {
            documents.apply(change);
        }
        let changes = documents.settle();
        for service in &changes.services_added {
            // What its registry will answer is not known: what goes there is made all the same.
            let instances = self.instances.entry(service.clone());
            instances.or_insert_with(|| Vec::new().into());
        }
        self.derive(&mut builders, changes);
        compare(&before, &snapshots(&builders))
    }

    /// Follows changes to the next snapshots.
    fn derive(&self, builders: &mut Builders, changes: Changes) {
        if let Some(consumers) = &changes.consumers {
            builders.handle_consumers(consumers);
        }
        for (id, gateway) in changes.gateways {
            builders.handle_gateway(&id, gateway, &self.instances);
        }
        for (id, route) in changes.routes {
            builders.handle_route(&id, route, &self.instances);
        }
        for gateway in builders.take_touched() {
            if let Some(cohorts) = builders.find_mut(&gateway) {
                cohorts.next(&Inputs {
                    revision: self.revision,
                    instances: &self.instances,
                    drains: &self.drains,
                });
            }
        }
    }
}

/// A snapshot, and the routes that no request reaches by it.
struct Derived {
    snapshot: Snapshot,
    shadowed: BTreeMap<Id, Id>,
}

type Snapshots = BTreeMap<(Id, Option<Cohort>), Derived>;

/// The newest of all gateways that there are.
fn snapshots(builders: &Builders) -> Snapshots {
    let there = builders.each().filter(|(_, builder)| builder.exists());
    let newest = there.map(|(gateway, builder)| {
        let place = (gateway.clone(), builder.cohort().cloned());
        let shadowed = explain::shadowed(builder.routes()).into_iter();
        let derived = Derived {
            snapshot: builder.current().clone(),
            shadowed: shadowed.map(|(id, by)| (id.clone(), by.clone())).collect(),
        };
        (place, derived)
    });
    newest.collect()
}

fn compare(before: &Snapshots, after: &Snapshots) -> Vec<Foreseen> {
    let mut places: Vec<_> = before.keys().chain(after.keys()).collect();
    places.sort();
    places.dedup();
    let foreseen = places.into_iter().map(|place| {
        let set = |of: &Snapshots, resource_type| {
            of.get(place)
                .map(|derived| derived.snapshot.set(resource_type).clone())
        };
        let by_type = ResourceType::ALL.into_iter().filter_map(|of| {
            let difference = difference(set(before, of).as_deref(), set(after, of).as_deref());
            (difference != Difference::default()).then_some((of, difference))
        });
        let was = |id: &Id| {
            before
                .get(place)
                .is_some_and(|before| before.shadowed.contains_key(id))
        };
        let shadowed = after
            .get(place)
            .into_iter()
            .flat_map(|after| &after.shadowed);
        let shadowed = shadowed.filter(|(id, _)| !was(id));
        Foreseen {
            gateway: place.0.clone(),
            cohort: place.1.clone(),
            by_type: by_type.collect(),
            shadowed: shadowed.map(|(id, by)| (id.clone(), by.clone())).collect(),
        }
    });
    foreseen.filter(|one| !one.by_type.is_empty()).collect()
}

fn difference(before: Option<&Set>, after: Option<&Set>) -> Difference {
    let mut difference = Difference::default();
    for (name, resource) in after.into_iter().flat_map(Set::iter) {
        match before.and_then(|before| before.find(name)) {
            None => difference.added.push(name.clone()),
            Some(former) if former.version != resource.version => {
                difference.changed.push(name.clone());
            }
            Some(_) => {}
        }
    }
    let gone = before.into_iter().flat_map(Set::iter);
    let gone = gone.filter(|(name, _)| after.is_none_or(|after| after.find(name).is_none()));
    difference
        .removed
        .extend(gone.map(|(name, _)| name.clone()));
    difference
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::model::document::Format;

    fn document(path: &str, text: &Value) -> Document {
        Document {
            path: path.into(),
            source: path.into(),
            format: Format::Json,
            value: text.to_string().into(),
            revision: 1,
        }
    }

    fn world(cohorts: &[(u32, &str)], documents: &[(&str, Value)]) -> World {
        let cohort = |(minor, gateway): &(u32, &str)| {
            let cohort = Cohort::envoy((1, *minor, 0), None).unwrap();
            (gateway.parse().unwrap(), cohort)
        };
        World {
            revision: 1,
            reader: Reader::default(),
            documents: documents
                .iter()
                .map(|(path, text)| document(path, text))
                .collect(),
            earlier: Vec::new(),
            instances: Instances::new(),
            drains: Drains::default(),
            cohorts: cohorts.iter().map(cohort).collect(),
        }
    }

    fn route(uri: &str) -> Value {
        json!({ "uri": uri, "upstream": { "nodes": { "127.0.0.1:80": 1 } } })
    }

    #[test]
    fn who_would_be_sent_what_is_known_before_anything_is_written() {
        let listener = |port: u16| json!({ "listeners": [{ "name": "http", "address": "127.0.0.1", "port": port, "protocol": "http" }] });
        let inner = ("gateways/inner", listener(8000));
        let documents = [("routes/a", route("/a")), inner];
        let put = |path: &str, text: &Value| vec![Change::Put(document(path, text))];
        let proxies = [(40, "default"), (38, "default"), (40, "inner")];
        let foresee = |changes| world(&proxies, &documents).foresee(Vec::new(), changes);

        assert_eq!(foresee(put("routes/a", &route("/a"))), []);
        let foreseen = foresee(put("routes/b", &route("/b")));
        let places: Vec<_> = foreseen
            .iter()
            .map(|one| format!("{} {}", one.gateway, one.cohort.as_ref().unwrap()))
            .collect();
        assert_eq!(places, ["default envoy 1.38.0", "default envoy 1.40.0"]);
        for one in &foreseen {
            let types: Vec<_> = one.by_type.keys().map(|of| of.as_str()).collect();
            assert_eq!(types, ["clusters", "endpoints", "routes"]);
            let clusters = &one.by_type[&ResourceType::Cluster];
            assert_eq!(clusters.added, [Arc::<str>::from("route/b")]);
            assert_eq!(
                one.by_type[&ResourceType::RouteConfiguration].changed.len(),
                1
            );
        }
        let foreseen = foresee(put("gateways/inner", &listener(9000)));
        assert_eq!(foreseen.len(), 1);
        assert!(foreseen[0].by_type.contains_key(&ResourceType::Listener));
        let gone = foresee(vec![Change::Deleted {
            path: "routes/a".into(),
        }]);
        assert_eq!(gone[0].by_type[&ResourceType::Cluster].removed.len(), 1);
        let hiding =
            json!({ "uri": "/a", "priority": 1, "upstream": { "nodes": { "127.0.0.1:80": 1 } } });
        let foreseen = foresee(put("routes/b", &hiding));
        let [a, b] = ["a", "b"].map(|id| id.parse::<Id>().unwrap());
        assert_eq!(foreseen[0].shadowed, [(a, b)]);
        // Between two forms that are both long gone.
        let between = world(&proxies, &documents).foresee(
            put("routes/a", &route("/then")),
            put("routes/a", &route("/later")),
        );
        let types: Vec<_> = between[0].by_type.keys().map(|of| of.as_str()).collect();
        assert_eq!(types, ["routes"]);
    }

    #[test]
    fn what_goes_to_a_service_that_nobody_named_is_foreseen_too() {
        let service =
            json!({ "discovery_type": "consul", "service_name": "echo", "type": "roundrobin" });
        let text = json!({ "uri": "/c", "upstream": service });
        let mut world = world(&[], &[]);
        let registries = vec![crate::model::Discovery::Consul];
        world.reader = Reader::new(registries, Default::default(), Default::default());
        let changes = vec![Change::Put(document("routes/c", &text))];
        let foreseen = world.foresee(Vec::new(), changes);
        assert_eq!(foreseen.len(), 1, "{foreseen:?}");
        assert_eq!(foreseen[0].cohort, None);
        assert!(foreseen[0].by_type.contains_key(&ResourceType::Cluster));
    }
}
