//! What a proxy holds and has accepted is taken from it only by a document, a registry or an operator: held under random
//! documents, refusals, comings, goings and restarts, in two cohorts.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::cohort::Cohort;
use crate::documents::{Documents, Reader, remade};
use crate::model::Document;
use crate::model::document::{Change, Format};
use crate::snapshot::ResourceType::{Cluster as Clusters, RouteConfiguration};
use crate::snapshot::Version;

const ROUTES: [&str; 3] = ["a", "b", "c"];
/// How many forms of a route there are: in every other one it has a cluster.
const FORMS: u8 = 6;
const PROXIES: usize = 5;

#[derive(Debug, Clone)]
enum Event {
    Put(usize, u8),
    Delete(usize),
    Publish,
    /// A proxy answers the newest snapshot, if it is connected.
    Answer(usize),
    /// A proxy connects, with what it had.
    Come(usize),
    Disconnect(usize),
    /// It was away for too long: when it comes again, it is another one.
    Leave(usize),
    Restart,
    Release(usize),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let (route, proxy) = (0..ROUTES.len(), 0..PROXIES);
    let event = prop_oneof![
        5 => (route.clone(), 0..FORMS).prop_map(|(route, form)| Event::Put(route, form)),
        1 => route.clone().prop_map(Event::Delete),
        6 => Just(Event::Publish),
        12 => proxy.clone().prop_map(Event::Answer),
        4 => proxy.clone().prop_map(Event::Come),
        1 => proxy.clone().prop_map(Event::Disconnect),
        1 => proxy.prop_map(Event::Leave),
        1 => Just(Event::Restart),
        1 => route.prop_map(Event::Release),
    ];
    prop::collection::vec(event, 1..120)
}

/// What a proxy is like.
#[derive(Debug, Clone)]
struct Nature {
    /// Routes of these forms are too much for it.
    refuses: Vec<(usize, u8)>,
    /// Clusters are too much for it whose version has this remainder.
    remainder: u32,
    /// Whether it says what it refuses.
    names: bool,
}

fn natures() -> impl Strategy<Value = Vec<Nature>> {
    let refuses = prop::collection::vec((0..ROUTES.len(), 0..FORMS), 0..5);
    let nature = (refuses, 0..12_u32, any::<bool>());
    let nature = nature.prop_map(|(refuses, remainder, names)| Nature {
        refuses,
        remainder,
        names,
    });
    prop::collection::vec(nature, PROXIES)
}

/// The routes that are served, each with its form.
type Served = BTreeMap<Id, u8>;

/// What a cohort is served, and the documents that it was made of.
#[derive(Debug, Clone)]
struct Published {
    snapshot: Snapshot,
    served: Served,
    /// The revision of each document's text, and its form.
    written: BTreeMap<Id, (i64, u8)>,
    /// How often each was deleted before.
    deleted: BTreeMap<Id, u32>,
}

#[derive(Debug, Default, Clone)]
struct Proxy {
    connected: bool,
    /// What it has accepted in this process's time.
    acked: [Option<u64>; 2],
    clusters: BTreeMap<Arc<str>, Version>,
    routes: Served,
    /// The documents when it took the routes.
    written: BTreeMap<Id, (i64, u8)>,
    deleted: BTreeMap<Id, u32>,
}

struct World {
    natures: Vec<Nature>,
    proxies: Vec<Proxy>,
    documents: Documents,
    texts: BTreeMap<Id, (u8, Document)>,
    deleted: BTreeMap<Id, u32>,
    cohorts: Cohorts,
    revision: i64,
    /// What each cohort is served.
    published: BTreeMap<Cohort, Published>,
}

fn cohort(proxy: usize) -> Cohort {
    let build = if proxy < 3 { 1 } else { 2 };
    Cohort::envoy((1, 40, 0), Some(build)).unwrap()
}

fn node(proxy: usize) -> Arc<str> {
    format!("proxy-{proxy}").into()
}

fn text(route: usize, form: u8, revision: i64) -> Document {
    let (name, port) = (ROUTES[route], 8000 + u16::from(form));
    let value = if form.is_multiple_of(2) {
        format!(r#"{{"uri":"/{form}","plugins":{{"mocking":{{"response_status":204}}}}}}"#)
    } else {
        format!(
            r#"{{"uri":"/{form}","upstream":{{"type":"roundrobin","retries":0,"timeout":{{"connect":{form},"send":6,"read":6}},"nodes":{{"127.0.0.1:{port}":1}}}}}}"#
        )
    };
    Document {
        path: format!("routes/{name}").into(),
        source: name.into(),
        format: Format::Json,
        value: value.into(),
        revision,
    }
}

fn form(route: &Route) -> u8 {
    let shown = format!("{:?}", route.paths[0]);
    let digit = shown.chars().find(char::is_ascii_digit).unwrap();
    u8::try_from(digit.to_digit(10).unwrap()).unwrap()
}

impl World {
    fn new(natures: Vec<Nature>) -> Self {
        let mut world = Self {
            natures,
            proxies: vec![Proxy::default(); PROXIES],
            documents: Documents::new(Vec::new()),
            texts: BTreeMap::new(),
            deleted: BTreeMap::new(),
            cohorts: Cohorts::new(&id("default"), &Arc::default()),
            revision: 1,
            published: BTreeMap::new(),
        };
        world.settle();
        world
    }

    fn settle(&mut self) {
        let instances = Instances::new();
        let changes = self.documents.settle();
        assert!(changes.problems.is_empty(), "{:?}", changes.problems);
        for (_, gateway) in changes.gateways {
            self.cohorts.handle_gateway(gateway.as_ref(), &instances);
        }
        for (id, route) in changes.routes {
            self.cohorts.handle_route(&id, route.as_ref(), &instances);
        }
    }

    fn publish(&mut self) {
        let (instances, drains) = (Instances::new(), Drains::default());
        self.cohorts.next(&Inputs {
            revision: self.revision,
            instances: &instances,
            drains: &drains,
        });
        self.published.clear();
        for builder in self.cohorts.iter() {
            if let Some(cohort) = builder.cohort() {
                let routes = builder.routes();
                let served = routes.map(|route| (route.id.clone(), form(route)));
                let written = self.texts.iter();
                let written =
                    written.map(|(id, (form, text))| (id.clone(), (text.revision, *form)));
                let published = Published {
                    snapshot: builder.current().clone(),
                    served: served.collect(),
                    written: written.collect(),
                    deleted: self.deleted.clone(),
                };
                self.published.insert(cohort.clone(), published);
            }
        }
    }

    fn happens(&mut self, event: &Event) {
        match *event {
            Event::Put(route, form) => self.put(route, form),
            Event::Delete(route) => {
                let id = id(ROUTES[route]);
                if self.texts.remove(&id).is_some() {
                    *self.deleted.entry(id.clone()).or_default() += 1;
                    let path = format!("routes/{id}").into();
                    self.documents.apply(Change::Deleted { path });
                    self.settle();
                }
            }
            Event::Publish => self.publish(),
            Event::Answer(proxy) => self.answer(proxy),
            Event::Come(proxy) => self.come(proxy),
            Event::Disconnect(proxy) => self.proxies[proxy].connected = false,
            Event::Leave(proxy) => {
                self.proxies[proxy] = Proxy::default();
                let moved = self.cohorts.handle_left(&cohort(proxy), &node(proxy));
                self.forget(&moved);
            }
            Event::Restart => self.restart(),
            Event::Release(route) => {
                self.cohorts.release(&format!("routes/{}", ROUTES[route]));
            }
        }
    }

    fn put(&mut self, route: usize, form: u8) {
        let is_same = |(before, _): &(u8, Document)| *before == form;
        if self.texts.get(&id(ROUTES[route])).is_some_and(is_same) {
            return;
        }
        self.revision += 1;
        let document = text(route, form, self.revision);
        self.texts
            .insert(id(ROUTES[route]), (form, document.clone()));
        self.documents.apply(Change::Put(document));
        self.settle();
    }

    fn come(&mut self, proxy: usize) {
        if std::mem::replace(&mut self.proxies[proxy].connected, true) {
            return;
        }
        let instances = Instances::new();
        let moved = self
            .cohorts
            .handle_came(&cohort(proxy), &node(proxy), &instances);
        self.forget(&moved);
        let come = &mut self.proxies[proxy];
        come.acked = [None; 2];
        let has = come.clusters.iter();
        let claim = Accepted {
            has: has
                .map(|(name, version)| (name.clone(), *version))
                .collect(),
            ..Accepted::nothing(Clusters)
        };
        self.cohorts
            .handle_outcome(&cohort(proxy), &Outcome::Accepted(claim));
    }

    /// Cohorts that are gone are not served.
    fn forget(&mut self, moved: &Moved) {
        for cohort in moved.gone.iter().flatten() {
            self.published.remove(cohort);
        }
    }

    /// A proxy takes or refuses the clusters of the newest snapshot, and behind them the routes.
    fn answer(&mut self, proxy: usize) {
        if !self.proxies[proxy].connected {
            return;
        }
        let Some(published) = self.published.get(&cohort(proxy)).cloned() else {
            return;
        };
        let (snapshot, served) = (&published.snapshot, &published.served);
        let nature = self.natures[proxy].clone();
        let clusters: BTreeMap<_, _> = snapshot
            .set(Clusters)
            .iter()
            .map(|(name, resource)| (name.clone(), resource.version))
            .collect();
        let bad = |(_, version): &(&Arc<str>, &Version)| version.short() % 12 == nature.remainder;
        if let Some((name, _)) = clusters.iter().find(bad) {
            return self.refuse(proxy, Clusters, snapshot.sequence, name);
        }
        self.proxies[proxy].clusters = clusters;
        self.accept(proxy, Clusters, snapshot);
        let too_much = |(route, form): &&(usize, u8)| served.get(&id(ROUTES[*route])) == Some(form);
        if let Some((route, _)) = nature.refuses.iter().find(too_much) {
            let name = format!("route/{}", ROUTES[*route]);
            return self.refuse(proxy, RouteConfiguration, snapshot.sequence, &name);
        }
        self.nothing_is_taken(proxy, &published);
        self.proxies[proxy].written = published.written.clone();
        self.proxies[proxy].deleted = published.deleted.clone();
        // Where the cluster is searched for what is refused, its route leads nowhere.
        let works = |id: &Id, form: u8| {
            let name = format!("route/{id}");
            form.is_multiple_of(2) || self.proxies[proxy].clusters.contains_key(&*name)
        };
        let working = served.iter().filter(|(id, form)| works(id, **form));
        self.proxies[proxy].routes = working.map(|(id, form)| (id.clone(), *form)).collect();
        self.accept(proxy, RouteConfiguration, snapshot);
    }

    fn nothing_is_taken(&self, proxy: usize, now: &Published) {
        let holder = &self.proxies[proxy];
        for (id, form) in &holder.routes {
            if holder.deleted.get(id) != now.deleted.get(id) {
                continue;
            }
            let found = now.served.get(id);
            assert!(found.is_some(), "route {id} is taken from proxy {proxy}");
            let newest = now.written[id];
            if holder.written.get(id) == Some(&newest) && newest.1 == *form {
                assert_eq!(
                    found,
                    Some(form),
                    "route {id} of proxy {proxy} is rolled back"
                );
            }
        }
    }

    fn accept(&mut self, proxy: usize, of: ResourceType, snapshot: &Snapshot) {
        self.proxies[proxy].acked[usize::from(of == RouteConfiguration)] = Some(snapshot.sequence);
        let has = snapshot.set(of).iter();
        let accepted = Accepted {
            resource_type: of,
            sequence: Some(snapshot.sequence),
            whole: true,
            has: has
                .map(|(name, resource)| (name.clone(), resource.version))
                .collect(),
        };
        self.cohorts
            .handle_outcome(&cohort(proxy), &Outcome::Accepted(accepted));
    }

    fn refuse(&mut self, proxy: usize, of: ResourceType, sequence: u64, name: &str) {
        let names = self.natures[proxy].names;
        let refused = Refused {
            resource_type: of,
            after: self.proxies[proxy].acked[usize::from(of == RouteConfiguration)],
            sequence,
            error: if names { name } else { "no" }.into(),
            node: node(proxy),
            at: 0,
        };
        self.cohorts
            .handle_outcome(&cohort(proxy), &Outcome::Refused(refused));
    }

    /// Everything that is published is saved, and taken up by another process.
    fn restart(&mut self) {
        self.publish();
        let acceptances: Vec<_> = self.cohorts.acceptances().collect();
        self.documents = Documents::new(Vec::new());
        let texts = self.texts.values().map(|(_, text)| text.clone());
        self.documents.list(texts.collect());
        self.cohorts = Cohorts::new(&id("default"), &Arc::default());
        self.settle();
        let (instances, drains) = (Instances::new(), Drains::default());
        let inputs = Inputs {
            revision: self.revision,
            instances: &instances,
            drains: &drains,
        };
        for known in &acceptances {
            let remade = |id: &Id, texts| remade(&Reader::default(), texts, id);
            self.cohorts.restore(known, remade, &inputs);
        }
        self.published.clear();
        for proxy in &mut self.proxies {
            proxy.connected = false;
        }
    }
}

proptest! {
    #[test]
    fn nobody_is_cut_off_by_somebody_else(natures in natures(), events in events()) {
        let mut world = World::new(natures);
        for event in &events {
            world.happens(event);
        }
    }
}
