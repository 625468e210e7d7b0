//! What is read of malformed lists.

use super::*;

fn node(name: &str, modify_index: u64) -> Node {
    let node = name.to_owned();
    Node { node, modify_index }
}

#[test]
fn a_malformed_entry_hides_no_other() {
    let body = br#"{"Node":{},"Services":{"a":{"Service":"a","ModifyIndex":3},"b":{"Service":7},"c":null}}"#;
    let node = node("n", 2);
    let read = services(body, &node).unwrap();
    assert_eq!(read, [("a".into(), Written::of("n", 2, "a", 3))]);
    assert_eq!(services(b"null", &node).unwrap(), []);
    services(b"[", &node).unwrap_err();
    let checks: Vec<Check> =
        list(br#"[{"Node":"n","CheckID":"c","ServiceName":"a"},{"Node":1}]"#).unwrap();
    assert_eq!(checks.len(), 1);
}
