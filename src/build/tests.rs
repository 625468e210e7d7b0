//! One gateway's snapshots: what is translated, what waits, what is shared.

mod acceptance;
mod collector;
mod drains;
mod edge;
mod nobody_is_cut_off;
mod secrets;
mod versions;

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use super::*;
use crate::model::gateway::Protocol;
use crate::model::gateway::http::Tables;
use crate::model::upstream::{Balancer, Discovered, PassHost, Scheme};
use crate::model::{self, Cluster, Discovery, Members, Path, Timeout, Upstream};
use crate::plugin::Plugins;

const SECOND: Duration = Duration::from_secs(1);

fn id(text: &str) -> Id {
    text.parse().unwrap()
}

fn service(name: &str) -> ServiceKey {
    ServiceKey::new(Discovery::Consul, name)
}

fn gateway() -> Arc<Gateway> {
    let listener = model::gateway::Listener::new("http", 9080, Protocol::Http);
    Arc::new(Gateway::new(id("default"), vec![listener]))
}

fn timeout() -> Timeout {
    Timeout {
        connect: SECOND,
        send: SECOND,
        read: SECOND,
    }
}

/// A route with an upstream of its own.
fn route(name: &str, members: Members) -> Arc<Route> {
    let upstream = Upstream {
        members,
        balancer: Balancer::RoundRobin,
        scheme: Scheme::Http,
        pass_host: PassHost::Pass,
        retries: None,
        retry_timeout: None,
        timeout: timeout(),
        keepalive_pool: None,
        checks: Default::default(),
        slow_start: None,
        tls: None,
    };
    Arc::new(Route {
        id: id(name),
        revision: 0,
        gateways: vec![id("default")],
        hosts: Vec::new(),
        paths: vec![Path::Prefix(format!("/{name}/").into())],
        addresses: Vec::new(),
        vars: None,
        methods: BTreeSet::new(),
        priority: 0,
        websocket: false,
        timeout: timeout(),
        counted_as: None,
        sources: Default::default(),
        plugins: Plugins::default(),
        cluster: Some(Arc::new(Cluster {
            name: format!("route/{name}").into(),
            upstream: Arc::new(upstream),
            connect_timeout: SECOND,
            check: None,
            credential: None,
            login: None,
            breaker: None,
        })),
    })
}

fn instance(last: u8) -> Instance {
    Instance::new(last.to_string(), Ipv4Addr::new(10, 0, 0, last).into(), 80)
}

fn nodes(last: u8) -> Members {
    let host = format!("10.0.0.{last}").into();
    Members::Nodes(vec![model::Node::new(host, 80, 1)])
}

struct Scene {
    builder: Builder,
    instances: Instances,
    drains: Drains,
    revision: i64,
}

impl Scene {
    fn new() -> Self {
        let mut builder = Builder::new(&id("default"), None);
        builder.handle_gateway(Some(gateway()), &Instances::new());
        Self {
            builder,
            instances: Instances::new(),
            drains: Drains::default(),
            revision: 0,
        }
    }

    fn gateway(&mut self, gateway: Option<Arc<Gateway>>) {
        self.builder.handle_gateway(gateway, &self.instances);
    }

    fn put(&mut self, name: &str, members: Members) -> &mut Self {
        self.builder
            .handle_route(&id(name), Some(route(name, members)), &self.instances);
        self
    }

    fn delete(&mut self, name: &str) -> &mut Self {
        self.builder.handle_route(&id(name), None, &self.instances);
        self
    }

    fn answer(&mut self, name: &str, instances: &[u8]) -> &mut Self {
        let answered = instances.iter().copied().map(instance).collect();
        self.instances.insert(service(name), answered);
        self.builder.handle_answer(&service(name), &self.instances);
        self
    }

    fn next(&mut self) -> Option<(Arc<Snapshot>, Tallies)> {
        self.revision += 1;
        let inputs = Inputs {
            revision: self.revision,
            instances: &self.instances,
            drains: &self.drains,
        };
        self.builder.next(&inputs, None)
    }

    /// What the next snapshot changes, as the log writes it.
    fn changes(&mut self) -> String {
        let Some((_, tallies)) = self.next() else {
            return "nothing".into();
        };
        let words: Vec<_> = ResourceType::ALL
            .into_iter()
            .zip(tallies)
            .filter(|(_, tally)| *tally != Default::default())
            .map(|(of, tally)| format!("{}={tally}", of.as_str()))
            .collect();
        words.join(" ")
    }
}

#[test]
fn routes_and_instances_touch_only_what_is_theirs() {
    let mut scene = Scene::new();
    assert_eq!(
        scene.changes(),
        "extensions=+68~0-0 listeners=+1~0-0 routes=+1~0-0"
    );
    scene.put("a", nodes(1));
    assert_eq!(
        scene.changes(),
        "clusters=+1~0-0 endpoints=+1~0-0 routes=~1"
    );
    scene.put("a", nodes(2));
    assert_eq!(
        scene.changes(),
        "endpoints=~1",
        "a changed node is endpoints and nothing else"
    );
    scene
        .answer("echo", &[1, 2])
        .put("b", Members::Service(Discovered::all(service("echo"))));
    assert_eq!(
        scene.changes(),
        "clusters=+1~0-0 endpoints=+1~0-0 routes=~1"
    );
    scene.answer("echo", &[1]);
    assert_eq!(scene.changes(), "endpoints=~1");
    scene.delete("a");
    assert_eq!(
        scene.changes(),
        "clusters=+0~0-1 endpoints=+0~0-1 routes=~1"
    );
}

#[test]
fn what_comes_back_to_the_same_content_is_no_change() {
    let mut scene = Scene::new();
    scene.put("a", nodes(1)).next();
    scene.put("a", nodes(1));
    assert_eq!(scene.changes(), "nothing");
    scene
        .put("a", nodes(2))
        .put("a", nodes(1))
        .put("b", nodes(3))
        .delete("b");
    assert_eq!(scene.changes(), "nothing");
}

#[test]
fn a_burst_on_one_route_is_translated_once_a_snapshot() {
    let mut scene = Scene::new();
    scene.put("a", nodes(1)).next();
    let elsewhere = Route {
        paths: vec![Path::Prefix("/elsewhere/".into())],
        ..(*route("a", nodes(1))).clone()
    };
    let elsewhere = Some(Arc::new(elsewhere));
    let instances = Instances::new();
    scene
        .builder
        .handle_route(&id("a"), elsewhere.clone(), &instances);
    scene.put("a", nodes(1));
    scene.builder.routes.settle(Tables::One);
    let news = scene.builder.routes.news();
    assert!(
        news.tables.is_empty(),
        "the table never had what stood between"
    );
    scene.builder.handle_route(&id("a"), elsewhere, &instances);
    assert_eq!(scene.changes(), "routes=~1");
}

#[test]
fn clusters_of_one_service_share_its_load_assignment() {
    let mut scene = Scene::new();
    scene.answer("echo", &[1]);
    scene
        .put("a", Members::Service(Discovered::all(service("echo"))))
        .put("b", Members::Service(Discovered::all(service("echo"))));
    let (snapshot, _) = scene.next().unwrap();
    assert_eq!(snapshot.set(ResourceType::Cluster).len(), 2);
    let assignments = snapshot.set(ResourceType::LoadAssignment);
    assert_eq!(
        assignments
            .iter()
            .map(|(name, _)| &**name)
            .collect::<Vec<_>>(),
        ["consul/echo"]
    );
    scene.delete("a");
    assert_eq!(
        scene.changes(),
        "clusters=+0~0-1 routes=~1",
        "the other one still uses it"
    );
    scene.delete("b");
    assert_eq!(
        scene.changes(),
        "clusters=+0~0-1 endpoints=+0~0-1 routes=~1"
    );
}

#[test]
fn a_route_waits_for_the_first_answer_of_its_service_and_holds_up_nobody() {
    let mut scene = Scene::new();
    scene.next();
    scene
        .put("new", Members::Service(Discovered::all(service("slow"))))
        .put("other", nodes(1));
    assert_eq!(
        scene.changes(),
        "clusters=+1~0-0 endpoints=+1~0-0 routes=~1",
        "only the other"
    );
    assert_eq!(scene.builder.waiting().count(), 1);
    scene.answer("slow", &[]);
    assert_eq!(
        scene.changes(),
        "clusters=+1~0-0 endpoints=+1~0-0 routes=~1",
        "empty is an answer"
    );
    assert_eq!(scene.builder.waiting().count(), 0);
}

#[test]
fn a_route_that_moves_to_an_unknown_service_keeps_its_form_until_the_answer() {
    let mut scene = Scene::new();
    scene.put("a", nodes(1)).next();
    scene.put("a", Members::Service(Discovered::all(service("slow"))));
    assert_eq!(scene.changes(), "nothing");
    scene.answer("slow", &[7]);
    assert_eq!(scene.changes(), "clusters=~1 endpoints=+1~0-1 routes=~1");
}

#[test]
fn versions_are_equal_however_the_content_came_about() {
    let mut long = Scene::new();
    long.put("a", nodes(9))
        .put("b", nodes(2))
        .put("c", nodes(3))
        .next();
    long.delete("c").put("a", nodes(1));
    let mut short = Scene::new();
    short.put("b", nodes(2)).put("a", nodes(1));
    let (by_far, at_once) = (long.next().unwrap().0, short.next().unwrap().0);
    assert_eq!(by_far.version(), at_once.version());
    for resource_type in ResourceType::ALL {
        let versions = |snapshot: &Snapshot| -> Vec<_> {
            let set = snapshot.set(resource_type);
            set.iter()
                .map(|(name, resource)| (name.clone(), resource.version))
                .collect()
        };
        assert_eq!(versions(&by_far), versions(&at_once));
    }
}

#[test]
fn a_gateway_without_a_document_is_not_served() {
    let mut scene = Scene::new();
    scene.put("a", nodes(1)).next();
    scene.gateway(None);
    assert!(!scene.builder.exists());
    let before = scene.next().unwrap().0;
    scene.gateway(Some(gateway()));
    let after = scene.next().unwrap().0;
    assert!(after.sequence > before.sequence, "streams count on it");
}

/// A route to an upstream that others share.
fn sharing(name: &str, members: Members) -> Arc<Route> {
    let mut route = Arc::into_inner(route(name, members)).unwrap();
    let mut cluster = Arc::into_inner(route.cluster.take().unwrap()).unwrap();
    cluster.name = "upstream/u".into();
    route.cluster = Some(Arc::new(cluster));
    Arc::new(route)
}

#[test]
fn a_refused_route_does_not_take_an_upstream_back_that_others_share() {
    let mut scene = Scene::new();
    let put = |scene: &mut Scene, name: &str, last| {
        let route = sharing(name, nodes(last));
        let instances = &scene.instances;
        scene
            .builder
            .handle_route(&id(name), Some(route), instances);
    };
    let said = |scene: &mut Scene, sequence: u64, error: Option<&str>| {
        said(scene, ResourceType::RouteConfiguration, sequence, error);
    };
    let assignment = |snapshot: &Snapshot| {
        let set = snapshot.set(ResourceType::LoadAssignment);
        set.iter().next().unwrap().1.version
    };
    put(&mut scene, "bad", 1);
    put(&mut scene, "other", 1);
    scene.next().unwrap();
    said(&mut scene, 1, None);
    put(&mut scene, "bad", 2);
    put(&mut scene, "other", 2);
    let (moved, _) = scene.next().unwrap();
    said(&mut scene, moved.sequence, Some("route/bad is no good"));
    assert!(scene.builder.refused().contains_key("routes/bad"));
    let newest = scene.next().map_or(moved.clone(), |(newest, _)| newest);
    assert_eq!(assignment(&newest), assignment(&moved));
}

#[test]
fn all_that_is_refused_of_a_document_is_told() {
    let mut scene = Scene::new();
    scene.put("bad", nodes(1));
    scene.put("good", nodes(1));
    let sequence = scene.next().unwrap().0.sequence;
    let words = Some("route/bad is no good");
    said(
        &mut scene,
        ResourceType::RouteConfiguration,
        sequence,
        words,
    );
    said(&mut scene, ResourceType::LoadAssignment, sequence, words);
    let refused = scene.builder.refused();
    let of_document: Vec<&str> = refused["routes/bad"]
        .iter()
        .map(|(resource, _)| resource.as_str())
        .collect();
    assert_eq!(of_document, ["route/bad", "endpoints route/bad"]);
    assert_eq!(refused.len(), 1);
}

#[test]
fn what_is_taken_back_for_want_of_something_is_not_told_beside_it() {
    let mut scene = Scene::new();
    scene.put("bad", nodes(1));
    let sequence = scene.next().unwrap().0.sequence;
    let words = Some("route/bad is no good");
    said(&mut scene, ResourceType::Cluster, sequence, words);
    let refused = &scene.builder.refused()["routes/bad"];
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!(refused[0].0, "clusters route/bad");
}

#[test]
fn nodes_go_with_the_cluster_that_they_came_with_though_they_were_accepted() {
    use ResourceType::{Cluster, LoadAssignment};
    let mut scene = Scene::new();
    let of = |scene: &Scene| {
        let set = scene.builder.current().set(LoadAssignment);
        set.find("route/a").unwrap().version
    };
    let with_timeout = |last, seconds| {
        let mut route = (*route("a", nodes(last))).clone();
        let mut cluster = (**route.cluster.as_ref().unwrap()).clone();
        cluster.connect_timeout = SECOND * seconds;
        route.cluster = Some(Arc::new(cluster));
        Arc::new(route)
    };
    let put = |scene: &mut Scene, route| {
        scene
            .builder
            .handle_route(&id("a"), Some(route), &scene.instances);
        scene.next().unwrap().0.sequence
    };
    let first = put(&mut scene, with_timeout(1, 1));
    let good = of(&scene);
    said(&mut scene, LoadAssignment, first, None);
    said(&mut scene, Cluster, first, None);
    for seconds in 2..4 {
        let second = put(&mut scene, with_timeout(2, seconds));
        assert_ne!(of(&scene), good);
        said(&mut scene, LoadAssignment, second, None);
        said(&mut scene, Cluster, second, Some("no"));
        scene.next();
        assert_eq!(of(&scene), good, "the nodes of the form before");
    }
}

#[test]
fn whoever_has_a_part_of_the_tables_has_accepted_no_route() {
    let mut scene = Scene::new();
    scene.put("new", nodes(1));
    let sequence = scene.next().unwrap().0.sequence;
    let accepted = Accepted {
        sequence: Some(sequence),
        ..Accepted::nothing(ResourceType::RouteConfiguration)
    };
    scene.builder.handle_outcome(&Outcome::Accepted(accepted));
    let words = Some("route/new is no good");
    said(
        &mut scene,
        ResourceType::RouteConfiguration,
        sequence,
        words,
    );
    assert!(scene.builder.refused().contains_key("routes/new"));
}

#[test]
fn what_one_accepts_after_another_refused_it_and_accepted_what_came_next_is_in_force_again() {
    let mut scene = Scene::new();
    scene.put("old", nodes(1));
    let first = scene.next().unwrap().0.sequence;
    const ROUTES: ResourceType = ResourceType::RouteConfiguration;
    said(&mut scene, ROUTES, first, None);
    scene.put("new", nodes(1));
    let second = scene.next().unwrap().0.sequence;
    said(&mut scene, ROUTES, second, Some("no"));
    assert!(scene.builder.refused().contains_key("routes/new"));
    let third = scene.next().unwrap().0.sequence;
    said(&mut scene, ROUTES, third, None);
    assert!(scene.builder.route(&id("new")).is_none());
    said(&mut scene, ROUTES, second, None);
    assert!(scene.builder.refused().is_empty());
    assert!(scene.builder.route(&id("new")).is_some());
    // The one that refused it does so again: it is behind.
    let fourth = scene.next().unwrap().0.sequence;
    said(&mut scene, ROUTES, fourth, Some("no"));
    assert!(scene.builder.refused().is_empty());
}

fn said(scene: &mut Scene, of: ResourceType, sequence: u64, error: Option<&str>) {
    let outcome = match error {
        None => Outcome::Accepted(Accepted {
            sequence: Some(sequence),
            whole: true,
            ..Accepted::nothing(of)
        }),
        Some(error) => Outcome::Refused(Refused {
            resource_type: of,
            after: sequence.checked_sub(1),
            sequence,
            error: error.into(),
            node: "node".into(),
            at: 0,
        }),
    };
    scene.builder.handle_outcome(&outcome);
}
