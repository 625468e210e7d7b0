use super::*;

fn peer(names: &[&str]) -> Peer {
    Peer {
        names: Some(names.iter().map(|name| (*name).to_owned()).collect()),
        ..Peer::default()
    }
}

fn rules(rules: &[(&str, &[&str])]) -> Clients {
    let owned = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect();
    Clients(
        rules
            .iter()
            .map(|(name, list)| ((*name).to_owned(), owned(list)))
            .collect(),
    )
}

#[test]
fn without_a_rule_anybody_is_any_gateway() {
    let clients = Clients::default();
    assert_eq!(clients.check(&Peer::default(), "edge"), Ok(()));
    assert_eq!(clients.check(&peer(&["a"]), "edge"), Ok(()));
}

#[test]
fn a_client_is_the_gateways_of_all_its_names_and_no_other() {
    let clients = rules(&[
        ("spiffe://mesh/edge", &["edge", "inner"]),
        ("edge.example.com", &["outer"]),
        ("other.example.com", &["other"]),
    ]);
    let client = peer(&["edge.example.com", "spiffe://mesh/edge"]);
    for gateway in ["edge", "inner", "outer"] {
        assert_eq!(clients.check(&client, gateway), Ok(()), "{gateway}");
    }
    let refusal = clients.check(&client, "other").unwrap_err();
    let expected = "client edge.example.com, spiffe://mesh/edge may not act as gateway \"other\"; \
                    xds-clients allows it edge, inner, outer";
    assert_eq!(refusal.to_string(), expected);
}

#[test]
fn a_client_without_a_rule_is_no_gateway_once_there_are_rules() {
    let clients = rules(&[("edge.example.com", &["edge"])]);
    for client in [
        peer(&["stranger"]),
        peer(&[]),
        peer(&["edge.example.com.evil"]),
    ] {
        let refusal = clients.check(&client, "edge").unwrap_err();
        assert!(refusal.to_string().ends_with("allows it none"), "{refusal}");
    }
}

#[test]
fn a_surplus_connection_is_admitted_when_there_is_room() {
    let limits = Limits {
        connection_rate: 0,
        ..Limits::default()
    };
    let surplus = Peer::default();
    surplus.surplus.store(true, Ordering::Relaxed);
    let refusal = Admission::new(limits).stream(&surplus).unwrap_err();
    assert_eq!(refusal, NotAdmitted::ConnectionRate(0));
    assert!(Admission::new(Limits::default()).stream(&surplus).is_ok());
    assert!(!surplus.surplus.load(Ordering::Relaxed));
}

#[test]
fn a_stream_that_ends_makes_room() {
    let admission = Admission::new(Limits {
        streams: 1,
        ..Limits::default()
    });
    let open = admission.stream(&Peer::default()).unwrap();
    let refusal = admission.stream(&Peer::default()).unwrap_err();
    assert_eq!(refusal, NotAdmitted::Streams(1));
    drop(open);
    assert!(admission.stream(&Peer::default()).is_ok());
}

#[test]
fn who_comes_and_goes_is_named_until_it_is_a_flood_and_counted_then() {
    let admission = Admission::new(Limits::default());
    assert_eq!(admission.take_unsaid(), None);
    let named = (0..1000).filter(|_| admission.may_tell_connected()).count();
    assert!((100..500).contains(&named), "{named}");
    let refused = (0..1000).filter(|_| !admission.may_warn()).count();
    let gone = (0..10)
        .filter(|_| !admission.may_tell_disconnected())
        .count();
    let unsaid = admission.take_unsaid().unwrap();
    let count = |of: usize| u64::try_from(of).unwrap();
    assert_eq!(unsaid.connected, count(1000 - named));
    assert_eq!(unsaid.refused, count(refused));
    assert_eq!(unsaid.disconnected, count(gone));
    assert_eq!(admission.take_unsaid(), None);
}
