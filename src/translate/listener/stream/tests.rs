use super::*;
use crate::model::stream_route::Matching;
use crate::model::upstream::{Checks, Members, PassHost, Scheme};
use crate::model::{Cluster, Id, Timeout, Upstream};

fn route(id: &str, address: &str, sni: &str, source: &str) -> StreamRoute {
    let upstream = Upstream {
        members: Members::Nodes(Vec::new()),
        balancer: Balancer::RoundRobin,
        scheme: Scheme::Tcp,
        pass_host: PassHost::Pass,
        retries: None,
        retry_timeout: None,
        timeout: Timeout::default(),
        keepalive_pool: None,
        checks: Checks::default(),
        slow_start: None,
        tls: None,
    };
    StreamRoute {
        id: id.parse().unwrap(),
        gateways: vec![Id::default_gateway()],
        matching: Matching {
            port: None,
            address: address.parse().ok(),
            sni: Host::try_from(sni.to_owned()).ok(),
            source: source.parse().ok(),
        },
        clients: None,
        cluster: Arc::new(Cluster {
            name: id.into(),
            upstream: Arc::new(upstream),
            connect_timeout: Timeout::default().connect,
            breaker: None,
            check: None,
            credential: None,
            login: None,
        }),
    }
}

/// The names of the chains that these routes become.
fn chains(routes: &[StreamRoute]) -> Vec<String> {
    let borrowed: Vec<&StreamRoute> = routes.iter().collect();
    let chosen = chosen(&borrowed).into_iter();
    let names = chosen.map(|(on, route)| chain_name(&on, route));
    names
        .map(|name| name.replacen("stream_route/", "", 1))
        .collect()
}

#[test]
fn one_route_is_one_chain() {
    assert_eq!(chains(&[route("a", "", "", "")]), ["a * * *"]);
    let all = route("a", "127.0.0.1", "b.example.com", "10.0.0.0/8");
    assert_eq!(chains(&[all]), ["a 127.0.0.1 b.example.com 10.0.0.0/8"]);
    assert_eq!(chains(&[]), [""; 0]);
}

#[test]
fn what_is_nearest_wins_and_the_rest_falls_through() {
    let routes = [
        route("all", "", "", ""),
        route("name", "", "b.example.com", "10.1.0.0/16"),
        route("wildcard", "", "*.example.com", ""),
        route("source", "", "", "10.0.0.0/8"),
    ];
    assert_eq!(
        chains(&routes),
        [
            "all * * *",
            "source * * 10.0.0.0/8",
            "wildcard * b.example.com *",
            "name * b.example.com 10.1.0.0/16",
            "wildcard * *.example.com *",
        ]
    );
}

#[test]
fn of_equal_routes_the_first_by_id_wins() {
    let routes = [route("b", "", "", ""), route("a", "", "", "")];
    assert_eq!(chains(&routes), ["a * * *"]);
}

#[test]
fn a_range_in_a_range_of_the_same_route_is_no_chain_of_its_own() {
    let routes = [
        route("wide", "", "", "10.0.0.0/8"),
        route("narrow", "", "", "10.1.0.0/16"),
        route("named", "", "b.example.com", "10.0.0.0/8"),
    ];
    assert_eq!(
        chains(&routes),
        [
            "wide * * 10.0.0.0/8",
            "narrow * * 10.1.0.0/16",
            "named * b.example.com 10.0.0.0/8",
        ]
    );
}
