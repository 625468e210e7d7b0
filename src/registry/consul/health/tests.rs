use serde_json::{Value, json};

use super::{Registered, read};
use crate::model::instance::Status;

/// What Consul 1.8 answers: `echo-1` with everything, `echo-2` without an address of its own, `echo-3` on another node.
const ECHO: &str = include_str!("echo.json");

fn entries() -> Vec<Value> {
    serde_json::from_str(ECHO).unwrap()
}

/// Reads Consul's answer after `change` to its second entry.
fn read_with(change: impl FnOnce(&mut Value)) -> Registered {
    let mut entries = entries();
    change(&mut entries[1]);
    read(&serde_json::to_vec(&entries).unwrap()).unwrap()
}

fn ids(registered: &Registered) -> Vec<&str> {
    registered
        .instances
        .iter()
        .map(|instance| &*instance.id)
        .collect()
}

#[track_caller]
fn assert_left_out(registered: &Registered, words: &[&str]) {
    assert_eq!(
        ids(registered),
        ["node-1/echo-1", "node-2/echo-3"],
        "the others stay"
    );
    let left_out: Vec<_> = registered.left_out.iter().collect();
    assert_eq!(left_out.len(), 1);
    for word in words {
        assert!(
            left_out[0].contains(word),
            "`{word}` is not in {left_out:?}"
        );
    }
}

#[test]
fn consuls_own_answer_is_read() {
    let registered = read(ECHO.as_bytes()).unwrap();
    assert_eq!(registered.left_out.len(), 0);
    assert_eq!(
        ids(&registered),
        ["node-1/echo-1", "node-1/echo-2", "node-2/echo-3"]
    );
    let first = &registered.instances[0];
    assert_eq!(first.address.to_string(), "10.1.0.1");
    assert_eq!(first.port, 8081);
    assert_eq!(first.weight, 3);
    assert_eq!(&*first.zone, "dc1");
    assert_eq!(
        first.metadata,
        [("version".to_owned(), "1".to_owned())].into()
    );
}

#[test]
fn an_instance_without_an_address_is_reached_at_its_nodes() {
    let registered = read(ECHO.as_bytes()).unwrap();
    assert_eq!(registered.instances[1].address.to_string(), "127.0.0.1");
    assert_eq!(registered.instances[2].address.to_string(), "10.2.0.2");
}

#[test]
fn an_instance_without_weights_weighs_one() {
    let registered = read_with(|entry| {
        entry["Service"].as_object_mut().unwrap().remove("Weights");
    });
    assert_eq!(registered.instances[1].weight, 1);
}

#[test]
fn what_is_null_is_as_if_it_were_not_there() {
    let registered = read_with(|entry| {
        entry["Checks"] = Value::Null;
        for field in ["Tags", "Meta", "Weights", "Address", "TaggedAddresses"] {
            entry["Service"][field] = Value::Null;
        }
    });
    assert_eq!(registered.instances.len(), 3);
}

#[test]
fn nobody_is_an_answer_and_half_an_answer_is_none() {
    assert_eq!(read(b"[]").unwrap(), Registered::default());
    for broken in [
        &ECHO[..ECHO.len() / 2],
        "",
        "null",
        "{}",
        "[] []",
        "No cluster leader",
    ] {
        read(broken.as_bytes()).unwrap_err();
    }
}

#[test]
fn port_0_costs_that_instance_alone() {
    let registered = read_with(|entry| entry["Service"]["Port"] = json!(0));
    assert_left_out(&registered, &["`node-1/echo-2`", "without a port"]);
}

#[test]
fn a_host_name_costs_that_instance_alone() {
    let registered = read_with(|entry| entry["Service"]["Address"] = json!("db.example"));
    assert_left_out(
        &registered,
        &["`node-1/echo-2`", "`db.example`", "host name", "IP"],
    );
}

#[test]
fn no_address_at_all_costs_that_instance_alone() {
    let registered = read_with(|entry| entry["Node"]["Address"] = json!(""));
    assert_left_out(&registered, &["`node-1/echo-2`", "address"]);
}

#[test]
fn a_malformed_entry_costs_that_instance_alone() {
    let registered = read_with(|entry| entry["Service"]["Port"] = json!("eighty"));
    assert_left_out(&registered, &["`node-1/echo-2`", "malformed", "eighty"]);
    let registered = read_with(|entry| entry["Service"]["Port"] = json!(70_000));
    assert_left_out(&registered, &["`node-1/echo-2`", "malformed", "70000"]);
}

#[test]
fn a_malformed_entry_without_a_name_is_called_by_its_place() {
    let registered = read_with(|entry| entry["Node"] = Value::Null);
    assert_left_out(&registered, &["`[1]`", "malformed"]);
    let registered = read_with(|entry| *entry = Value::Null);
    assert_left_out(&registered, &["`[1]`", "malformed"]);
}

#[test]
fn the_worst_check_is_the_status_and_maintenance_is_worse() {
    let table = [
        (json!([]), Status::Passing),
        (
            json!([["serfHealth", "passing"], ["a", "passing"]]),
            Status::Passing,
        ),
        (json!([["a", "warning"], ["b", "passing"]]), Status::Warning),
        (
            json!([["a", "critical"], ["b", "warning"]]),
            Status::Critical,
        ),
        (json!([["serfHealth", "critical"]]), Status::Critical),
        (json!([["a", "melting"]]), Status::Critical),
        (
            json!([["_service_maintenance:echo-2", "critical"]]),
            Status::Maintenance,
        ),
        (
            json!([["a", "critical"], ["_node_maintenance", "critical"]]),
            Status::Maintenance,
        ),
        (json!([["_node_maintenance", "passing"]]), Status::Passing),
    ];
    for (checks, status) in table {
        let registered = read_with(|entry| {
            let check = |check: &Value| json!({"CheckID": check[0], "Status": check[1]});
            entry["Checks"] = checks.as_array().unwrap().iter().map(check).collect();
        });
        assert_eq!(registered.instances[1].status, status, "{checks:?}");
    }
}

#[test]
fn an_instance_weighs_by_its_status() {
    let weights = json!({"Passing": 10, "Warning": 2});
    let registered = read_with(|entry| entry["Service"]["Weights"] = weights.clone());
    assert_eq!(registered.instances[1].weight, 10);
    let registered = read_with(|entry| {
        entry["Service"]["Weights"] = weights;
        entry["Checks"] = json!([{"CheckID": "a", "Status": "warning"}]);
    });
    assert_eq!(registered.instances[1].weight, 2);
}

#[test]
fn where_an_instance_stands_is_said_by_its_nodes_meta_or_by_consul() {
    let place = |change: fn(&mut Value)| {
        let instance = read_with(change).instances[1].clone();
        (instance.region.to_string(), instance.zone.to_string())
    };
    let is = |region: &str, zone: &str| (region.to_owned(), zone.to_owned());
    assert_eq!(place(|_| ()), is("", "dc1"));
    let meta = |entry: &mut Value| entry["Node"]["Meta"] = json!({"region": "eu", "zone": "eu-1"});
    assert_eq!(place(meta), is("eu", "eu-1"));
    let newer = |entry: &mut Value| {
        entry["Node"]["Meta"] = json!({"region": "eu", "zone": "eu-1"});
        entry["Node"]["Locality"] = json!({"Region": "us", "Zone": "us-2"});
    };
    assert_eq!(place(newer), is("us", "us-2"));
}

#[test]
fn what_an_instance_is_known_by() {
    let registered = read_with(|entry| {
        entry["Service"]["Tags"] = json!(["v2", "v2", "green"]);
        entry["Service"]["TaggedAddresses"] = json!({
            "lan_ipv4": {"Address": "127.0.0.1", "Port": 8082},
            "wan": {"Address": "192.0.2.1", "Port": 80},
            "wan_ipv6": {"Address": "2001:db8::1", "Port": 0},
            "name": {"Address": "db.example", "Port": 80},
        });
    });
    let instance = &registered.instances[1];
    assert_eq!(instance.tags, ["green".into(), "v2".into()].into());
    let tagged: Vec<_> = instance
        .tagged
        .iter()
        .map(|(name, address)| format!("{name} {address}"))
        .collect();
    assert_eq!(tagged, ["wan 192.0.2.1:80", "wan_ipv6 [2001:db8::1]:8082"]);
    assert_eq!(&*instance.service_id, "echo-2");
    assert_eq!(
        (&*instance.node, &*instance.node_address),
        ("node-1", "127.0.0.1")
    );
}

#[test]
fn an_ipv6_address_is_an_address() {
    let registered = read_with(|entry| entry["Service"]["Address"] = json!("2001:db8::7"));
    assert_eq!(registered.instances[1].address.to_string(), "2001:db8::7");
}
