mod draw;

use std::collections::BTreeSet;
use std::time::Duration;

use envoy_types::pb::envoy::config::route::v3::RouteConfiguration;
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;

use super::reading::{self, taken};
use super::*;
use crate::envoy::canonical;
use crate::explain::winner;
use crate::model::{Request, Timeout};
use draw::{any_request, any_route};

const PATHS: [&str; 9] = [
    "/", "/a", "/a/", "/ab", "/a/b", "/a/b/", "/a/bc", "/b", "/é",
];
const HOSTS: [&str; 6] = [
    "a.test",
    "b.a.test",
    "c.b.a.test",
    ".test",
    ".a.test",
    ".b.a.test",
];
const ASKED: [&str; 6] = [
    "a.test",
    "b.a.test",
    "c.b.a.test",
    "d.c.b.a.test",
    "x.a.test",
    "other",
];

fn id(id: &str) -> Id {
    id.parse().unwrap()
}

fn path(text: &str) -> Path {
    match text.strip_suffix('*') {
        Some(prefix) => Path::Prefix(prefix.into()),
        None => Path::Exact(text.into()),
    }
}

fn host(text: &str) -> Host {
    if text.starts_with('.') {
        Host::Suffix(text.into())
    } else {
        Host::Exact(text.into())
    }
}

fn route(name: &str, hosts: &[&str], paths: &[&str]) -> Route {
    let second = Duration::from_secs(1);
    Route {
        revision: 0,
        id: id(name),
        gateways: vec![id("default")],
        hosts: hosts.iter().map(|text| host(text)).collect(),
        paths: paths.iter().map(|text| path(text)).collect(),
        methods: BTreeSet::new(),
        addresses: Vec::new(),
        vars: None,
        priority: 0,
        websocket: false,
        timeout: Timeout {
            connect: second,
            send: second,
            read: second,
        },
        counted_as: None,
        sources: Default::default(),
        plugins: Default::default(),
        cluster: None,
    }
}

fn table(routes: &[Route]) -> RouteTable {
    let mut table = RouteTable::new("default");
    for route in routes {
        table.replace(&route.id, Some(Arc::new(route.clone())));
    }
    table
}

fn decoded(table: &mut RouteTable) -> RouteConfiguration {
    RouteConfiguration::decode(table.encode()).unwrap()
}

/// Who gets a request.
fn ask(routes: &[Route], method: &str, host: &str, path: &str) -> String {
    let request = request(method, host, path);
    taken(&decoded(&mut table(routes)), &request).unwrap_or_else(|| "404".to_owned())
}

fn request(method: &str, host: &str, path: &str) -> Request {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    Request {
        method: method.into(),
        scheme: "http".into(),
        authority: host.into(),
        path: path.into(),
        query: query.into(),
        headers: Vec::new(),
        address: [10, 0, 0, 1].into(),
        port: 9080,
    }
}

proptest! {
    #[test]
    fn envoy_takes_the_route_that_a_user_expects(routes in vec(any_route(), 0..12), requests in vec(any_request(), 32)) {
        let mut table = table(&routes);
        let left: Vec<Arc<Route>> = table.routes.values().cloned().collect();
        let configuration = decoded(&mut table);
        for request in requests {
            let expected = winner(&left, &request).map(|id| format!("route/{id}"));
            prop_assert_eq!(taken(&configuration, &request), expected, "{:?}", request);
        }
    }

    #[test]
    fn edits_lead_to_the_same_bytes_as_building_anew(
        edits in vec((any_route(), any::<bool>(), any::<bool>()), 1..30)
    ) {
        let mut edited = RouteTable::new("default");
        for (route, keep, look) in edits {
            let id = route.id.clone();
            edited.replace(&id, keep.then(|| Arc::new(route)));
            if look {
                edited.encode();
            }
        }
        let mut left: Vec<Route> = edited.routes.values().map(|route| Route::clone(route)).collect();
        left.sort_by(|a, b| b.id.cmp(&a.id));
        prop_assert_eq!(edited.encode(), table(&left).encode());
    }

    #[test]
    fn the_bytes_are_canonical(routes in vec(any_route(), 0..8)) {
        let mut table = table(&routes);
        let bytes = table.encode();
        prop_assert_eq!(canonical(&RouteConfiguration::decode(bytes.clone()).unwrap()), bytes);
    }
}

#[test]
fn the_host_comes_before_the_path_and_the_path_before_the_priority() {
    let routes = [
        Route {
            priority: 9,
            ..route("any", &[], &["/a/b/c"])
        },
        Route {
            priority: 5,
            ..route("short", &["www.test"], &["/a/*"])
        },
        route("long", &["www.test"], &["/a/b/*"]),
        Route {
            priority: 1,
            ..route("wild", &[".test"], &["/a/b/c"])
        },
    ];
    assert_eq!(ask(&routes, "GET", "www.test", "/a/b/c"), "route/long");
    assert_eq!(ask(&routes, "GET", "www.test", "/a/c"), "route/short");
    assert_eq!(ask(&routes, "GET", "api.test", "/a/b/c"), "route/wild");
    assert_eq!(ask(&routes, "GET", "other", "/a/b/c"), "route/any");
    assert_eq!(ask(&routes, "GET", "www.test", "/"), "404");
}

#[test]
fn a_candidate_with_another_method_falls_through() {
    let get = |route: Route| Route {
        methods: BTreeSet::from(["GET".to_owned()]),
        ..route
    };
    let routes = [
        get(route("exact", &["www.test"], &["/a/b"])),
        get(route("prefix", &["www.test"], &["/a/*"])),
        route("any", &[], &["/*"]),
    ];
    assert_eq!(ask(&routes, "GET", "www.test", "/a/b"), "route/exact");
    assert_eq!(ask(&routes, "GET", "www.test", "/a/b/c"), "route/prefix");
    assert_eq!(ask(&routes, "POST", "www.test", "/a/b"), "route/any");
}

#[test]
fn an_exact_path_is_found_with_a_query_and_not_below_itself() {
    let routes = [route("exact", &[], &["/a"]), route("rest", &[], &["/*"])];
    assert_eq!(ask(&routes, "GET", "x", "/a?b=/c"), "route/exact");
    assert_eq!(ask(&routes, "GET", "x", "/a/"), "route/rest");
    assert_eq!(ask(&routes, "GET", "x", "/ab"), "route/rest");
}

#[test]
fn a_host_without_routes_is_no_virtual_host() {
    let mut table = table(&[route("a", &["www.test"], &["/a"]), route("b", &[], &["/b"])]);
    table.replace(&id("a"), None);
    let hosts = decoded(&mut table).virtual_hosts;
    assert_eq!(
        hosts
            .iter()
            .map(|host| host.name.as_str())
            .collect::<Vec<_>>(),
        ["*"]
    );
    table.replace(&id("b"), None);
    assert!(decoded(&mut table).virtual_hosts.is_empty());
}

#[test]
fn a_leaf_ends_with_the_route_that_takes_all() {
    let mut table = table(&[route("a", &[], &["/a/*"]), route("rest", &[], &["/*"])]);
    table.encode();
    let names =
        |key: &str| candidates(&tiers_of(&table.tiers, &None), key).map_or(0, |all| all.len());
    assert_eq!((names("/a/"), names("/")), (1, 1));
}

#[test]
fn a_host_whose_routes_take_all_needs_no_keys_of_other_tiers() {
    let other = [route("a", &[], &["/a/*"]), route("b", &[".test"], &["/b"])];
    let all = [route("all", &["www.test"], &["/*"])];
    let keys = |routes: &[Route]| {
        let hosts = decoded(&mut table(routes)).virtual_hosts;
        let host = hosts.iter().find(|host| host.name == "www.test").unwrap();
        reading::tree(host).map.len()
    };
    assert_eq!(keys(&[&other[..], &all[..]].concat()), 1);
    let get = Route {
        methods: BTreeSet::from(["GET".to_owned()]),
        ..all[0].clone()
    };
    assert_eq!(keys(&[&other[..], &[get]].concat()), 3);
}

#[test]
fn a_change_makes_only_the_leaves_anew_that_it_has_a_part_in() {
    let mut table = table(&[
        route("a", &[], &["/a/*"]),
        route("ab", &[], &["/a/b"]),
        route("c", &[], &["/c"]),
    ]);
    table.encode();
    table.replace(
        &id("a"),
        Some(Arc::new(Route {
            priority: 1,
            ..route("a", &[], &["/a/*"])
        })),
    );
    let stale: Vec<&str> = table.hosts[&None]
        .leaves
        .iter()
        .filter(|(_, leaf)| leaf.is_none())
        .map(|(key, _)| &**key)
        .collect();
    assert_eq!(stale, ["/a/", "/a/b"]);
}

#[test]
fn a_route_whose_bytes_stay_makes_no_leaf_anew() {
    let was = route("a", &["a.test"], &["/a", "/a/*"]);
    let mut table = table(&[was.clone(), route("b", &[], &["/b"])]);
    let mut put = |route: &Route| table.replace(&id("a"), Some(Arc::new(route.clone())));
    let methods = BTreeSet::from(["GET".to_owned()]);
    for (other, changes) in [
        (
            Route {
                revision: 7,
                ..was.clone()
            },
            false,
        ),
        (
            Route {
                priority: 1,
                ..was.clone()
            },
            true,
        ),
        (
            Route {
                methods,
                ..was.clone()
            },
            true,
        ),
        (route("a", &["b.test"], &["/a", "/a/*"]), true),
        (route("a", &["a.test"], &["/a"]), true),
    ] {
        assert_eq!(put(&other), changes, "{other:?}");
        assert_eq!(put(&was), changes, "back from {other:?}");
    }
}
