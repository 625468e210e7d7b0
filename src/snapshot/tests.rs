//! Snapshots as values: what is kept, what is told, and that versions are content.

use envoy_types::pb::envoy::service::discovery::v3::Resource as DeltaEntry;
use envoy_types::pb::google::protobuf::Any;
use prost::Message;

use super::*;

const CLUSTER: ResourceType = ResourceType::Cluster;
const ROUTES: ResourceType = ResourceType::RouteConfiguration;

fn resource(resource_type: ResourceType, name: &str, content: &str) -> Resource {
    Resource::new(resource_type, name, content.as_bytes(), Box::default())
}

fn set(resource_type: ResourceType, name: &str, content: &str) -> Change {
    Change {
        resource_type,
        name: name.into(),
        resource: Some(resource(resource_type, name, content).into()),
    }
}

fn gone(resource_type: ResourceType, name: &str) -> Change {
    Change {
        resource_type,
        name: name.into(),
        resource: None,
    }
}

fn snapshot(changes: impl IntoIterator<Item = Change>) -> Snapshot {
    Snapshot::empty("default".into()).next(changes, 1).0
}

fn changed(snapshot: &Snapshot, sequence: u64) -> Option<Vec<&str>> {
    let names = snapshot.changed_since(sequence, CLUSTER)?;
    Some(names.map(|name| &**name).collect())
}

#[test]
fn equal_content_keeps_its_resource_its_version_and_its_pages() {
    let before = snapshot([set(CLUSTER, "a", "1"), set(CLUSTER, "b", "1")]);
    let pages = before.set(CLUSTER).delta_pages().clone();
    let (after, tallies) = before.next([set(CLUSTER, "a", "1"), gone(CLUSTER, "c")], 2);
    assert_eq!(tallies, Tallies::default());
    assert!(Arc::ptr_eq(before.set(CLUSTER), after.set(CLUSTER)));
    assert!(Arc::ptr_eq(&pages, after.set(CLUSTER).delta_pages()));
    assert_eq!(before.version(), after.version());
    assert_eq!((after.sequence, after.revision), (2, 2));
}

#[test]
fn a_change_touches_one_resource_and_no_other() {
    let before = snapshot([
        set(CLUSTER, "a", "1"),
        set(CLUSTER, "b", "1"),
        set(ROUTES, "main", "1"),
    ]);
    let (after, _) = before.next([set(CLUSTER, "a", "2")], 2);
    let kept = |name| {
        let find = |snapshot: &Snapshot| snapshot.set(CLUSTER).find(name).cloned().unwrap();
        Arc::ptr_eq(&find(&before), &find(&after))
    };
    assert!(kept("b"));
    assert!(!kept("a"));
    assert!(Arc::ptr_eq(before.set(ROUTES), after.set(ROUTES)));
    assert_eq!(before.set(CLUSTER).find("a").unwrap().value(), "1");
    assert_eq!(after.set(CLUSTER).find("a").unwrap().value(), "2");
    assert_ne!(before.set(CLUSTER).version(), after.set(CLUSTER).version());
    assert_ne!(before.version(), after.version());
}

#[test]
fn a_resource_that_changes_keeps_its_name_as_all_streams_share_it() {
    let before = snapshot([set(CLUSTER, "a", "1"), set(CLUSTER, "b", "1")]);
    let names = before.set(CLUSTER).names().all.clone();
    let (after, _) = before.next([set(CLUSTER, "a", "2")], 2);
    let name = |of: &Snapshot| of.set(CLUSTER).name("a").unwrap().clone();
    assert!(Arc::ptr_eq(&name(&before), &name(&after)));
    assert!(Arc::ptr_eq(&names, &after.set(CLUSTER).names().all));
}

#[test]
fn what_is_added_changed_and_removed_is_counted_by_type() {
    let before = snapshot([set(CLUSTER, "a", "1"), set(CLUSTER, "b", "1")]);
    let changes = [
        set(CLUSTER, "a", "2"),
        gone(CLUSTER, "b"),
        set(CLUSTER, "c", "1"),
        set(CLUSTER, "d", "1"),
        set(ROUTES, "main", "1"),
    ];
    let (after, tallies) = before.next(changes, 2);
    assert_eq!(tallies[CLUSTER.index()].to_string(), "+2~1-1");
    assert_eq!(tallies[ROUTES.index()].to_string(), "+1~0-0");
    assert_eq!(tallies[ResourceType::Listener.index()], Tally::default());
    assert_eq!(after.set(CLUSTER).len(), 3);
}

#[test]
fn the_log_tells_what_changed_since_a_sequence() {
    let first = snapshot([set(CLUSTER, "a", "1")]);
    let (second, _) = first.next([set(CLUSTER, "b", "1"), set(ROUTES, "main", "1")], 2);
    let (third, _) = second.next([gone(CLUSTER, "a"), set(CLUSTER, "b", "1")], 3);
    assert_eq!(changed(&third, 3).unwrap(), Vec::<&str>::new());
    assert_eq!(changed(&third, 2).unwrap(), ["a"]);
    assert_eq!(changed(&third, 1).unwrap(), ["b", "a"]);
    assert_eq!(changed(&second, 1).unwrap(), ["b"]);
    assert!(changed(&second, 3).is_none(), "that is yet to come");
}

#[test]
fn the_log_forgets_what_is_long_ago() {
    let mut newest = Snapshot::empty("default".into());
    for content in 0..300 {
        newest = newest.next([set(CLUSTER, "a", &content.to_string())], 1).0;
    }
    assert!(changed(&newest, 10).is_none());
    assert_eq!(changed(&newest, 290).unwrap().len(), 10);
}

#[test]
fn the_version_of_a_set_is_its_content_and_not_its_history() {
    let changes = || {
        [
            set(CLUSTER, "a", "1"),
            set(CLUSTER, "b", "2"),
            set(CLUSTER, "c", "3"),
        ]
    };
    let all_at_once = snapshot(changes());
    let backwards = snapshot(changes().into_iter().rev());
    let long_way = snapshot([set(CLUSTER, "b", "1"), set(CLUSTER, "x", "1")]);
    let long_way = long_way.next(changes(), 2).0;
    let long_way = long_way.next([gone(CLUSTER, "x")], 3).0;
    assert_eq!(all_at_once.version(), backwards.version());
    assert_eq!(all_at_once.version(), long_way.version());

    let swapped = snapshot([
        set(CLUSTER, "a", "2"),
        set(CLUSTER, "b", "1"),
        set(CLUSTER, "c", "3"),
    ]);
    assert_ne!(all_at_once.version(), swapped.version());
    let nothing = long_way
        .next(["a", "b", "c"].map(|name| gone(CLUSTER, name)), 4)
        .0;
    assert_eq!(
        nothing.version(),
        Snapshot::empty("other".into()).next([], 1).0.version()
    );
    let elsewhere = snapshot([set(ROUTES, "a", "1")]);
    assert_ne!(
        elsewhere.version(),
        snapshot([set(CLUSTER, "a", "1")]).version()
    );
}

#[test]
fn a_version_is_read_as_it_is_written() {
    let version = Version::of(b"content");
    assert_eq!(version.to_string().parse(), Ok(version));
    assert_eq!(version.to_string().len(), 32);
    for foreign in [
        "",
        "1",
        "+0000000000000000000000000000000",
        "not a version of ours at all !!!",
    ] {
        assert_eq!(
            foreign.parse::<Version>(),
            Err(version::Foreign),
            "{foreign:?}"
        );
    }
}

#[test]
fn both_protocols_share_the_bytes_of_a_resource() {
    for length in [0, 1, 100, 127, 128, 20_000, 3_000_000] {
        let content = "x".repeat(length);
        let resource = resource(CLUSTER, "service/echo", &content);
        let (delta, sotw) = (resource.delta_entry(), resource.sotw_entry());
        assert!(delta.ends_with(&sotw));
        assert_eq!(
            delta.as_ptr() as usize + delta.len(),
            sotw.as_ptr() as usize + sotw.len()
        );
        assert_eq!(resource.value(), content);

        let entry: DeltaEntry = only_field(&delta);
        let any: Any = only_field(&sotw);
        assert_eq!(entry.name, "service/echo");
        assert_eq!(entry.version, Version::of(content.as_bytes()).to_string());
        assert_eq!(entry.resource.as_ref(), Some(&any));
        assert_eq!(any.type_url, CLUSTER.type_url());
        assert_eq!(any.value, content.as_bytes());
    }
}

/// The message in a field number 2 that is all there is.
fn only_field<M: Message + Default>(bytes: &[u8]) -> M {
    assert_eq!(bytes[0], 2 << 3 | 2);
    M::decode_length_delimited(&bytes[1..]).unwrap()
}

#[test]
fn pages_hold_all_entries_in_order_and_share_the_large_ones() {
    let small = |name: &str| resource(CLUSTER, name, &"x".repeat(10_000));
    let large = resource(CLUSTER, "large", &"y".repeat(set::PAGE));
    let resources = [
        small("a"),
        small("b"),
        small("c"),
        small("d"),
        large,
        small("e"),
    ];
    let entries: Vec<_> = resources.iter().map(Resource::delta_entry).collect();
    let pages = set::pages(entries.iter().cloned());
    assert_eq!(pages.concat(), entries.concat());
    assert_eq!(pages.len(), 4);
    assert_eq!(pages[2].as_ptr(), entries[4].as_ptr());
}

#[test]
fn a_secret_is_not_shown() {
    let secret = resource(ResourceType::Secret, "cert", "PRIVATE KEY");
    assert!(!format!("{secret:?}").contains("PRIVATE"));
}
