//! What differs between two looks at the nodes, and what is read of malformed lists.

use super::*;

fn held(written: u64, services: &[(&str, &str, u64)]) -> Held {
    let service =
        |(id, name, index): &(&str, &str, u64)| (id.to_string(), ((*name).into(), *index));
    Held {
        written,
        services: services.iter().map(service).collect(),
    }
}

fn touched<const N: usize>(catalog: &mut Catalog, nodes: [(&str, Held); N]) -> String {
    let owned = nodes.map(|(name, held)| (name.to_owned(), held));
    let touched = catalog.handle_nodes(owned.into());
    touched
        .iter()
        .map(|name| &**name)
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn only_services_that_differ_are_named() {
    let mut catalog = Catalog::default();
    let a = || held(1, &[("a-1", "a", 3), ("b-1", "b", 4)]);
    let b = || held(2, &[("a-2", "a", 5)]);
    assert_eq!(touched(&mut catalog, [("n1", a()), ("n2", b())]), "a b");
    assert_eq!(touched(&mut catalog, [("n1", a()), ("n2", b())]), "");
    let changed = held(1, &[("a-1", "a", 3), ("b-1", "b", 6)]);
    assert_eq!(touched(&mut catalog, [("n1", changed), ("n2", b())]), "b");
    let renamed = held(1, &[("a-1", "a", 3), ("b-1", "c", 7)]);
    assert_eq!(touched(&mut catalog, [("n1", renamed), ("n2", b())]), "b c");
    let moved = held(8, &[("a-1", "a", 3)]);
    assert_eq!(touched(&mut catalog, [("n1", moved), ("n2", b())]), "a c");
    assert_eq!(touched(&mut catalog, [("n2", b())]), "a");
}

#[test]
fn a_malformed_entry_hides_no_other() {
    let body = br#"{"Node":{},"Services":{"a":{"Service":"a","ModifyIndex":3},"b":{"Service":7},"c":null}}"#;
    let read: Vec<_> = services(body).unwrap().into_keys().collect();
    assert_eq!(read, ["a"]);
    assert_eq!(services(b"null").unwrap(), Services::new());
    services(b"[").unwrap_err();
    let checks: Vec<Check> =
        list(br#"[{"Node":"n","CheckID":"c","ServiceName":"a"},{"Node":1}]"#).unwrap();
    assert_eq!(checks.len(), 1);
}
