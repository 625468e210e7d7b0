use serde_json::{Value, json};

use super::{Registered, read};

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
