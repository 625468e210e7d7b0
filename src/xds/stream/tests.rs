//! What the conversations in `tests/transcripts` do not show: bytes that streams share, answers, and time.

use crate::snapshot::{Change, Resource, set};

use super::super::request::Names;
use super::*;

fn snapshot(before: &Snapshot, names: &[&str], content: &str) -> Arc<Snapshot> {
    let changes = names.iter().map(|name| Change {
        resource_type: ResourceType::Cluster,
        name: (*name).into(),
        resource: Some(Arc::new(Resource::new(
            ResourceType::Cluster,
            name,
            content.as_bytes(),
            Box::default(),
        ))),
    });
    Arc::new(before.next(changes, before.revision + 1).0)
}

fn first() -> Arc<Snapshot> {
    let content = "x".repeat(set::PAGE / 2);
    snapshot(
        &Snapshot::empty("default".into()),
        &["a", "b", "c"],
        &content,
    )
}

fn wildcard(protocol: Protocol, nonce: &str, error: Option<&str>) -> Request {
    Request {
        resource_type: ResourceType::Cluster,
        nonce: nonce.to_owned(),
        error: error.map(ToOwned::to_owned),
        names: match protocol {
            Protocol::Sotw => Names::All {
                names: vec![],
                version: None,
            },
            Protocol::Delta => Names::Change {
                subscribe: Default::default(),
                unsubscribe: vec![],
                initial: Default::default(),
            },
        },
    }
}

fn stream(protocol: Protocol, snapshot: &Arc<Snapshot>, now: Instant) -> (Stream, Response) {
    let mut stream = Stream::new(protocol);
    stream.handle_snapshot(snapshot.clone());
    stream.handle_request(wildcard(protocol, "", None), now);
    let response = stream.poll_response(now).unwrap();
    (stream, response)
}

#[test]
fn streams_share_the_bytes_of_what_is_sent_to_all() {
    let (now, snapshot) = (Instant::now(), first());
    for protocol in [Protocol::Sotw, Protocol::Delta] {
        let pages = [(); 2].map(|()| stream(protocol, &snapshot, now).1.pieces);
        let addresses = pages.each_ref().map(|pieces| {
            let shared = pieces[1..].iter().map(|piece| piece.as_ptr());
            shared.collect::<Vec<_>>()
        });
        assert!(addresses[0].len() > 1, "pages of bounded size");
        assert_eq!(addresses[0], addresses[1], "{protocol:?}");
    }
}

#[test]
fn a_delta_of_one_large_resource_shares_its_bytes() {
    let now = Instant::now();
    let (mut stream, response) = stream(Protocol::Delta, &first(), now);
    stream.handle_request(wildcard(Protocol::Delta, &response.nonce, None), now);
    let second = snapshot(&first(), &["b"], &"y".repeat(set::PAGE));
    stream.handle_snapshot(second.clone());
    let response = stream.poll_response(now).unwrap();
    let resource = second.set(ResourceType::Cluster).find("b").unwrap();
    assert_eq!(response.resources, 1);
    assert_eq!(response.pieces.len(), 2);
    assert_eq!(response.pieces[1].as_ptr(), resource.delta_entry().as_ptr());
}

#[test]
fn an_answer_tells_what_was_answered_and_when() {
    let now = Instant::now();
    let (mut stream, response) = stream(Protocol::Delta, &first(), now);
    let later = now + Duration::from_secs(3);
    let answer = stream.handle_request(
        wildcard(Protocol::Delta, &response.nonce, Some("no")),
        later,
    );
    let expected = Acknowledgement {
        resource_type: ResourceType::Cluster,
        version: response.version,
        revision: 1,
        sequence: 1,
        after: None,
        took: Duration::from_secs(3),
        error: Some("no".to_owned()),
    };
    assert_eq!(answer, Some(expected));
    let again = stream.handle_request(wildcard(Protocol::Delta, &response.nonce, None), later);
    assert_eq!(again, None, "it is answered already");
}

#[test]
fn the_gate_is_the_only_thing_that_time_opens() {
    let now = Instant::now();
    let mut idle = Stream::new(Protocol::Delta);
    assert_eq!(idle.poll_timeout(), None);
    idle.handle_snapshot(first());
    assert_eq!(idle.poll_timeout(), None);
    let (mut stream, response) = stream(Protocol::Delta, &first(), now);
    assert_eq!(stream.poll_timeout(), Some(now + GATE));
    assert!(stream.poll_response(now + GATE).is_none());
    assert_eq!(stream.poll_timeout(), None, "it is open");
    stream.handle_request(wildcard(Protocol::Delta, &response.nonce, None), now + GATE);
    assert_eq!(stream.poll_timeout(), None);
}

#[test]
fn whoever_was_sent_nothing_has_accepted_nothing_and_what_it_came_with_counts() {
    let now = Instant::now();
    let by_name = |names: &[&str], initial: &[(&str, Version)]| Request {
        resource_type: ResourceType::Cluster,
        nonce: String::new(),
        error: None,
        names: Names::Change {
            subscribe: names.iter().collect(),
            unsubscribe: vec![],
            initial: initial
                .iter()
                .map(|(name, version)| ((*name).to_owned(), Some(*version)))
                .collect(),
        },
    };
    let snapshot = first();
    let mut stray = Stream::new(Protocol::Delta);
    stray.handle_snapshot(snapshot.clone());
    stray.handle_request(by_name(&["nobody"], &[]), now);
    let response = stray.poll_response(now).unwrap();
    let mut answer = by_name(&[], &[]);
    answer.nonce = response.nonce;
    stray.handle_request(answer, now);
    assert_eq!(stray.take_accepted(ResourceType::Cluster), None);

    let version = snapshot
        .set(ResourceType::Cluster)
        .find("a")
        .unwrap()
        .version;
    let mut returning = Stream::new(Protocol::Delta);
    returning.handle_request(by_name(&["a"], &[("a", version)]), now);
    assert_eq!(returning.take_accepted(ResourceType::Cluster), None);
    returning.handle_snapshot(snapshot);
    assert!(returning.poll_response(now).is_none());
    let accepted = returning.take_accepted(ResourceType::Cluster).unwrap();
    assert_eq!(accepted.has, [("a".into(), version)]);
    assert!(!accepted.whole);
}

#[test]
fn who_comes_back_with_all_of_a_snapshot_is_sent_what_came_after_it() {
    let now = Instant::now();
    let before = first();
    let set = before.set(ResourceType::Cluster);
    let has: Vec<_> = set
        .iter()
        .map(|(name, one)| (name, Some(one.version)))
        .collect();
    let returns = |initial| Request {
        resource_type: ResourceType::Cluster,
        nonce: String::new(),
        error: None,
        names: Names::Change {
            subscribe: ["*"].iter().collect(),
            unsubscribe: vec![],
            initial,
        },
    };
    let mut stream = Stream::new(Protocol::Delta);
    stream.handle_snapshot(before.clone());
    stream.handle_request(returns(has.iter().copied().collect()), now);
    assert!(stream.poll_response(now).is_none() && stream.is_synced());
    let accepted = stream.take_accepted(ResourceType::Cluster).unwrap();
    assert!(accepted.whole && accepted.has.is_empty());
    stream.handle_snapshot(snapshot(&before, &["b"], "other"));
    assert_eq!(stream.poll_response(now).unwrap().resources, 1);

    for short in [
        has.iter().copied().skip(1).collect(),
        has.iter().map(|(name, _)| (name, None)).collect(),
    ] {
        let mut stream = Stream::new(Protocol::Delta);
        stream.handle_snapshot(before.clone());
        stream.handle_request(returns(short), now);
        assert!(stream.poll_response(now).unwrap().resources > 0);
    }
}

#[test]
fn a_client_has_answered_what_it_was_sent_be_it_with_a_refusal() {
    const CLUSTER: ResourceType = ResourceType::Cluster;
    let now = Instant::now();
    let idle = Stream::new(Protocol::Delta);
    assert_eq!(
        idle.answered(CLUSTER),
        Some(u64::MAX),
        "nobody waits for it"
    );
    let (mut stream, response) = stream(Protocol::Delta, &first(), now);
    assert_eq!(stream.answered(CLUSTER), None);
    let refusal = wildcard(Protocol::Delta, &response.nonce, Some("no"));
    stream.handle_request(refusal, now);
    assert_eq!(stream.answered(CLUSTER), Some(1));
    // It is not sent yet.
    stream.handle_snapshot(snapshot(&first(), &["b"], "y"));
    assert_eq!(stream.answered(CLUSTER), Some(1));
    assert!(stream.poll_response(now).is_some());
    assert_eq!(stream.answered(CLUSTER), None);
}

/// A gateway whose scopes name two tables, which another is there beside.
fn divided() -> Arc<Snapshot> {
    use ResourceType::{RouteConfiguration, ScopedRouteConfiguration};
    let resource = |of, name: &str, children| Change {
        resource_type: of,
        name: name.into(),
        resource: Some(Arc::new(Resource::new(of, name, b"1", children))),
    };
    let table = |name| resource(RouteConfiguration, name, Box::default());
    let scope = |name, table: &str| {
        let child = (RouteConfiguration, table.into());
        resource(ScopedRouteConfiguration, name, Box::new([child]))
    };
    let tables = ["all", "t", "u"].map(table);
    let scopes = [("1", "t"), ("2", "u"), ("3", "t")].map(|(name, of)| scope(name, of));
    let empty = Snapshot::empty("default".into());
    Arc::new(empty.next(tables.into_iter().chain(scopes), 1).0)
}

fn tables(protocol: Protocol, nonce: &str, before: &[&str], now: &[&str]) -> Request {
    let others = |of: &[&str], than: &[&str]| {
        let others = of.iter().filter(|name| !than.contains(name));
        others.map(ToString::to_string).collect()
    };
    Request {
        resource_type: ResourceType::RouteConfiguration,
        nonce: nonce.to_owned(),
        error: None,
        names: match protocol {
            Protocol::Sotw => Names::All {
                names: others(now, &[]),
                version: None,
            },
            Protocol::Delta => Names::Change {
                subscribe: now.iter().filter(|name| !before.contains(name)).collect(),
                unsubscribe: others(before, now),
                initial: Default::default(),
            },
        },
    }
}

#[test]
fn what_is_accepted_is_told_once_and_again_when_the_client_wants_less() {
    const CLUSTER: ResourceType = ResourceType::Cluster;
    let now = Instant::now();
    let request = |nonce: &str, more: &[&str], less: &[&str]| Request {
        resource_type: CLUSTER,
        nonce: nonce.to_owned(),
        error: None,
        names: Names::Change {
            subscribe: more.iter().collect(),
            unsubscribe: less.iter().map(ToString::to_string).collect(),
            initial: Default::default(),
        },
    };
    let mut stream = Stream::new(Protocol::Delta);
    stream.handle_snapshot(first());
    stream.handle_request(request("", &["*", "a"], &[]), now);
    let nonce = stream.poll_response(now).unwrap().nonce;
    stream.handle_request(request(&nonce, &[], &[]), now);
    assert!(stream.poll_response(now).is_none());
    assert!(stream.take_accepted(CLUSTER).unwrap().whole);
    let listeners = Request {
        resource_type: ResourceType::Listener,
        ..request("", &[], &[])
    };
    stream.handle_request(listeners, now);
    assert!(stream.poll_response(now).is_some(), "there are none");
    assert!(stream.poll_response(now).is_none());
    assert_eq!(stream.take_accepted(CLUSTER), None);
    stream.handle_request(request("", &[], &["*"]), now);
    assert!(stream.poll_response(now).is_none());
    assert!(!stream.take_accepted(CLUSTER).unwrap().whole);
    let second = snapshot(&first(), &["a"], "other");
    stream.handle_snapshot(second);
    assert_eq!(stream.poll_response(now).unwrap().resources, 1);
}

#[test]
fn routes_are_accepted_once_a_client_has_every_table_that_scopes_name() {
    const ROUTES: ResourceType = ResourceType::RouteConfiguration;
    let now = Instant::now();
    for protocol in [Protocol::Sotw, Protocol::Delta] {
        let mut stream = Stream::new(protocol);
        stream.handle_snapshot(divided());
        stream.handle_request(tables(protocol, "", &[], &["t"]), now);
        let first = stream.poll_response(now).unwrap();
        stream.handle_request(tables(protocol, &first.nonce, &["t"], &["t"]), now);
        assert!(stream.poll_response(now).is_none());
        let accepted = stream.take_accepted(ROUTES).unwrap();
        assert!(!accepted.whole, "nobody has seen the other table");
        // It asks for the other.
        stream.handle_request(tables(protocol, &first.nonce, &["t"], &["t", "u"]), now);
        let told = stream.take_accepted(ROUTES);
        assert!(
            told.is_none_or(|accepted| !accepted.whole),
            "it was not sent"
        );
        let second = stream.poll_response(now).unwrap();
        stream.handle_request(
            tables(protocol, &second.nonce, &["t", "u"], &["t", "u"]),
            now,
        );
        let accepted = stream.take_accepted(ROUTES).unwrap();
        assert_eq!((accepted.sequence, accepted.whole), (Some(1), true));
        // One that asks for less has no word for the rest any more.
        stream.handle_request(tables(protocol, &second.nonce, &["t", "u"], &["t"]), now);
        stream.handle_snapshot(Arc::new(divided().next([], 2).0));
        stream.poll_response(now);
        assert!(!stream.take_accepted(ROUTES).unwrap().whole);
    }
}

#[test]
fn a_table_that_is_asked_for_while_another_is_on_its_way_is_not_accepted_with_it() {
    const ROUTES: ResourceType = ResourceType::RouteConfiguration;
    let now = Instant::now();
    let mut stream = Stream::new(Protocol::Delta);
    stream.handle_snapshot(divided());
    stream.handle_request(tables(Protocol::Delta, "", &[], &["t"]), now);
    let first = stream.poll_response(now).unwrap();
    stream.handle_request(tables(Protocol::Delta, "", &["t"], &["t", "u"]), now);
    let both = ["t", "u"];
    stream.handle_request(tables(Protocol::Delta, &first.nonce, &both, &both), now);
    assert!(!stream.take_accepted(ROUTES).unwrap().whole);
    let second = stream.poll_response(now).unwrap();
    stream.handle_request(tables(Protocol::Delta, &second.nonce, &both, &both), now);
    assert!(stream.take_accepted(ROUTES).unwrap().whole);
}

#[test]
fn the_only_table_is_all_there_is() {
    const ROUTES: ResourceType = ResourceType::RouteConfiguration;
    let now = Instant::now();
    let resource = |of, name: &str, children| Change {
        resource_type: of,
        name: name.into(),
        resource: Some(Arc::new(Resource::new(of, name, b"1", children))),
    };
    let child = (ROUTES, "all".into());
    let listener = resource(ResourceType::Listener, "http", Box::new([child]));
    // Scopes that listeners used once name another.
    let snapshot = divided().next([listener], 2).0;
    let mut stream = Stream::new(Protocol::Delta);
    stream.handle_snapshot(Arc::new(snapshot));
    stream.handle_request(tables(Protocol::Delta, "", &[], &["all"]), now);
    let response = stream.poll_response(now).unwrap();
    stream.handle_request(tables(Protocol::Delta, &response.nonce, &[], &[]), now);
    assert!(stream.take_accepted(ROUTES).unwrap().whole);
}
