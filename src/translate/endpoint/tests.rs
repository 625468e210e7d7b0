use std::net::IpAddr;

use envoy_types::pb::envoy::config::core::v3::address::Address;

use super::*;
use crate::model::instance::Status;

fn instance(octets: [u8; 4], weight: u32, zone: &str) -> Instance {
    let address = IpAddr::from(octets);
    Instance {
        weight,
        zone: zone.into(),
        ..Instance::new(format!("echo-{address}"), address, 8080)
    }
}

fn node(host: &str, weight: u32, priority: i32) -> Node {
    Node {
        priority,
        ..Node::new(host.into(), 80, weight)
    }
}

/// Everybody that passes, in one datacenter.
fn all(name: &str, instances: &[Instance]) -> ClusterLoadAssignment {
    load_assignment(name, &Selection::default(), &[instances], &Taken::new())
}

/// Per group: zone, priority, weight, and the endpoints as `host=weight`.
fn groups(assignment: &ClusterLoadAssignment) -> Vec<(String, u32, u32, Vec<String>)> {
    let weight = |weight: &Option<_>| -> u32 {
        let wrapped: &envoy_types::pb::google::protobuf::UInt32Value =
            weight.as_ref().expect("a weight");
        wrapped.value
    };
    let endpoint = |endpoint: &LbEndpoint| {
        let Some(HostIdentifier::Endpoint(inner)) = &endpoint.host_identifier else {
            panic!("no endpoint")
        };
        let Some(Address::SocketAddress(address)) =
            inner.address.clone().and_then(|address| address.address)
        else {
            panic!("no address")
        };
        assert_eq!(address.address, inner.hostname);
        format!(
            "{}={}",
            address.address,
            weight(&endpoint.load_balancing_weight)
        )
    };
    let group = |group: &LocalityLbEndpoints| {
        let zone = group.locality.clone().expect("a locality").zone;
        let endpoints = group.lb_endpoints.iter().map(endpoint).collect();
        (
            zone,
            group.priority,
            weight(&group.load_balancing_weight),
            endpoints,
        )
    };
    assignment.endpoints.iter().map(group).collect()
}

#[test]
fn instances_are_grouped_by_zone_and_weighed_alike() {
    let instances = [
        instance([10, 0, 0, 3], 1, "b"),
        instance([10, 0, 0, 2], 2, "a"),
        instance([10, 0, 0, 1], 1, "a"),
    ];
    let assignment = all("consul/echo", &instances);
    assert_eq!(assignment.cluster_name, "consul/echo");
    let a = (
        "a".to_owned(),
        0,
        3,
        vec!["10.0.0.1=1".to_owned(), "10.0.0.2=2".to_owned()],
    );
    let b = ("b".to_owned(), 0, 1, vec!["10.0.0.3=1".to_owned()]);
    assert_eq!(groups(&assignment), [a, b]);
}

#[test]
fn nobody_healthy_is_an_assignment_without_endpoints() {
    assert!(all("consul/echo", &[]).endpoints.is_empty());
    assert!(
        all("consul/echo", &[instance([10, 0, 0, 1], 0, "a")])
            .endpoints
            .is_empty()
    );
}

#[test]
fn the_highest_priority_of_the_nodes_comes_first() {
    let nodes = [
        node("10.0.0.1", 1, -1),
        node("10.0.0.2", 5, 10),
        node("10.0.0.3", 0, 99),
        node("10.0.0.4", 1, 10),
    ];
    let first = (
        String::new(),
        0,
        6,
        vec!["10.0.0.2=5".to_owned(), "10.0.0.4=1".to_owned()],
    );
    let second = (String::new(), 1, 1, vec!["10.0.0.1=1".to_owned()]);
    assert_eq!(
        groups(&static_load_assignment(
            "upstream/a",
            &nodes,
            &Default::default()
        )),
        [first, second]
    );
}

#[test]
fn weights_that_are_too_much_together_keep_their_proportion() {
    let nodes = [
        node("10.0.0.1", u32::MAX, 0),
        node("10.0.0.2", u32::MAX, 0),
        node("10.0.0.3", 1, 0),
    ];
    let assignment = static_load_assignment("upstream/a", &nodes, &Default::default());
    let half = u32::MAX / 4;
    let endpoints = vec![
        format!("10.0.0.1={half}"),
        format!("10.0.0.2={half}"),
        "10.0.0.3=1".to_owned(),
    ];
    assert_eq!(
        groups(&assignment),
        [(String::new(), 0, half + half + 1, endpoints)]
    );
}

#[test]
fn an_address_and_port_that_is_registered_twice_is_one_endpoint() {
    let once = instance([10, 0, 0, 1], 1, "a");
    let twice = Instance {
        id: "again".into(),
        weight: 5,
        ..once.clone()
    };
    let endpoints = vec!["10.0.0.1=1".to_owned()];
    assert_eq!(
        groups(&all("consul/echo", &[once, twice])),
        [("a".to_owned(), 0, 1, endpoints)]
    );
}

#[test]
fn a_datacenter_takes_over_when_those_before_it_have_nobody() {
    let selection = Selection::default();
    let here = instance([10, 0, 0, 1], 1, "dc1");
    let there = [instance([10, 2, 0, 1], 1, "dc2")];
    let group = |zone: &str, priority, endpoint: &str| {
        (zone.to_owned(), priority, 1, vec![endpoint.to_owned()])
    };
    let both = load_assignment(
        "consul/echo",
        &selection,
        &[std::slice::from_ref(&here), &[], &there],
        &Taken::new(),
    );
    assert_eq!(
        groups(&both),
        [group("dc1", 0, "10.0.0.1=1"), group("dc2", 1, "10.2.0.1=1")]
    );
    let failing = Instance {
        status: Status::Critical,
        ..here
    };
    let one = load_assignment(
        "consul/echo",
        &selection,
        &[&[failing], &[], &there],
        &Taken::new(),
    );
    assert_eq!(groups(&one), [group("dc2", 0, "10.2.0.1=1")]);
}
