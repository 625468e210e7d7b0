mod divided;
mod draw;
mod size;

use std::collections::BTreeSet;
use std::time::Duration;

use envoy_types::pb::envoy::config::route::v3::{RouteConfiguration, route::Action};
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;
use serde_json::json;

use super::reading::{listed, taken};
use super::translated::parts;
use super::*;
use crate::documents::Route;
use crate::envoy::canonical;
use crate::explain::winner;
use crate::model::Path;
use crate::model::{Request, Timeout};
use draw::{any_request, any_route};

const PATHS: [&str; 14] = [
    "/", "/a", "/a/", "/ab", "/a/b", "/a/b/", "/a/bc", "/b", "/é", "/a/é", "/b/b", "/a//b", "//a",
    "/%61/b",
];
const HOSTS: [&str; 6] = [
    "a.test",
    "b.a.test",
    "c.b.a.test",
    ".test",
    ".a.test",
    ".b.a.test",
];
const ASKED: [&str; 11] = [
    "a.test",
    "b.a.test",
    "c.b.a.test",
    "d.c.b.a.test",
    "x.a.test",
    "other",
    "A.test",
    "B.a.TEST:8080",
    "x.A.test:1",
    "a.test:80",
    "a.testb",
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

fn translated(route: Route) -> Arc<Translated> {
    Arc::new(Translated::new(Arc::new(route)))
}

fn table(routes: &[Route]) -> RouteTable {
    let mut table = RouteTable::new("default", Section::WHOLE);
    for route in routes {
        table.replace(&route.id, Some(&translated(route.clone())));
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
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn so_it_does_where_leaves_are_divided(routes in vec(any_route(), 24..48), requests in vec(any_request(), 32)) {
        let routes: Vec<Route> = routes
            .into_iter()
            .enumerate()
            .map(|(at, route)| Route { id: id(&format!("r{at}")), ..route })
            .collect();
        let all: Vec<_> = routes.iter().cloned().map(Arc::new).collect();
        let configuration = decoded(&mut table(&routes));
        for request in requests {
            let expected = winner(&all, &request).map(|id| format!("route/{id}"));
            prop_assert_eq!(taken(&configuration, &request), expected, "{:?}", request);
        }
    }
}

proptest! {
    #[test]
    fn envoy_takes_the_route_that_a_user_expects(routes in vec(any_route(), 0..12), requests in vec(any_request(), 32)) {
        let mut table = table(&routes);
        let left: Vec<Arc<Route>> = table.routes.values().map(|one| one.route.clone()).collect();
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
        let mut edited = RouteTable::new("default", Section::WHOLE);
        for (route, keep, look) in edits {
            let id = route.id.clone();
            edited.replace(&id, keep.then(|| translated(route)).as_ref());
            if look {
                edited.encode();
            }
        }
        let mut left: Vec<Route> = edited.routes.values().map(|one| Route::clone(&one.route)).collect();
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
fn a_table_without_routes_has_no_virtual_host() {
    let mut table = table(&[route("a", &["www.test"], &["/a"]), route("b", &[], &["/b"])]);
    table.replace(&id("a"), None);
    assert_eq!(decoded(&mut table).virtual_hosts.len(), 1);
    table.replace(&id("b"), None);
    assert!(decoded(&mut table).virtual_hosts.is_empty());
}

#[test]
fn capitals_ports_and_long_hosts_are_served() {
    let long = format!(
        "{}.k-and-s.test",
        ["sk".repeat(20), "a".repeat(60)].join(".")
    );
    let wide = format!(".{long}");
    let routes = [
        route("own", &["www.a.test"], &["/a"]),
        route("long", &[&long], &["/a"]),
        route("wide", &[&wide], &["/a"]),
        route("wild", &[".a.test"], &["/*"]),
        route("rest", &[], &["/*"]),
    ];
    for (host, expected) in [
        ("WWW.a.Test", "own"),
        ("www.A.test:8080", "own"),
        ("www.a.test:", "own"),
        ("www.a.test:x", "rest"),
        ("www.a.test.evil", "rest"),
        ("wwwxa.test", "rest"),
        ("X.a.TEST:1", "wild"),
        ("x:y.a.test", "wild"),
        (".a.test", "rest"),
        ("a.test", "rest"),
        (&long.to_uppercase(), "long"),
        (&format!("{long}:80"), "long"),
        (&format!("{long}:80:80"), "rest"),
        (&format!("{long}x"), "rest"),
        (&format!("x.{long}").to_uppercase(), "wide"),
        (&format!("x.{long}:80"), "wide"),
        (&wide, "rest"),
        (&format!("{wide}:80"), "rest"),
    ] {
        let request = request("GET", host, "/a");
        let all: Vec<_> = routes.iter().cloned().map(Arc::new).collect();
        let reference = winner(&all, &request).map(|id| id.to_string());
        assert_eq!(reference.as_deref(), Some(expected), "{host}");
        assert_eq!(
            ask(&routes, "GET", host, "/a"),
            format!("route/{expected}"),
            "{host}"
        );
    }
}

#[test]
fn many_hosts_and_wildcards_are_told_apart() {
    let exact = (0..60).map(|n| format!("h{n}.example.test"));
    let wild = (0..60).map(|n| format!(".w{n}.example.test"));
    let inner = (0..9).map(|n| format!(".{}w7.example.test", "b.".repeat(n + 1)));
    let nested = (1..60).map(|n| "z".repeat(n));
    let more = [".test", ".example.test", ".st", "example.test"].map(str::to_owned);
    let hosts: Vec<String> = exact
        .chain(wild)
        .chain(inner)
        .chain(nested)
        .chain(more)
        .collect();
    let routes: Vec<Route> = hosts
        .iter()
        .enumerate()
        .map(|(at, host)| route(&format!("r{at}"), &[host], &[&format!("/{}", at % 3)]))
        .collect();
    let all: Vec<_> = routes.iter().cloned().map(Arc::new).collect();
    let table = decoded(&mut table(&routes));
    for host in hosts.iter().flat_map(|host| {
        let name = if host.starts_with('.') {
            format!("x{host}")
        } else {
            host.clone()
        };
        [
            name.clone(),
            name.to_uppercase() + ":99",
            format!("{name}0"),
            format!("y.{name}"),
        ]
    }) {
        for path in ["/0", "/1", "/2"] {
            let request = request("GET", &host, path);
            let expected = winner(&all, &request).map(|id| format!("route/{id}"));
            assert_eq!(taken(&table, &request), expected, "{host} {path}");
        }
    }
}

#[test]
fn a_pattern_of_paths_does_not_reach_beyond_the_path() {
    for narrower in [
        json!({ "uri": "/a/b/*", "vars": [["uri", "~~", "^/a/.*b"]], "plugins": { "mocking": {} } }),
        json!({
            "uri": "/a/b/*",
            "plugins": { "proxy-rewrite": { "regex_uri": ["^/a/.*c", "/y"] } },
            "upstream": { "nodes": { "127.0.0.1:80": 1 } },
        }),
    ] {
        let routes = [
            draw::read("narrow", &narrower).unwrap(),
            route("wide", &[], &["/a*"]),
        ];
        assert_eq!(
            ask(&routes, "GET", "x", "/a/bc"),
            "route/wide",
            "{narrower}"
        );
        assert_eq!(
            ask(&routes, "GET", "x", "/a/b/bc"),
            "route/narrow",
            "{narrower}"
        );
    }
}

/// A route that sends requests to a node, with its retries.
fn retried(name: &str, path: &str, retries: u32) -> Route {
    let upstream = json!({ "nodes": { "127.0.0.1:80": 1 }, "retries": retries });
    draw::read(name, &json!({ "uri": path, "upstream": upstream })).unwrap()
}

/// How often each route tries again, as its own policy or that of all says; and how many say it themselves.
fn retries(table: &mut RouteTable) -> (BTreeMap<String, u32>, usize) {
    let [host] = &decoded(table).virtual_hosts[..] else {
        panic!("no virtual host")
    };
    let (mut retries, mut own) = (BTreeMap::new(), 0);
    for route in listed(host.matcher.as_ref().unwrap()) {
        let Some(Action::Route(action)) = route.action else {
            panic!("{} sends to nobody", route.name)
        };
        own += usize::from(action.retry_policy.is_some());
        let policy = action.retry_policy.as_ref();
        let policy = policy.or(host.retry_policy.as_ref()).unwrap();
        retries.insert(route.name, policy.num_retries.unwrap().value);
    }
    (retries, own)
}

#[test]
fn what_most_routes_say_of_retries_is_said_once_and_means_the_same() {
    let routes = [
        retried("a", "/a", 1),
        retried("b", "/b", 0),
        retried("c", "/c", 1),
        retried("d", "/d/*", 2),
    ];
    let mut table = table(&routes);
    let expected = |all: &[(&str, u32)]| -> BTreeMap<String, u32> {
        let all = all.iter();
        all.map(|(name, retries)| (format!("route/{name}"), *retries))
            .collect()
    };
    let all = expected(&[("a", 1), ("b", 0), ("c", 1), ("d", 2)]);
    assert_eq!(retries(&mut table), (all, 2));
    // Others are the most.
    for (name, again) in [("a", 2), ("b", 2)] {
        let changed = retried(name, &format!("/{name}"), again);
        table.replace(&id(name), Some(&translated(changed)));
    }
    let all = expected(&[("a", 2), ("b", 2), ("c", 1), ("d", 2)]);
    assert_eq!(retries(&mut table), (all, 1));
    // None is there twice.
    for name in ["a", "b"] {
        table.replace(&id(name), None);
    }
    assert_eq!(retries(&mut table), (expected(&[("c", 1), ("d", 2)]), 2));
}

#[test]
fn a_table_enables_the_filter_for_repeated_requests_if_any_is_repeated() {
    let (again, never) = (retried("a", "/a", 1), retried("b", "/b", 0));
    let mut table = table(&[again.clone(), never]);
    let enables = |table: &mut RouteTable| {
        let [host] = &decoded(table).virtual_hosts[..] else {
            panic!("no virtual host")
        };
        !host.typed_per_filter_config.is_empty()
    };
    assert!(enables(&mut table));
    table.replace(&again.id, None);
    assert!(!enables(&mut table));
}

/// Every leaf that is made, with its bytes.
fn leaves(table: &mut RouteTable) -> BTreeSet<(String, *const u8)> {
    table.encode();
    let branches = table.branches.values();
    branches
        .flat_map(|branch| branch.made.leaves())
        .map(|(key, encoded)| (key.to_owned(), encoded.as_ptr()))
        .collect()
}

#[test]
fn a_change_makes_only_the_leaves_anew_that_it_has_a_part_in() {
    let many: Vec<Route> = (0..200)
        .map(|n| route(&format!("r{n}"), &[], &[&format!("/{n:03}/*")]))
        .chain([
            route("host", &["a.test"], &["/a"]),
            route("all", &[".test"], &["/*"]),
        ])
        .collect();
    let mut table = table(&many);
    let before = leaves(&mut table);
    assert!(before.len() > 12, "{before:?}");
    let other = Route {
        priority: 1,
        ..many[70].clone()
    };
    table.replace(&id("r70"), Some(&translated(other)));
    let anew: Vec<_> = leaves(&mut table).difference(&before).cloned().collect();
    assert_eq!(anew.len(), 1, "{anew:?}");
    assert!("/070/".starts_with(&anew[0].0), "{anew:?}");
}

#[test]
fn a_route_whose_bytes_stay_makes_no_leaf_anew() {
    let was = route("a", &["a.test"], &["/a", "/a/*"]);
    let mut table = table(&[was.clone(), route("b", &[], &["/b"])]);
    let mut put = |route: &Route| table.replace(&id("a"), Some(&translated(route.clone())));
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
