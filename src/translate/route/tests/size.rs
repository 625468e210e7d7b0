//! How large a table is beside its routes, at the sizes that gateways have.

use serde_json::json;

use bytes::Bytes;
use envoy_types::pb::envoy::config::route::v3::route_match::PathSpecifier;
use envoy_types::pb::envoy::config::route::v3::{RouteMatch, VirtualHost};

use super::*;
use crate::model::gateway::http::Tables as Mode;

/// Bytes by route that a table may have beside its routes. Most are the questions for hosts: half a kilobyte for each host,
/// whatever its routes hold.
const BESIDE: usize = 100;

/// A route as most are, for this host or for any, with an upstream of so many nodes.
fn usual(at: usize, host: Option<&str>, nodes: usize) -> Route {
    let path = match at % 3 {
        0 => format!("/api/service-{at}"),
        1 => format!("/api/service-{at}/*"),
        _ => format!("/{at}/items/*"),
    };
    let nodes: serde_json::Map<_, _> = (1..=nodes)
        .map(|node| (format!("127.0.0.{node}:80"), json!(1)))
        .collect();
    let document = json!({ "uri": path, "upstream": { "nodes": nodes } });
    let read = draw::read(&format!("route-{at}"), &document).unwrap();
    Route {
        hosts: host.into_iter().map(super::host).collect(),
        ..read
    }
}

/// Six thousand routes, or so many times them: for any host; five for each of a thousand hosts, and a thousand for any; fifty
/// for each of twenty wildcards, six for each of five hundred hosts, and two thousand for any.
fn shapes(times: f64) -> [(&'static str, Vec<Option<String>>); 3] {
    let count = |of: usize| (of as f64 * times) as usize;
    let exact = |n: usize| Some(format!("host-{n}.example.com"));
    let wild = |n: usize| Some(format!(".wild-{n}.example.com"));
    let hosts = (0..count(1000)).flat_map(|n| vec![exact(n); 5]);
    let wildcards = (0..count(20)).flat_map(|n| vec![wild(n); 50]);
    let beside = (0..count(500)).flat_map(|n| vec![exact(n); 6]);
    [
        ("none", vec![None; count(6000)]),
        ("hosts", hosts.chain(vec![None; count(1000)]).collect()),
        (
            "wildcards",
            wildcards
                .chain(beside)
                .chain(vec![None; count(2000)])
                .collect(),
        ),
    ]
}

/// What routes take in a list of virtual hosts, each with what it asks for and where it goes.
fn in_a_list(routes: &[Route]) -> usize {
    let mut bytes = 0;
    let mut hosts = BTreeSet::new();
    for route in routes {
        let specifier = match &route.paths[0] {
            Path::Exact(path) => PathSpecifier::Path(path.to_string()),
            Path::Prefix(path) => PathSpecifier::Prefix(path.to_string()),
            Path::Parameters(_) => panic!("none of these has parameters"),
        };
        let asked = RouteMatch {
            path_specifier: Some(specifier),
            ..RouteMatch::default()
        };
        let parts = parts(route, &route.paths[0]).into_iter();
        let actions = parts.flat_map(|part| part.routes);
        bytes += actions
            .map(|one| one.beside(None).len() + asked.encoded_len())
            .sum::<usize>();
        hosts.extend(route.hosts.iter().map(ToString::to_string));
    }
    let virtual_hosts = hosts.into_iter().map(|host| VirtualHost {
        name: host.clone(),
        domains: vec![host],
        ..VirtualHost::default()
    });
    bytes + virtual_hosts.map(|one| one.encoded_len()).sum::<usize>()
}

/// Fewer bytes than its routes have alone, whatever hosts they are for, as it says once what they say alike; less than half as much
/// again as a list of them where they say no more than where they go, so that a host takes more than its routes.
#[test]
fn a_table_is_as_large_as_its_routes() {
    for (shape, hosts) in shapes(1.0) {
        for (nodes, of_alone, of_list) in [(2, 0.75, 0.75), (1, 2.2, 1.5)] {
            let each = hosts.iter().enumerate();
            let routes: Vec<_> = each
                .map(|(at, host)| usual(at, host.as_deref(), nodes))
                .collect();
            let mut table = table(&routes);
            let whole = table.encode().len();
            let (mut alone, mut there) = (0, 0);
            for route in &routes {
                let listed = parts(route, &route.paths[0]).into_iter();
                for one in listed.flat_map(|part| part.routes) {
                    alone += one.beside(None).len();
                    there += one.beside(table.common.as_ref()).len();
                }
            }
            let list = in_a_list(&routes);
            let told = format!(
                "{shape}, {nodes} nodes: {whole} bytes; the routes are {there} of it, {alone} alone, and {list} in a list"
            );
            println!("{told}");
            assert!(whole as f64 <= of_alone * alone as f64, "{told}");
            assert!(whole as f64 <= of_list * list as f64, "{told}");
            assert!(whole - there <= BESIDE * routes.len(), "{told}");
        }
    }
}

#[test]
fn equal_routes_are_equal_bytes_in_whatever_order_they_come() {
    for (shape, hosts) in shapes(1.0) {
        let each = hosts.iter().enumerate().step_by(10);
        let mut routes: Vec<_> = each
            .map(|(at, host)| usual(at, host.as_deref(), 2))
            .collect();
        let whole = table(&routes).encode();
        routes.reverse();
        assert!(whole == table(&routes).encode(), "{shape}");
    }
}

/// All tables that are sent again for it: 100 kB on average. Where bits of many routes fall together it is more, and a route for
/// any host goes with all hosts' routes of its segments: 20 bytes for each of all routes at most.
#[test]
fn a_changed_route_of_divided_tables_sends_little() {
    for (shape, hosts) in [1.0, 5.0 / 3.0].into_iter().flat_map(shapes) {
        let mut tables = RouteTables::new("default");
        let each = hosts.iter().enumerate();
        let routes: Vec<_> = each
            .map(|(at, host)| usual(at, host.as_deref(), 2))
            .collect();
        for route in &routes {
            tables.replace(&route.id, Some(Arc::new(route.clone())));
        }
        tables.settle(Mode::Divided);
        let all = tables.news().tables;
        let total: usize = all
            .iter()
            .flat_map(|(_, table)| table)
            .map(Bytes::len)
            .sum();
        let mut sent = Vec::new();
        for route in routes.iter().step_by(97) {
            let mut changed = route.clone();
            changed.priority = 1;
            tables.replace(&route.id, Some(Arc::new(changed)));
            tables.settle(Mode::Divided);
            let news = tables.news();
            assert!(news.scopes.is_none());
            // Nobody asks for the whole one.
            let asked_for = news.tables.iter().filter(|(name, _)| &**name != "default");
            let bytes = asked_for.flat_map(|(_, table)| table).map(Bytes::len);
            sent.push(bytes.sum::<usize>());
            tables.replace(&route.id, Some(Arc::new(route.clone())));
            tables.news();
        }
        let (mean, most) = (
            sent.iter().sum::<usize>() / sent.len(),
            sent.iter().max().unwrap(),
        );
        let count = routes.len();
        let told =
            format!("{shape}, {count} routes, {total} bytes: {mean} on average, {most} at most");
        println!("{told}, {} tables", all.len());
        assert!(mean <= 100_000 && *most <= 20 * count, "{told}");
    }
}
