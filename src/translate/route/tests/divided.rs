//! Divided tables: whatever the division, the table of a request's cell takes the route that the one table would.

use std::sync::LazyLock;

use regex::Regex;

use super::super::cell::{self, BITS};
use super::super::division::{Best, Counts, Division};
use super::*;
use crate::model::gateway::http::Tables as Mode;

/// The route that a request gets, by the table that its scope names.
fn taken_of(tables: &mut RouteTables, request: &Request) -> Option<String> {
    tables.touch();
    let News { tables, scopes } = tables.news();
    let key = format!("default/{}", cell_of(&request.authority, &target(request)));
    let scopes = scopes.unwrap();
    let (_, name) = scopes.iter().find(|(scope, _)| scope.name == key).unwrap();
    let (_, table) = tables.iter().find(|(table, _)| table == name).unwrap();
    let table = RouteConfiguration::decode(table.clone().unwrap()).unwrap();
    assert_eq!(table.request_headers_to_remove, [CELL_HEADER]);
    taken(&table, request)
}

/// The number of a request's cell, by the patterns that Envoy is given.
fn cell_of(host: &str, path: &str) -> u16 {
    static PATTERNS: LazyLock<Vec<(bool, Regex, u16)>> = LazyLock::new(|| {
        let expression = cell::expression();
        let sum = expression.strip_prefix("%CEL(").unwrap();
        let sum = sum.strip_suffix("+0)%").unwrap();
        let parsed = sum.split('+').map(|bit| {
            let bit = bit.strip_prefix("(request.").unwrap();
            let (what, bit) = bit.split_once(".matches('").unwrap();
            let (pattern, bit) = bit.split_once("') ? 0 : ").unwrap();
            let value = bit.strip_suffix(')').unwrap().parse().unwrap();
            (what == "host", Regex::new(pattern).unwrap(), value)
        });
        parsed.collect()
    });
    let odd = PATTERNS
        .iter()
        .filter(|(of_host, pattern, _)| !pattern.is_match(if *of_host { host } else { path }));
    odd.map(|(_, _, value)| value).sum()
}

fn any_division() -> impl Strategy<Value = Division> {
    let bits = (0..)
        .zip(BITS)
        .flat_map(|(axis, bits)| (0..bits as u8).map(move |bit| (axis, bit)));
    let bits = Just(bits.collect::<Vec<_>>()).prop_shuffle();
    let splits = vec(any::<bool>(), 64);
    (bits, splits).prop_map(|(bits, splits)| split(&bits, &mut splits.into_iter()))
}

/// Divided by the bits in turn, down to where it is not to be.
fn split(bits: &[(usize, u8)], splits: &mut impl Iterator<Item = bool>) -> Division {
    match bits {
        [(axis, bit), rest @ ..] if splits.next() == Some(true) => {
            let mut half = || split(rest, splits);
            Division::by(*axis, *bit, [half(), half()])
        }
        _ => Division::default(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_table_of_its_cell_takes_the_same_route(
        routes in vec(any_route(), 0..12),
        requests in vec(any_request(), 4),
        divisions in vec(any_division(), 1..3),
    ) {
        let mut tables = RouteTables::new("default");
        tables.settle(Mode::Divided);
        let all: Vec<_> = routes.into_iter().enumerate().map(|(at, route)| {
            Arc::new(Route { id: id(&format!("r{at}")), ..route })
        }).collect();
        let (before, after) = all.split_at(all.len() / 2);
        for route in before {
            tables.replace(&route.id, Some(route.clone()));
        }
        for division in divisions {
            tables.divide(division);
        }
        for route in after {
            tables.replace(&route.id, Some(route.clone()));
        }
        for request in requests {
            let expected = winner(&all, &request).map(|id| format!("route/{id}"));
            prop_assert_eq!(taken_of(&mut tables, &request), expected, "{:?}", request);
        }
    }

    #[test]
    fn edits_of_divided_tables_lead_to_the_same_as_building_anew(
        edits in vec((any_route(), any::<bool>()), 1..20),
        division in any_division(),
    ) {
        let news = |tables: &mut RouteTables| {
            tables.touch();
            tables.news().tables
        };
        let mut edited = RouteTables::new("default");
        edited.settle(Mode::Divided);
        edited.divide(division.clone());
        let mut left = BTreeMap::new();
        for (route, keep) in edits {
            let kept = keep.then(|| Arc::new(route.clone()));
            edited.replace(&route.id, kept.clone());
            left.remove(&route.id);
            left.extend(kept.map(|kept| (route.id, kept)));
            edited.news();
        }
        let mut anew = RouteTables::new("default");
        anew.settle(Mode::Divided);
        for (id, route) in &left {
            anew.replace(id, Some(route.clone()));
        }
        anew.divide(division);
        prop_assert_eq!(news(&mut edited), news(&mut anew));
        prop_assert_eq!(&edited.best().division, &anew.best().division);
    }
}

/// What stands on the request line.
fn target(request: &Request) -> String {
    let Request { path, query, .. } = request;
    if query.is_empty() {
        path.clone()
    } else {
        format!("{path}?{query}")
    }
}

fn cells_of(path: &str) -> [Option<u8>; 2] {
    let [_, first, second] = cell::cells(&None, &super::path(path));
    [first, second]
}

#[test]
fn a_host_gives_the_same_whatever_its_port_and_its_case() {
    let of = |name: &str| cell::cells(&Some(host(name)), &Path::Prefix("/".into()))[0];
    assert_eq!(of("a.Example.com:8080"), of("A.example.COM"));
    assert_ne!(of("a.example.com"), of("b.example.com"));
    assert_eq!(of(".example.com"), None);
    assert_eq!(cell::cells(&None, &Path::Prefix("/".into()))[0], None);
}

#[test]
fn a_path_gives_what_its_complete_segments_do() {
    let [api, v1] = cells_of("/api/v1").map(Option::unwrap);
    for both in [
        "/api/v1",
        "/api/v1/",
        "/api/v1/*",
        "/api/v1?a=1",
        "/api/v1/b/c*",
    ] {
        assert_eq!(cells_of(both), [Some(api), Some(v1)], "{both}");
    }
    for first in ["/api/*", "/api/v1*", "/api/\u{e9}", "/api/\u{e9}/*"] {
        assert_eq!(cells_of(first), [Some(api), None], "{first}");
    }
    for none in ["/*", "/api*", "*", "/\u{e9}", "/\u{e9}/v1/*"] {
        assert_eq!(cells_of(none), [None, None], "{none}");
    }
    assert_ne!(cells_of("/apj/v1")[0], Some(api));
    assert_ne!(cells_of("/api/v2")[1], Some(v1));
    let none = cells_of("/api")[1];
    assert!(none.is_some());
    assert_eq!(
        [
            cells_of("/")[1],
            cells_of("/api?a=/b")[1],
            cells_of("/api?*")[1]
        ],
        [none; 3]
    );
    let empty = cells_of("/api/")[1];
    assert_eq!([cells_of("//")[1], cells_of("/api//*")[1]], [empty; 2]);
}

/// Whatever the request is, Envoy comes to the cell that Chancery puts its exact host and path into; and every cell has a number.
#[test]
fn the_expression_says_the_same() {
    let hosts = [
        "a.test",
        "B7.a.TEST:8080",
        "x",
        "",
        "[::1]:80",
        "h-9.example.com",
    ];
    let paths = [
        "/",
        "//",
        "/a",
        "/a/",
        "/a/b",
        "/a//b",
        "//a",
        "/a?b",
        "/a/?b/c",
        "/a/b?c=/d",
        "/a/b/c/d",
        "/a%2Fb/c",
        "/A-z_9~/x.y;z=1",
        "/api/service-4711",
        "/4711/items/1",
        "/a/b#c",
        "/a b/c",
        "/?/a/b",
        "/zzz?/a/b",
    ];
    for (host, path) in hosts.iter().flat_map(|host| paths.map(|path| (host, path))) {
        let exact = Some(Host::Exact((*host).into()));
        let cells = cell::cells(&exact, &Path::Exact(path.into()));
        let number = cell::number(cells.map(Option::unwrap));
        assert_eq!(cell_of(host, path), number, "{host}{path}");
    }
    for path in ["*", "", "a/b", "/\u{e9}/\u{e9}", "/\u{212a}"] {
        assert!(cell_of("a.test", path) < cell::CELLS, "{path}");
    }
    for number in 0..cell::CELLS {
        assert_eq!(cell::number(cell::of_number(number)), number);
    }
}

/// So many hosts with so many paths each, so many paths without host, hosts with all paths, and paths of any beginning.
fn counted(hosts: usize, each: usize, without: usize, catch_alls: usize) -> Counts {
    let mut counts = Counts::default();
    let host = |n: usize| Some(Host::Exact(format!("h{n}.example.com").into()));
    let prefix = |n: usize| Path::Prefix(format!("/segment-{n}/").into());
    let own = (0..hosts).flat_map(|n| (0..each).map(move |path| (host(n), prefix(path))));
    let without = (0..without).map(|n| (None, prefix(n)));
    let all = (0..catch_alls).map(|n| (host(n), Path::Prefix("/".into())));
    let places: Vec<_> = own.chain(without).chain(all).collect();
    let places = places.iter().map(|(domain, path)| (domain, path));
    counts.replace(std::iter::empty(), places);
    counts
}

#[test]
fn what_pays_is_divided() {
    for (hosts, each, without, catch_alls, at_most) in [
        (0, 0, 6000, 0, 450),
        (1000, 5, 1000, 0, 600),
        (0, 0, 0, 6000, 450),
        (500, 6, 3000, 0, 550),
    ] {
        let counts = counted(hosts, each, without, catch_alls);
        let Best { division, cost, .. } = counts.best(&Best::default());
        assert!(
            cost <= at_most && !division.is_one(),
            "{hosts} {each} {without} {catch_alls}: {cost} {division:?}"
        );
    }
    // The first segment says nothing here.
    let mut counts = Counts::default();
    let places: Vec<_> = (0..6000)
        .map(|n| (None, Path::Exact(format!("/api/service-{n}").into())))
        .collect();
    let places = places.iter().map(|(domain, path)| (domain, path));
    counts.replace(std::iter::empty(), places);
    let Best { division, cost, .. } = counts.best(&Best::default());
    assert!(cost <= 300, "{cost} {division:?}");
    // Half of them for every segment, and half for every host: copies would take what is won.
    let Best { division, cost, .. } = counted(0, 0, 10, 10).best(&Best::default());
    assert!(division.is_one() && cost == 20, "{cost} {division:?}");
}

#[test]
fn a_gateway_that_decides_by_itself_divides_many_routes_and_joins_far_fewer() {
    let mut tables = RouteTables::new("default");
    let route = |n: usize| Arc::new(route(&format!("r{n}"), &[], &[&format!("/segment-{n}/*")]));
    for n in 0..4999 {
        let route = route(n);
        tables.replace(&route.id, Some(route.clone()));
    }
    tables.settle(Mode::Auto);
    assert!(!tables.are_divided());
    let one_more = route(4999);
    tables.replace(&one_more.id, Some(one_more.clone()));
    tables.settle(Mode::Auto);
    assert!(tables.are_divided());
    assert!(tables.news().scopes.is_some());
    for n in 2500..5000 {
        tables.replace(&id(&format!("r{n}")), None);
        if n % 100 == 99 {
            tables.settle(Mode::Auto);
            assert!(tables.are_divided(), "{n}");
        }
    }
    tables.replace(&id("r0"), None);
    tables.settle(Mode::Auto);
    assert!(!tables.are_divided());
    let News { tables, scopes } = tables.news();
    // Those that drain are told where all of it is.
    assert!(
        scopes
            .unwrap()
            .iter()
            .all(|(_, table)| &**table == "default")
    );
    assert!(
        tables
            .iter()
            .all(|(name, table)| table.is_some() == (&**name == "default"))
    );
}

#[test]
fn a_change_concerns_the_tables_of_its_cells() {
    let mut tables = RouteTables::new("default");
    for n in 0..3000 {
        let route = Arc::new(route(
            &format!("r{n}"),
            &[&format!("h{n}.example.com")],
            &["/*"],
        ));
        tables.replace(&route.id, Some(route.clone()));
    }
    tables.settle(Mode::Divided);
    tables.news();
    let mut other = route("r7", &["h7.example.com"], &["/*"]);
    other.priority = 1;
    tables.replace(&id("r7"), Some(Arc::new(other)));
    tables.settle(Mode::Divided);
    let News { tables, scopes } = tables.news();
    assert!(scopes.is_none());
    assert_eq!(tables.len(), 2, "the one for all, and its own");
    let sizes: Vec<_> = tables
        .iter()
        .map(|(_, table)| table.as_ref().unwrap().len())
        .collect();
    assert!(sizes[1] * 12 < sizes[0], "{sizes:?}");
}

/// Routes that come let the tables be divided on in which they stand, and the others are as they were.
#[test]
fn routes_that_are_added_turn_few_tables() {
    let mut tables = RouteTables::new("default");
    let mut sent = 0;
    for n in 0..4000 {
        let host = format!("h{}.example.com", n / 4);
        let path = format!("/{}/items-{n}/*", n % 50);
        let hosts: &[&str] = if n % 4 == 0 { &[] } else { &[&host] };
        let route = Arc::new(route(&format!("r{n}"), hosts, &[&path]));
        tables.replace(&route.id, Some(route.clone()));
        if n == 2999 || n > 3000 && n % 5 == 0 {
            tables.settle(Mode::Divided);
            let news = tables.news().tables;
            sent += if n > 3000 { news.len() } else { 0 };
        }
    }
    // Each fifth time, five routes and the whole table are new: a route for any host stands in several.
    assert!(sent < 200 * 20, "{sent}");
    assert!(tables.best().division.sections().len() > 100);
}

/// Where there would be too many tables, they are larger; and not until there is some room are they smaller again.
#[test]
fn one_route_more_or_less_does_not_turn_all_tables() {
    let counts = |n: usize| {
        let host = |n: usize| Some(Host::Exact(format!("h{}.example.com", n % 97).into()));
        let path = |n: usize| Path::Exact(format!("/a{}/b{n}", n % 89).into());
        let places: Vec<_> = (0..n).map(|n| (host(n), path(n))).collect();
        let mut counts = Counts::default();
        counts.replace(
            std::iter::empty(),
            places.iter().map(|(domain, path)| (domain, path)),
        );
        counts
    };
    let fresh = |n: usize| counts(n).best(&Best::default());
    let tables = |best: &Best| best.division.sections().len();
    // The first count from which on there are fewer tables than for one route less.
    let (mut few, mut many) = (200, 20_000);
    while many - few > 1 {
        let middle = usize::midpoint(few, many);
        if tables(&fresh(middle)) < tables(&fresh(few)) {
            many = middle;
        } else {
            few = middle;
        }
    }
    let (before, after) = (fresh(few), fresh(many));
    assert!(tables(&after) < tables(&before) * 3 / 4, "at {many} routes");
    let back = counts(few).best(&after);
    assert_eq!(back.division.sections(), after.division.sections());
    assert_eq!(counts(many).best(&back).division, after.division);
    // Far below they are as if they had never been others.
    assert_eq!(counts(few / 3).best(&back), fresh(few / 3));
}
