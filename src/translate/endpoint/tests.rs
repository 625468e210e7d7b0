use std::collections::BTreeMap;
use std::net::IpAddr;

use envoy_types::pb::envoy::config::core::v3::address::Address;

use super::*;

fn instance(address: [u8; 4], weight: u32, zone: &str) -> Instance {
    let address = IpAddr::from(address);
    Instance {
        id: format!("echo-{address}").into(),
        address,
        port: 8080,
        weight,
        zone: zone.into(),
        metadata: BTreeMap::new(),
    }
}

fn node(host: &str, weight: u32, priority: i32) -> Node {
    Node {
        host: host.into(),
        port: 80,
        weight,
        priority,
    }
}

/// Per group: zone, priority, weight, and the endpoints as `host=weight`.
fn groups(assignment: &ClusterLoadAssignment) -> Vec<(String, u32, u32, Vec<String>)> {
    let weight = |weight: &Option<_>| -> u32 {
        let weight: &envoy_types::pb::google::protobuf::UInt32Value =
            weight.as_ref().expect("a weight");
        weight.value
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
    let assignment = load_assignment("consul/echo", &instances);
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
    assert!(load_assignment("consul/echo", &[]).endpoints.is_empty());
    assert!(
        load_assignment("consul/echo", &[instance([10, 0, 0, 1], 0, "a")])
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
        groups(&static_load_assignment("upstream/a", &nodes)),
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
    let assignment = static_load_assignment("upstream/a", &nodes);
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
